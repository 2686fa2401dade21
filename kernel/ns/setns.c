// SPDX-License-Identifier: Apache-2.0
/* unshare(2) and setns(2). Both check everything first, and then change the caller. */
#include <linux/sched.h>

#include "pid_ns.h"
#include "mm.h"
#include "syscall.h"
#include "time_ns.h"
#include "user_ns.h"
#include "vfs_impl.h"

#define ALONE (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define KNOWN (CLONE_NSPROXY | CLONE_NEWUSER | ALONE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)

/* What a call is about to install; NULL: stays as it is. */
struct change {
	struct fs_ctx *fs;
	struct cred *cred;
	struct nsproxy *nsproxy;
};

static void change_drop(struct change *c)
{
	nsproxy_put(c->nsproxy);
	cred_put(c->cred);
	if (c->fs)
		fs_ctx_put(c->fs);
}

static void install_fs(struct fs_ctx *fs)
{
	struct fs_ctx *old = current->fs;

	mutex_lock(&tasklist_lock);
	current->fs = fs;
	mutex_unlock(&tasklist_lock);
	fs_ctx_put(old);
}

static void change_install(struct change *c)
{
	if (c->fs)
		install_fs(c->fs);
	if (c->nsproxy)
		nsproxy_install(c->nsproxy);
	if (c->cred)
		cred_install(c->cred);
}

/* ---- unshare ---- */

/* What cannot be had without the other. */
static u64 implied(u64 flags)
{
	if (flags & CLONE_NEWUSER)
		flags |= CLONE_THREAD | CLONE_FS;
	if (flags & CLONE_NEWNS)
		flags |= CLONE_FS;
	return flags;
}

static int prepare(u64 flags, struct change *c)
{
	bool alone = ref_read(&current->fs->ref) == 1;
	struct nsproxy *p;

	if (flags & CLONE_FS && (!alone || flags & CLONE_NEWNS)) {
		c->fs = fs_ctx_copy(current->fs);
		if (!c->fs)
			return -ENOMEM;
	}
	if (flags & CLONE_NEWUSER) {
		struct cred *cred = user_ns_create(current->cred);

		if (IS_ERR(cred))
			return (int)PTR_ERR(cred);
		c->cred = cred;
	}
	if (!(flags & CLONE_NSPROXY))
		return 0;
	p = nsproxy_copy(flags, current->nsproxy, c->cred ? c->cred->user_ns : current_user_ns(), c->fs);
	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	c->nsproxy = p;
	return 0;
}

long sys_unshare(u64 uflags)
{
	u64 flags = implied(uflags);
	struct change c = { 0 };
	int err;

	if (flags & ~(u64)KNOWN)
		return -EINVAL;
	if ((flags & ALONE) && current->proc->nthreads > 1)
		return -EINVAL;
	err = prepare(flags, &c);
	if (!err && (flags & CLONE_FILES))
		err = fdtable_unshare();
	if (err)
		change_drop(&c);
	else
		change_install(&c);
	return err;
}

/* ---- setns ---- */

static int enter_user(struct user_ns *u, struct change *c)
{
	struct cred *cred;

	if (u == current_user_ns() || current->proc->nthreads > 1 || ref_read(&current->fs->ref) != 1)
		return -EINVAL;
	if (!ns_capable(u, CAP_SYS_ADMIN))
		return -EPERM;
	cred = user_ns_enter(current->cred, u);
	if (IS_ERR(cred))
		return (int)PTR_ERR(cred);
	c->cred = cred;
	return 0;
}

/* Only for children, and only downwards: numbers of an outer namespace would come into being from within. */
static int check_pid(const struct pid_ns *ns)
{
	const struct pid_ns *mine = task_pid_ns(current);

	while (ns->level > mine->level)
		ns = ns->parent;
	return ns == mine ? 0 : -EINVAL;
}

/* Its owner must have given the caller power over it, and the caller's own user namespace over the caller. */
static int check_enter(struct ns *ns, const struct change *c)
{
	const struct cred *cred = c->cred ? c->cred : current->cred;

	/* Its clocks are those of the whole space. */
	if (ns->kind == NS_TIME && (current->proc->nthreads > 1 || ref_read(&current->mm->ref) != 1))
		return -EUSERS;
	if (!cred_capable(cred, ns_owner(ns), CAP_SYS_ADMIN) ||
	    !cred_capable(cred, cred->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (ns->kind == NS_MNT && !cred_capable(cred, cred->user_ns, CAP_SYS_CHROOT))
		return -EPERM;
	if (ns->kind == NS_MNT && ref_read(&current->fs->ref) != 1)
		return -EINVAL;
	return ns->kind == NS_PID ? check_pid(pid_ns_of(ns)) : 0;
}

static int enter(struct ns *ns, struct change *c)
{
	int err;

	if (ns->kind == NS_USER)
		return enter_user(user_ns_of(ns), c);
	err = check_enter(ns, c);
	if (err)
		return err;
	if (!c->nsproxy) {
		c->nsproxy = nsproxy_dup(current->nsproxy);
		if (!c->nsproxy)
			return -ENOMEM;
	}
	ns_get(ns);
	ns_put(c->nsproxy->of[ns->kind]);
	c->nsproxy->of[ns->kind] = ns;
	if (ns->kind == NS_TIME) {
		ns_put(c->nsproxy->time);
		c->nsproxy->time = ns_get(ns);
		time_ns_freeze(ns);
	}
	return 0;
}

/* All of a process that flags name, with references; NULL where not. -ESRCH, -EPERM. */
static int namespaces_of(struct process *p, u64 flags, struct ns **found)
{
	struct task *t;

	guard(&tasklist_lock);
	t = p->leader;
	if (!t || !t->nsproxy || !t->cred)
		return -ESRCH;
	if (!ptrace_may_access(t, PTRACE_ACCESS_FS))
		return -EPERM;
	for (int i = 0; i < NS_KINDS; i++) {
		struct ns *ns = i == NS_USER ? &t->cred->user_ns->ns : t->nsproxy->of[i];

		if (i == NS_PID)
			ns = &task_pid_ns(t)->ns;
		if (i == NS_TIME)
			ns = t->nsproxy->time;
		if (flags & ns_flag(i))
			found[i] = ns_get(ns);
	}
	return 0;
}

static int enter_all(struct ns **found, struct change *c)
{
	int err = found[NS_USER] ? enter(found[NS_USER], c) : 0;

	for (int i = 0; !err && i < NS_KINDS; i++)
		if (found[i] && i != NS_USER)
			err = enter(found[i], c);
	return err;
}

static int by_pidfd(struct process *p, u64 flags, struct change *c)
{
	struct ns *found[NS_KINDS] = { 0 };
	int err;

	if (!flags || flags & ~(u64)(CLONE_NSPROXY | CLONE_NEWUSER))
		return -EINVAL;
	err = namespaces_of(p, flags, found);
	if (!err)
		err = enter_all(found, c);
	for (int i = 0; i < NS_KINDS; i++)
		ns_put(found[i]);
	return err;
}

static int by_file(int fd, u64 flags, struct change *c)
{
	struct file *f __file = fd_get(fd);
	struct ns *ns = f ? ns_of_file(f) : NULL;

	if (!f)
		return -EBADF;
	if (f->mode & FMODE_PATH)
		return -EBADF;
	if (!ns || (flags && flags != ns_flag(ns->kind)))
		return -EINVAL;
	return enter(ns, c);
}

long sys_setns(u64 fd, u64 uflags)
{
	struct process *p = pidfd_process((int)fd);
	struct ns *mnt = current->nsproxy->of[NS_MNT];
	struct change c = { 0 };
	int err;

	if (IS_ERR(p)) {
		err = by_file((int)fd, (u32)uflags, &c);
	} else {
		err = by_pidfd(p, (u32)uflags, &c);
		process_put(p);
	}
	if (!err && c.nsproxy && c.nsproxy->of[NS_MNT] != mnt)
		err = mnt_ns_enter(c.nsproxy->of[NS_MNT]);
	if (!err && c.nsproxy && c.nsproxy->time != current->nsproxy->time)
		err = mc_clock_calls();
	if (err)
		change_drop(&c);
	else
		change_install(&c);
	return err;
}
