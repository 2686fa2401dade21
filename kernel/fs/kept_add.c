/* SPDX-License-Identifier: Apache-2.0 */
/* Which host files become kept ones (fs/kept.c): what a process opens again. */
#include "kept_impl.h"

#include "cred.h"
#include "hostfs.h"
#include "task.h"
#include "vfs_impl.h"

#define SEEN 256

static struct {
	u32 hash;  /* of a process and a name that it has opened */
	u32 again; /* not before this second */
} seen[SEEN];

/* The second time, and once in a second: what can't be kept now costs as little as may be. */
static bool worth_it(const struct name *n)
{
	/* By its number: one that follows another soon has the other's memory. */
	u32 hash = (u32)(kept_hash(n) ^ hash_u64((u64)current->proc->pid ^ (u64)kept_base(n)));
	u32 now = (u32)(mc_clock(1 /* CLOCK_MONOTONIC */) / NSEC_PER_SEC);
	u32 i = hash % SEEN;

	if (READ_ONCE(seen[i].hash) != hash) {
		WRITE_ONCE(seen[i].hash, hash);
		WRITE_ONCE(seen[i].again, 0);
		return false;
	}
	if (now < READ_ONCE(seen[i].again))
		return false;
	WRITE_ONCE(seen[i].again, now + 1);
	return true;
}

/* Of current's process, for its credentials. NULL: no memory. */
static struct kept_set *make_set(void)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct process *p = current->proc;
	struct kept_set *set, *made = NULL;
	u32 cred = cred_pv_id();
	struct kept *k, *tmp;

	if (!READ_ONCE(p->kept))
		made = kzalloc(sizeof(*made));
	mutex_lock(&kept_lock);
	set = p->kept;
	if (!set && made) {
		list_init(&made->files);
		list_init(&made->dirs);
		made->cred = cred_get(current->cred);
		p->kept = set = made;
		made = NULL;
	}
	if (set && set->cred->pv_id != cred) {
		kept_drop_set(set, &gone);
		list_for_each_safe(k, tmp, &set->files, node)
			kept_file_dead(k, &gone);
		cred_put(set->cred);
		set->cred = cred_get(current->cred);
	}
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	kfree(made);
	return set;
}

struct dir_key {
	struct kept *above;
	struct inode *base;
	const char *name; /* "": the first one */
	size_t len;
};

/* With a use for the caller. */
static struct kept *find_dir(struct kept_set *set, const struct dir_key *key)
{
	struct kept *k;

	guard(&kept_lock);
	list_for_each(k, &set->dirs, node) {
		if (k->above != key->above || k->base != key->base || strncmp(k->name, key->name, key->len) || k->name[key->len])
			continue;
		k->users++;
		return k;
	}
	return NULL;
}

static struct inode *open_dir(const struct dir_key *key, struct stamp *stamp)
{
	u64 now = mc_clock(0 /* CLOCK_REALTIME */);
	struct inode *i;

	if (hostfs_lookup_in(key->above ? key->above->inode : key->base, key->len ? key->name : ".", key->len ? key->len : 1, 0,
			     false, &i))
		return NULL;
	if (S_ISDIR(i->mode) && i->handle && host_handle_call(PV_DONATE, i->handle, 0, 0, 0) >= 0 && stamp_get(i, stamp) &&
	    !stamp_too_young(stamp, now))
		return i;
	inode_put(i);
	return NULL;
}

static struct kept *new_kept(const char *name, size_t len)
{
	struct kept *k = kzalloc(sizeof(*k) + len + 1);

	if (k)
		memcpy(k->name, name, len);
	return k;
}

static struct kept *add_dir(struct kept_set *set, const struct dir_key *key)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct kept *k = new_kept(key->name, key->len);

	if (k)
		k->inode = open_dir(key, &k->stamp);
	if (!k || !k->inode) {
		kfree(k);
		return NULL;
	}
	k->base = key->base;
	k->above = key->above;
	if (!k->above && k->base)
		inode_get(k->base);
	mutex_lock(&kept_lock);
	if (set->ndirs >= MAX_DIRS)
		kept_drop_set(set, &gone);
	k->users = 1;
	if (k->above)
		k->above->users++;
	k->set = set;
	set->ndirs++;
	list_add(&k->node, &set->dirs);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	return k;
}

static void put_dir(struct kept *d, bool dead)
{
	struct list_head gone = LIST_HEAD_INIT(gone);

	if (!d)
		return;
	mutex_lock(&kept_lock);
	if (dead)
		kept_dir_dead(d, &gone);
	kept_dir_put(d, &gone);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
}

/* A directory in the one above, which is looked at before. NULL: none to keep. Ends the use of the one above. */
static struct kept *get_dir(struct kept_set *set, const struct dir_key *key)
{
	struct kept *d = find_dir(set, key);

	if (d && !kept_unchanged(d)) {
		put_dir(d, true);
		d = NULL;
	}
	if (!d)
		d = add_dir(set, key);
	put_dir(key->above, false);
	return d;
}

void kept_find_place(const struct name *n, struct kept_place *place)
{
	struct dir_key key = {.base = kept_base(n), .name = ""};
	int depth = kept_depth(n->text);
	struct kept_set *set;
	struct kept *d;

	*place = (struct kept_place){.last = n->text + (*n->text == '/')};
	if (!depth || !worth_it(n))
		return;
	set = make_set();
	if (!set)
		return;
	d = get_dir(set, &key);
	while (d && --depth) {
		key.above = d;
		key.name = place->last;
		key.len = 0;
		while (key.name[key.len] != '/')
			key.len++;
		d = get_dir(set, &key);
		place->last += key.len + 1;
	}
	place->dir = d;
	place->now = mc_clock(0 /* CLOCK_REALTIME */);
}

u32 kept_place_handle(const struct kept_place *place)
{
	return place->dir->inode->handle;
}

/* May the file be kept? Then what is known of it. */
static struct kept *describe(const struct name *n, const struct kept_place *place, struct inode *i)
{
	struct kept *k;

	if (!S_ISREG(i->mode) || !i->handle || i->size > MAX_SIZE)
		return NULL;
	k = new_kept(n->text, strlen(n->text));
	if (!k)
		return NULL;
	k->inode = i;
	k->base = kept_base(n);
	k->hash = kept_hash(n);
	k->above = place->dir;
	if (stamp_get(i, &k->stamp) && k->stamp.dev == place->dir->stamp.dev && !stamp_too_young(&k->stamp, place->now))
		return k;
	kfree(k);
	return NULL;
}

void kept_add(const struct name *n, struct kept_place *place, struct file *f)
{
	struct kept *k = f ? describe(n, place, f->inode) : NULL;
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct kept_set *set = current->proc->kept;
	u32 cred = cred_pv_id();
	bool added = false;

	mutex_lock(&kept_lock);
	if (k && set->cred->pv_id == cred && (set->nfiles < MAX_FILES || kept_drop_oldest(set, &gone))) {
		k->set = set;
		set->nfiles++;
		list_add(&k->node, &set->files);
		f->inode->kept = k;
		added = true;
	} else {
		kept_dir_put(place->dir, &gone);
	}
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	if (!added)
		kfree(k);
}
