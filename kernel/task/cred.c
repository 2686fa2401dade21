// SPDX-License-Identifier: Apache-2.0
/*
 * Credential objects: references, copies, installation.
 *
 * A published cred never changes, but for pv_id (cred_pv.c). Another task's pointer is read
 * under tasklist_lock, which cred_install takes to replace it; the owner reads its own without.
 */
#include "cred.h"

#include "ring.h"
#include "task.h"
#include "user_ns.h"

#define CAP_ALL_MASK ((1ULL << (CAP_LAST_CAP + 1)) - 1)

struct cred *cred_get(struct cred *c)
{
	ref_get(&c->ref);
	return c;
}

void cred_put(struct cred *c)
{
	if (!c || !ref_put(&c->ref))
		return;
	cred_pv_drop(c);
	ns_put(&c->user_ns->ns);
	kfree(c->groups);
	kfree(c);
}

int cred_set_groups(struct cred *c, const u32 *groups, u32 n)
{
	u32 *copy = NULL;

	if (n) {
		copy = kmalloc(n * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, groups, n * sizeof(*copy));
	}
	kfree(c->groups);
	c->groups = copy;
	c->ngroups = n;
	return 0;
}

struct cred *cred_copy(const struct cred *old)
{
	struct cred *c = kmalloc(sizeof(*c));

	if (!c)
		return NULL;
	*c = *old;
	ns_get(&c->user_ns->ns);
	ref_init(&c->ref);
	c->pv_id = 0;
	c->groups = NULL;
	if (cred_set_groups(c, old->groups, old->ngroups)) {
		ns_put(&c->user_ns->ns);
		kfree(c);
		return NULL;
	}
	return c;
}

/* Over a namespace that it made itself, a process has had all capabilities anyway. */
static bool within_rights(const struct cred *old, const struct cred *c)
{
	const struct user_ns *u = c->user_ns;

	if (u == old->user_ns)
		return !(c->cap_permitted & ~old->cap_permitted);
	for (; user_ns_parent(u); u = user_ns_parent(u))
		if (user_ns_parent(u) == old->user_ns && u->owner_uid == old->euid)
			return true;
	return false;
}

/* What makes a process unreadable for others of the same user: it may now hold more than they do. */
static bool gained_or_changed(const struct cred *old, const struct cred *c)
{
	return c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
	       c->fsgid != old->fsgid || !within_rights(old, c);
}

void cred_install(struct cred *c)
{
	struct task *t = current;
	struct cred *old = t->cred;

	if (old && gained_or_changed(old, c)) {
		t->proc->dumpable = false;
		t->pdeathsig = 0;
	}
	mutex_lock(&tasklist_lock);
	t->cred = c;
	mutex_unlock(&tasklist_lock);
	cred_put(old);
}

struct cred *task_cred_get(struct task *t)
{
	guard(&tasklist_lock);

	return cred_get(t->cred);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (gid == c->fsgid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

struct cred *cred_root(void)
{
	struct cred *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref);
	c->user_ns = user_ns_of(ns_get(&init_user_ns.ns));
	c->cap_permitted = c->cap_effective = c->cap_bounding = CAP_ALL_MASK;
	return c;
}

struct cred *cred_boot(const struct boot_process *b)
{
	struct cred *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref);
	c->user_ns = user_ns_of(ns_get(&init_user_ns.ns));
	c->uid = c->euid = c->suid = c->fsuid = b->uid;
	c->gid = c->egid = c->sgid = c->fsgid = b->gid;
	c->cap_permitted = b->cap_permitted & CAP_ALL_MASK;
	c->cap_effective = b->cap_effective & c->cap_permitted;
	c->cap_inheritable = b->cap_inheritable & CAP_ALL_MASK;
	c->cap_bounding = b->cap_bounding & CAP_ALL_MASK;
	c->cap_ambient = b->cap_ambient & c->cap_permitted & c->cap_inheritable;
	c->no_new_privs = b->no_new_privs;
	if (cred_set_groups(c, b->groups, min(b->ngroups, (u32)BOOT_MAX_GROUPS))) {
		kfree(c);
		return NULL;
	}
	return c;
}
