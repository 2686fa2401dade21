// SPDX-License-Identifier: Apache-2.0
/* User namespaces: making and entering them, ids, and who has which capability where. */
#include "user_ns.h"

#include <linux/securebits.h>

#include "fs.h"
#include "idmap.h"
#include "task.h"

#define CAP_ALL ((1ULL << (CAP_LAST_CAP + 1)) - 1)

/* Its ids are the container's: idmap.h knows which of them there are. */
struct user_ns init_user_ns = {
	.ns = NS_INIT(NS_USER, 4026531837u),
	.uid = { .root = 0 },
	.gid = { .root = 0 },
	.setgroups = true,
};

/* ---- ids ---- */

static u32 down(const struct id_map *m, u32 id)
{
	u32 n = __atomic_load_n(&m->n, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		if (id >= m->e[i].first && id - m->e[i].first < m->e[i].count)
			return m->e[i].kernel + (id - m->e[i].first);
	return NO_ID;
}

static u32 up(const struct id_map *m, u32 id)
{
	u32 n = __atomic_load_n(&m->n, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		if (id >= m->e[i].kernel && id - m->e[i].kernel < m->e[i].count)
			return m->e[i].first + (id - m->e[i].kernel);
	return NO_ID;
}

u32 make_kuid(const struct user_ns *u, u32 uid)
{
	if (likely(u == &init_user_ns))
		return uid_mapped(uid) ? uid : NO_ID;
	return down(&u->uid, uid);
}

u32 make_kgid(const struct user_ns *u, u32 gid)
{
	if (likely(u == &init_user_ns))
		return gid_mapped(gid) ? gid : NO_ID;
	return down(&u->gid, gid);
}

u32 from_kuid(const struct user_ns *u, u32 kuid)
{
	return likely(u == &init_user_ns) ? kuid : up(&u->uid, kuid);
}

u32 from_kgid(const struct user_ns *u, u32 kgid)
{
	return likely(u == &init_user_ns) ? kgid : up(&u->gid, kgid);
}

static u32 shown(u32 id)
{
	return id == NO_ID ? OVERFLOW_ID : id;
}

u32 show_uid_in(const struct user_ns *u, u32 kuid)
{
	return likely(u == &init_user_ns) ? kuid : shown(up(&u->uid, kuid));
}

u32 show_gid_in(const struct user_ns *u, u32 kgid)
{
	return likely(u == &init_user_ns) ? kgid : shown(up(&u->gid, kgid));
}

u32 show_uid(u32 kuid)
{
	return show_uid_in(current_user_ns(), kuid);
}

u32 show_gid(u32 kgid)
{
	return show_gid_in(current_user_ns(), kgid);
}

bool take_uid(u64 arg, u32 *kuid)
{
	*kuid = (u32)arg == NO_ID ? NO_ID : make_kuid(current_user_ns(), (u32)arg);
	return (u32)arg == NO_ID || *kuid != NO_ID;
}

bool take_gid(u64 arg, u32 *kgid)
{
	*kgid = (u32)arg == NO_ID ? NO_ID : make_kgid(current_user_ns(), (u32)arg);
	return (u32)arg == NO_ID || *kgid != NO_ID;
}

/* ---- capabilities ---- */

static bool has(const struct cred *c, int cap)
{
	return (c->cap_effective >> cap) & 1;
}

bool cred_capable(const struct cred *c, const struct user_ns *u, int cap)
{
	for (;;) {
		if (u == c->user_ns)
			return has(c, cap);
		if (u->level <= c->user_ns->level)
			return false;
		/* Who made a namespace and is in its parent has all of them in it. */
		if (user_ns_parent(u) == c->user_ns && u->owner_uid == c->euid)
			return true;
		u = user_ns_parent(u);
	}
}

bool ns_capable(const struct user_ns *u, int cap)
{
	return cred_capable(current->cred, u, cap);
}

bool capable(int cap)
{
	return ns_capable(&init_user_ns, cap);
}

bool capable_here(int cap)
{
	return has(current->cred, cap);
}

bool capable_owner(u32 kuid, u32 kgid, int cap)
{
	const struct user_ns *u = current_user_ns();

	if (likely(u == &init_user_ns))
		return has(current->cred, cap);
	return has(current->cred, cap) && from_kuid(u, kuid) != NO_ID && from_kgid(u, kgid) != NO_ID;
}

bool capable_inode(const struct inode *i, int cap)
{
	return capable_owner(i->uid, i->gid, cap);
}

bool user_ns_within(const struct user_ns *u, const struct user_ns *outer)
{
	while (u && u->level > outer->level)
		u = user_ns_parent(u);
	return u == outer;
}

bool user_ns_setgroups_allowed(const struct user_ns *u)
{
	if (u == &init_user_ns)
		return setgroups_allowed();
	return __atomic_load_n(&u->gid.n, __ATOMIC_ACQUIRE) && READ_ONCE(u->setgroups);
}

/* ---- making, entering ---- */

/* All capabilities, but only over what belongs to u. Takes over a reference to it. */
static void set_ns(struct cred *c, struct user_ns *u)
{
	ns_put(&c->user_ns->ns);
	c->user_ns = u;
	c->securebits = SECUREBITS_DEFAULT;
	c->cap_inheritable = c->cap_ambient = 0;
	c->cap_permitted = c->cap_effective = c->cap_bounding = CAP_ALL;
}

static int may_create(const struct cred *c)
{
	const struct user_ns *parent = c->user_ns;

	if (parent->level > USER_NS_DEPTH || ns_may_make(NS_USER))
		return -ENOSPC;
	if (current_chrooted()) /* it would have the powers to leave that */
		return -EPERM;
	if (parent != &init_user_ns &&
	    (from_kuid(parent, c->euid) == NO_ID || from_kgid(parent, c->egid) == NO_ID))
		return -EPERM;
	return 0;
}

struct cred *user_ns_create(const struct cred *old)
{
	int err = may_create(old);
	struct user_ns *u;
	struct cred *c;

	if (err)
		return ERR_PTR(err);
	u = kzalloc(sizeof(*u));
	c = u ? cred_copy(old) : NULL;
	if (!c) {
		kfree(u);
		return ERR_PTR(-ENOMEM);
	}
	ns_init(&u->ns, NS_USER, old->user_ns);
	u->level = old->user_ns->level + 1;
	u->owner_uid = old->euid;
	u->owner_gid = old->egid;
	u->uid.root = u->gid.root = NO_ID;
	u->setgroups = READ_ONCE(old->user_ns->setgroups);
	u->parent_could_setfcap = has(old, CAP_SETFCAP);
	set_ns(c, u);
	return c;
}

struct cred *user_ns_enter(const struct cred *old, struct user_ns *u)
{
	struct cred *c = cred_copy(old);

	if (!c)
		return ERR_PTR(-ENOMEM);
	ns_get(&u->ns);
	set_ns(c, u);
	return c;
}

void user_ns_free(struct ns *ns)
{
	struct user_ns *u = user_ns_of(ns);

	kfree(u->uid.e);
	kfree(u->gid.e);
	kfree(u);
}
