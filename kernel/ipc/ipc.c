// SPDX-License-Identifier: Apache-2.0
/* Keys, identifiers and permissions of System V IPC objects. */
#include "ipc.h"

#include <linux/time.h>

#include "mqueue.h"
#include "task.h"
#include "user_ns.h"

#define IPC_SLOTS_FIRST 128u /* a power of two less than IPC_SLOTS */

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
	return !(mode & ~granted) || ns_capable(ns_owner(&o->ns->ns), CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *o)
{
	u32 euid = current->cred->euid;

	return euid == o->perm.uid || euid == o->perm.cuid ||
	       ns_capable(ns_owner(&o->ns->ns), CAP_SYS_ADMIN);
}

int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p)
{
	u32 uid, gid;

	if (!take_uid(p->uid, &uid) || !take_gid(p->gid, &gid) || uid == NO_ID || gid == NO_ID)
		return -EINVAL;
	o->perm.uid = uid;
	o->perm.gid = gid;
	o->perm.mode = (o->perm.mode & ~0777u) | (p->mode & 0777);
	o->ctime = ipc_now();
	return 0;
}

struct ipc64_perm ipc_shown_perm(const struct ipc_object *o)
{
	struct ipc64_perm p = o->perm;

	p.uid = show_uid(p.uid);
	p.gid = show_gid(p.gid);
	p.cuid = show_uid(p.cuid);
	p.cgid = show_gid(p.cgid);
	return p;
}

static struct ipc_object *find_key(struct ipc_table *t, u32 key)
{
	for (u32 i = 0; i < t->top; i++)
		if (ipc_visible(t->slot[i]) && !t->slot[i]->removed && (u32)t->slot[i]->perm.key == key)
			return t->slot[i];
	return NULL;
}

static bool more_room(struct ipc_table *t)
{
	u32 room = t->room ? t->room * 2 : IPC_SLOTS_FIRST;
	struct ipc_object **slot;
	u16 *seq;

	if (room > IPC_SLOTS)
		return false;
	slot = kzalloc(room * sizeof(*slot));
	seq = kzalloc(room * sizeof(*seq));
	if (!slot || !seq) {
		kfree(slot);
		kfree(seq);
		return false;
	}
	if (t->room) {
		memcpy(slot, t->slot, t->room * sizeof(*slot));
		memcpy(seq, t->seq, t->room * sizeof(*seq));
		kfree(t->slot);
		kfree(t->seq);
	}
	t->slot = slot;
	t->seq = seq;
	t->room = room;
	return true;
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
	if (t->top == t->room && !more_room(t))
		return -ENOSPC;
	return (int)t->top++;
}

static void set_creator(struct ipc_object *o, const struct ipc_request *r)
{
	const struct cred *c = current->cred;

	ref_init(&o->ref);
	waitq_init(&o->wait);
	o->ns = current_ipc_ns();
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
	struct ipc_object *o = index >= 0 && index < (int)t->top ? t->slot[index] : NULL;

	return ipc_visible(o) && !o->removed ? o : ERR_PTR(-EINVAL);
}

struct ipc_object *ipc_find(struct ipc_table *t, int id)
{
	struct ipc_object *o = id >= 0 && (u32)(id % IPC_SLOTS) < t->top ? t->slot[id % IPC_SLOTS] : NULL;

	if (!ipc_visible(o) || o->id != id)
		return ERR_PTR(-EINVAL);
	return o->removed && !t->lingers(o) ? ERR_PTR(-EIDRM) : o;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	if (t->forget)
		t->forget(o);
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

	while (i > 0 && !ipc_visible(t->slot[i]))
		i--;
	return i < 0 ? 0 : i;
}

/* ---- namespaces ---- */

struct ipc_ns init_ipc_ns = { .ns = NS_INIT(NS_IPC, 4026531839u) };

struct ns *ipc_ns_new(struct user_ns *user)
{
	struct ipc_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_IPC, user);
	return &ns->ns;
}

/* The next one of ns, out of the table; NULL: no more. Segments that are still mapped stay until they are not. */
static struct ipc_object *remove_next(struct ipc_table *t, const struct ipc_ns *ns, u32 *at)
{
	guard(&t->lock);
	for (; *at < t->top; (*at)++) {
		struct ipc_object *o = t->slot[*at];

		if (!o || o->ns != ns)
			continue;
		if (!o->removed)
			ipc_remove(t, o);
		o->ns = NULL;
		if (t->lingers && t->lingers(o))
			continue;
		if (t->lingers) {
			t->slot[*at] = NULL;
			t->used--;
		}
		return o;
	}
	return NULL;
}

void ipc_ns_free(struct ns *ns)
{
	struct ipc_table *tables[] = { &sem_table, &msg_table, &shm_table };

	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		struct ipc_object *o;
		u32 at = 0;

		while ((o = remove_next(tables[i], ipc_ns_of(ns), &at)))
			ipc_put(tables[i], o);
	}
	inode_put(ipc_ns_of(ns)->mqueue_root);
	kfree(ns);
}
