/* SPDX-License-Identifier: Apache-2.0 */
/* Which regular files of the host are open for writing in this guest: those cannot be executed
 * (ETXTBSY). */
#include "hostfs.h"

#define BUCKETS 64u

struct writers {
	struct list_head node;
	u64 dev, ino;
	u32 n;
};

static struct mutex lock;
static struct list_head buckets[BUCKETS];
static u32 total;

/* With the lock held. */
static struct writers *find(u64 dev, u64 ino)
{
	struct list_head *b = &buckets[hash_u64(dev ^ ino) % BUCKETS];
	struct writers *w;

	if (!b->next)
		list_init(b);
	list_for_each(w, b, node)
		if (w->dev == dev && w->ino == ino)
			return w;
	return NULL;
}

void writers_add(const struct inode *i)
{
	struct writers *w, *fresh = kmalloc(sizeof(*fresh));

	guard(&lock);
	w = find(i->dev, i->ino);
	if (w) {
		w->n++;
		kfree(fresh);
	} else if (fresh) {
		*fresh = (struct writers){.dev = i->dev, .ino = i->ino, .n = 1};
		list_add(&fresh->node, &buckets[hash_u64(i->dev ^ i->ino) % BUCKETS]);
		total++;
	}
}

void writers_drop(const struct inode *i)
{
	struct writers *w;

	guard(&lock);
	w = find(i->dev, i->ino);
	if (!w || --w->n)
		return;
	list_del(&w->node);
	kfree(w);
	total--;
}

bool writers_any(const struct inode *i)
{
	if (!__atomic_load_n(&total, __ATOMIC_RELAXED))
		return false;
	guard(&lock);
	return find(i->dev, i->ino) != NULL;
}
