// SPDX-License-Identifier: Apache-2.0
/* Which namespaces a task is in, and how long these live. */
#include <linux/sched.h>

#include "cgroup.h"
#include "net_ns.h"
#include "ipc_ns.h"
#include "mnt_ns.h"
#include "pid_ns.h"
#include "time_ns.h"
#include "user_ns.h"
#include "uts.h"

struct ns init_cgroup_ns = NS_INIT(NS_CGROUP, 4026531835u);

struct nsproxy init_nsproxy = {
	.ref = { 1 },
	.of = {
		[NS_CGROUP] = &init_cgroup_ns,
		[NS_IPC] = &init_ipc_ns.ns,
		[NS_MNT] = &boot_ns.ns,
		[NS_NET] = &init_net_ns.ns,
		[NS_PID] = &init_pid_ns.ns,
		[NS_TIME] = &init_time_ns.ns,
		[NS_UTS] = &init_uts_ns.ns,
	},
	.time = &init_time_ns.ns,
};

static const struct {
	const char *name;
	u64 flag;
} kinds[NS_KINDS] = {
	[NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP }, [NS_IPC] = { "ipc", CLONE_NEWIPC },
	[NS_MNT] = { "mnt", CLONE_NEWNS },	     [NS_NET] = { "net", CLONE_NEWNET },
	[NS_PID] = { "pid", CLONE_NEWPID },	     [NS_TIME] = { "time", CLONE_NEWTIME },
	[NS_USER] = { "user", CLONE_NEWUSER },	     [NS_UTS] = { "uts", CLONE_NEWUTS },
};

const char *ns_name(enum ns_kind kind)
{
	return kinds[kind].name;
}

u64 ns_flag(enum ns_kind kind)
{
	return kinds[kind].flag;
}

/* ---- one namespace ---- */

#define LIMIT 31000 /* half of /proc/sys/kernel/threads-max, as in Linux; here for all users together */

s64 ns_limits[NS_KINDS] = { LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT };
static s64 counts[NS_KINDS];

int ns_may_make(enum ns_kind kind)
{
	return __atomic_load_n(&counts[kind], __ATOMIC_RELAXED) < READ_ONCE(ns_limits[kind]) ? 0 : -ENOSPC;
}

void ns_init(struct ns *ns, enum ns_kind kind, struct user_ns *user)
{
	static u32 last = NS_FIRST_INUM;

	ref_init(&ns->ref);
	ns->kind = kind;
	ns->inum = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	ns->user = user;
	ns_get(&user->ns);
	__atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

struct ns *ns_get(struct ns *ns)
{
	ref_get(&ns->ref);
	return ns;
}

void ns_put(struct ns *ns)
{
	static void (*const frees[NS_KINDS])(struct ns *) = {
		[NS_CGROUP] = cgroup_ns_free, [NS_IPC] = ipc_ns_free, [NS_MNT] = mnt_ns_free,
		[NS_NET] = net_ns_free,       [NS_PID] = pid_ns_free, [NS_TIME] = time_ns_free,
		[NS_USER] = user_ns_free,     [NS_UTS] = uts_ns_free,
	};

	/* A loop: each owner may have its own, and the depth of a stack is not the user's to choose. */
	while (ns && ref_put(&ns->ref)) {
		struct user_ns *user = ns->user;

		__atomic_fetch_sub(&counts[ns->kind], 1, __ATOMIC_RELAXED);
		frees[ns->kind](ns);
		ns = user ? &user->ns : NULL;
	}
}

struct ns *current_ns(enum ns_kind kind)
{
	const struct nsproxy *p = current->nsproxy;

	return (p ? p : &init_nsproxy)->of[kind];
}

/* ---- all of a task ---- */

struct nsproxy *nsproxy_get(struct nsproxy *p)
{
	ref_get(&p->ref);
	return p;
}

void nsproxy_put(struct nsproxy *p)
{
	if (!p || !ref_put(&p->ref))
		return;
	for (int i = 0; i < NS_KINDS; i++)
		ns_put(p->of[i]);
	ns_put(p->time);
	kfree(p);
}

static struct ns *copy_one(enum ns_kind kind, struct ns *old, struct user_ns *user, struct fs_ctx *fs)
{
	switch (kind) {
	case NS_CGROUP:
		return cgroup_ns_new(user);
	case NS_IPC:
		return ipc_ns_new(user);
	case NS_MNT:
		return mnt_ns_copy(old, user, fs);
	case NS_NET:
		return net_ns_new(user);
	case NS_PID:
		return pid_ns_new(old, user);
	case NS_TIME:
		return time_ns_copy(old, user);
	case NS_UTS:
		return uts_ns_copy(old, user);
	default:
		return ERR_PTR(-EINVAL);
	}
}

static struct ns *make_one(enum ns_kind kind, struct ns *old, struct user_ns *user, struct fs_ctx *fs)
{
	int err = ns_may_make(kind);

	return err ? ERR_PTR(err) : copy_one(kind, old, user, fs);
}

struct nsproxy *nsproxy_copy(u64 flags, struct nsproxy *old, struct user_ns *user, struct fs_ctx *fs)
{
	struct nsproxy *p;

	if (!(flags & CLONE_NSPROXY))
		return nsproxy_get(old);
	if (!ns_capable(user, CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	p = kzalloc(sizeof(*p));
	if (!p)
		return ERR_PTR(-ENOMEM);
	ref_init(&p->ref);
	for (int i = 0; i < NS_KINDS; i++) {
		struct ns *ns = old->of[i];

		if (!ns)
			continue;
		ns = flags & CLONE_NSPROXY & kinds[i].flag ? make_one(i, ns, user, fs) : ns_get(ns);
		if (IS_ERR(ns)) {
			nsproxy_put(p);
			return (void *)ns;
		}
		p->of[i] = ns;
	}
	p->time = ns_get(old->time);
	return p;
}

struct nsproxy *nsproxy_dup(const struct nsproxy *old)
{
	struct nsproxy *p = kmalloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = *old;
	ref_init(&p->ref);
	for (int i = 0; i < NS_KINDS; i++)
		if (p->of[i])
			ns_get(p->of[i]);
	ns_get(p->time);
	return p;
}

struct nsproxy *nsproxy_enter_time(struct nsproxy *old)
{
	struct nsproxy *p = nsproxy_dup(old);

	nsproxy_put(old);
	if (!p)
		return ERR_PTR(-ENOMEM);
	ns_put(p->time);
	p->time = ns_get(p->of[NS_TIME]);
	time_ns_freeze(p->time);
	return p;
}

void nsproxy_install(struct nsproxy *p)
{
	struct task *t = current;
	struct nsproxy *old = t->nsproxy;

	mutex_lock(&tasklist_lock);
	t->nsproxy = p;
	mutex_unlock(&tasklist_lock);
	nsproxy_put(old);
}
