// SPDX-License-Identifier: Apache-2.0
/* Keys, identifiers and permissions of System V IPC objects. */
#include "ipc.h"

#include <linux/time.h>

#include "cred.h"
#include "task.h"

/* Linux' own */
struct ipc_limits ipc_limits = {
	.shmmax = ~0UL - (1UL << 24),
	.shmall = ~0UL - (1UL << 24),
	.shmmni = 4096,
	.msgmax = 8192,
	.msgmnb = 16384,
	.msgmni = 32000,
	.sem = { 32000, 1024000000, 500, 32000 },
	.mq_queues_max = 256,
	.mq_count_max = 10,
	.mq_size_max = 8192,
	.mq_count_default = 10,
	.mq_size_default = 8192,
};

s64 ipc_now(void)
{
	return (s64)(mc_clock(CLOCK_REALTIME) / NSEC_PER_SEC);
}

bool ipc_allowed(const struct ipc_object *o, u32 mode)
{
	const struct cred *c = current->cred;
	u32 granted = o->perm.mode;

	if (c->euid == o->perm.uid || c->euid == o->perm.cuid)
		granted >>= 6;
	else if (cred_in_group(c, o->perm.gid) || cred_in_group(c, o->perm.cgid))
		granted >>= 3;
	/* Each kind of access is asked for in all three places: one of them is looked at. */
	mode = (mode | mode >> 3 | mode >> 6) & 7;
	return !(mode & ~granted) || capable(CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *o)
{
	u32 euid = current->cred->euid;

	return euid == o->perm.uid || euid == o->perm.cuid || capable(CAP_SYS_ADMIN);
}

void ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p)
{
	o->perm.uid = p->uid;
	o->perm.gid = p->gid;
	o->perm.mode = (o->perm.mode & ~0777u) | (p->mode & 0777);
	o->ctime = ipc_now();
}

static struct ipc_object *find_key(struct ipc_table *t, u32 key)
{
	for (u32 i = 0; i < t->top; i++)
		if (t->slot[i] && !t->slot[i]->removed && (u32)t->slot[i]->perm.key == key)
			return t->slot[i];
	return NULL;
}

static int free_slot(struct ipc_table *t)
{
	for (u32 i = t->used < t->top || t->lingers ? 0 : t->top; i < t->top; i++) {
		struct ipc_object *o = t->slot[i];

		if (o && o->removed && !t->lingers(o)) {
			t->slot[i] = NULL;
			t->used--;
			ipc_put(t, o);
			o = NULL;
		}
		if (!o)
			return (int)i;
	}
	return t->top < IPC_SLOTS ? (int)t->top++ : -ENOSPC;
}

static void set_creator(struct ipc_object *o, const struct ipc_request *r)
{
	const struct cred *c = current->cred;

	ref_init(&o->ref);
	waitq_init(&o->wait);
	o->perm.key = (int)r->key;
	o->perm.uid = o->perm.cuid = c->euid;
	o->perm.gid = o->perm.cgid = c->egid;
	o->perm.mode = r->flags & 0777;
	o->ctime = ipc_now();
}

static long create(struct ipc_table *t, const struct ipc_request *r)
{
	struct ipc_object *o;
	int slot = free_slot(t);

	o = r->create(r);
	if (IS_ERR(o))
		return PTR_ERR(o);
	if (slot < 0 || t->used >= READ_ONCE(*t->most)) {
		t->free(o);
		return -ENOSPC;
	}
	set_creator(o, r);
	o->perm.seq = t->seq[slot];
	o->id = t->seq[slot] * IPC_SLOTS + slot;
	t->seq[slot] = (u16)((t->seq[slot] + 1) & 0x7fff);
	t->slot[slot] = o;
	t->used++;
	return o->id;
}

long ipc_get(struct ipc_table *t, const struct ipc_request *r)
{
	struct ipc_object *o;

	guard(&t->lock);
	o = r->key == (u32)IPC_PRIVATE ? NULL : find_key(t, r->key);
	if (!o)
		return r->key == (u32)IPC_PRIVATE || (r->flags & IPC_CREAT) ? create(t, r) : -ENOENT;
	if ((r->flags & IPC_CREAT) && (r->flags & IPC_EXCL))
		return -EEXIST;
	if (r->check) {
		long err = r->check(o, r);

		if (err)
			return err;
	}
	return ipc_allowed(o, r->flags & 0777) ? o->id : -EACCES;
}

struct ipc_object *ipc_at(struct ipc_table *t, int index)
{
	struct ipc_object *o = index >= 0 && index < IPC_SLOTS ? t->slot[index] : NULL;

	return o && !o->removed ? o : ERR_PTR(-EINVAL);
}

struct ipc_object *ipc_find(struct ipc_table *t, int id)
{
	struct ipc_object *o = id >= 0 ? t->slot[id % IPC_SLOTS] : NULL;

	if (!o || o->id != id)
		return ERR_PTR(-EINVAL);
	return o->removed && !t->lingers(o) ? ERR_PTR(-EIDRM) : o;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	o->removed = true;
	o->perm.key = IPC_PRIVATE;
	if (!t->lingers) {
		t->slot[o->id % IPC_SLOTS] = NULL;
		t->used--;
	}
	waitq_wake_all(&o->wait, 0);
}

void ipc_put(struct ipc_table *t, struct ipc_object *o)
{
	if (ref_put(&o->ref))
		t->free(o);
}

int ipc_highest(struct ipc_table *t)
{
	int i = (int)t->top - 1;

	while (i > 0 && !t->slot[i])
		i--;
	return i < 0 ? 0 : i;
}
