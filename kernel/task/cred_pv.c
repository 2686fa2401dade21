// SPDX-License-Identifier: Apache-2.0
/*
 * Credentials at the hypervisor. Names are resolved there, so it must know who asks: each
 * distinct (fsuid, fsgid, effective capabilities, groups) has a number, registered when a task
 * first needs it. Equal credentials share one, so that a server which changes its
 * user in each of a thousand children does not use a thousand numbers; and one that nobody has at
 * the moment is kept for the next, up to a point.
 */
#include "cred.h"

#include "list.h"
#include "names.h"
#include "sync.h"
#include "task.h"
#include "user_ns.h"

/* The last number is kept for the fallback below. */
#define PV_NOBODY (PV_MAX_CREDS - 1)
#define MAX_IDLE 64u /* numbers without a user that are kept */

struct pv_id {
	struct list_head node;
	u32 users; /* creds with this number; under pv_lock */
	u32 id;
	struct cred *key; /* a private copy, never published */
};

static struct mutex pv_lock;
static struct list_head pv_ids = LIST_HEAD_INIT(pv_ids);
static u64 used[PV_MAX_CREDS / 64] = { 1 }; /* 0 is the container's all-powerful root */
static struct pv_id *by_id[PV_MAX_CREDS] BSS_LARGE;
static u32 n_idle;
static bool nobody_registered;

/* Capabilities of a user namespace of the guest's own are over its objects, and the files are not among these. */
static u64 caps_of(const struct cred *c)
{
	return c->user_ns == &init_user_ns ? c->cap_effective : 0;
}

static bool same_rights(const struct cred *a, const struct cred *b)
{
	return a->fsuid == b->fsuid && a->fsgid == b->fsgid &&
	       caps_of(a) == caps_of(b) && a->ngroups == b->ngroups &&
	       (!a->ngroups || !memcmp(a->groups, b->groups, a->ngroups * sizeof(*a->groups)));
}

static u32 id_take(void)
{
	for (u32 i = 1; i < PV_NOBODY; i++) {
		if (used[i / 64] & (1ULL << (i % 64)))
			continue;
		used[i / 64] |= 1ULL << (i % 64);
		return i;
	}
	return 0;
}

static void id_give_back(u32 id)
{
	used[id / 64] &= ~(1ULL << (id % 64));
}

static s64 pv_register(u32 id, const struct cred *c)
{
	struct pv_slot s;
	struct pv_cred *out;
	u32 n = min(c->ngroups, (u32)ARRAY_SIZE(out->groups));
	s64 ret;

	mc_pv_get(&s);
	out = (struct pv_cred *)s.buf;
	out->fsuid = c->fsuid;
	out->fsgid = c->fsgid;
	out->caps = caps_of(c);
	out->ngroups = n;
	if (n)
		memcpy(out->groups, c->groups, n * sizeof(*c->groups));
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_CRED_NEW;
	s.req.u.ctl.arg = id;
	s.req.u.ctl.len = sizeof(*out);
	s.req.u.ctl.pid = current->proc->pid;
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}

static void pv_unregister(u32 id)
{
	struct pv_slot s;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_CRED_FREE;
	s.req.u.ctl.arg = id;
	names_changing(false); /* the number will be another's, of whom nothing is known */
	mc_pv_call(&s);
	names_changed(false);
	mc_pv_put(&s);
}

/*
 * No number or no memory: 0 would be all-powerful, so such a task is nobody at the
 * hypervisor. It fails closed.
 */
static u32 nobody(void)
{
	struct cred c = { .user_ns = &init_user_ns, .fsuid = 65534, .fsgid = 65534 };

	if (!nobody_registered && pv_register(PV_NOBODY, &c) < 0)
		panic("the hypervisor refuses credentials");
	nobody_registered = true;
	return PV_NOBODY;
}

static struct pv_id *find(const struct cred *c)
{
	struct pv_id *p;

	list_for_each(p, &pv_ids, node)
		if (same_rights(p->key, c))
			return p;
	return NULL;
}

/* Forget the number that was idle for longest, if there are too many, or if numbers are short. */
static void forget_idle(bool short_of_numbers)
{
	struct pv_id *p;

	if (!n_idle || (n_idle <= MAX_IDLE && !short_of_numbers))
		return;
	list_for_each(p, &pv_ids, node) {
		if (p->users)
			continue;
		list_del(&p->node);
		by_id[p->id] = NULL;
		n_idle--;
		pv_unregister(p->id);
		id_give_back(p->id);
		cred_put(p->key);
		kfree(p);
		return;
	}
}

static struct cred *key_of(const struct cred *c)
{
	struct cred *key = cred_copy(c);

	if (!key)
		return NULL;
	key->cap_effective = caps_of(c);
	ns_put(&key->user_ns->ns); /* it may be kept for long, and must not keep the namespace */
	key->user_ns = user_ns_of(ns_get(&init_user_ns.ns));
	return key;
}

static struct pv_id *create(const struct cred *c)
{
	struct pv_id *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	forget_idle(false);
	p->key = key_of(c);
	p->id = p->key ? id_take() : 0;
	if (p->key && !p->id) {
		forget_idle(true);
		p->id = id_take();
	}
	if (p->id && pv_register(p->id, c) >= 0) {
		list_add_tail(&p->node, &pv_ids);
		by_id[p->id] = p;
		n_idle++;
		return p;
	}
	if (p->id)
		id_give_back(p->id);
	cred_put(p->key);
	kfree(p);
	return NULL;
}

u32 cred_pv_id(void)
{
	struct cred *c = current->cred;
	u32 id = __atomic_load_n(&c->pv_id, __ATOMIC_ACQUIRE);
	struct pv_id *p;

	if (likely(id))
		return id;
	guard(&pv_lock);
	if (c->pv_id) /* a thread that shares this cred was first */
		return c->pv_id;
	p = find(c);
	if (!p)
		p = create(c);
	if (!p)
		return nobody();
	if (!p->users++)
		n_idle--;
	__atomic_store_n(&c->pv_id, p->id, __ATOMIC_RELEASE);
	return p->id;
}

/* No PV call here: the last reference may go under any lock. */
void cred_pv_drop(struct cred *c)
{
	struct pv_id *p;

	if (!c->pv_id)
		return;
	guard(&pv_lock);
	p = by_id[c->pv_id];
	if (--p->users)
		return;
	n_idle++;
	/* To the end of the queue of those to be forgotten. */
	list_del(&p->node);
	list_add_tail(&p->node, &pv_ids);
}
