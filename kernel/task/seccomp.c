// SPDX-License-Identifier: Apache-2.0
/* seccomp(2): filters, who has them, and how they are attached. What they do is in seccomp_check.c. */
#include "seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "cred.h"
#include "syscall.h"
#include "task.h"
#include "user_ns.h"

/* About as in Linux, which counts translated instructions: what all filters of a task may have together; each costs four more. */
#define MAX_TOTAL 32768u
#define FILTER_COST 4u

#define FILTER_FLAGS                                                                               \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |    \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

static struct mutex boot_lock;
static struct seccomp *boot_filter; /* linux.seccomp, once the first program needs it */

static struct seccomp *get(struct seccomp *s)
{
	if (s)
		ref_get(&s->ref);
	return s;
}

void seccomp_put(struct seccomp *s)
{
	while (s && ref_put(&s->ref)) {
		struct seccomp *prev = s->prev;

		kfree(s->insns);
		kfree(s);
		s = prev;
	}
}

void seccomp_fork(struct task *child, struct task *parent)
{
	child->seccomp = get(parent->seccomp);
}

/* ---- making one ---- */

static void note_allowed(struct seccomp *s)
{
	for (u32 nr = 0; nr < COUNTED_CALLS; nr++) {
		if (s->prev && !seccomp_always_allows(s->prev, nr))
			continue;
		if (bpf_always_allows(s->insns, nr, AUDIT_ARCH_X86_64))
			s->allow[nr / 64] |= 1ULL << (nr % 64);
	}
}

/* Takes over insns. ERR_PTR: -EINVAL, -ENOMEM. */
static struct seccomp *filter_new(struct sock_filter *insns, u32 len, u64 flags)
{
	struct seccomp *s = kzalloc(sizeof(*s));
	int err = s ? bpf_check(insns, len) : -ENOMEM;

	if (err) {
		kfree(insns);
		kfree(s);
		return ERR_PTR(err);
	}
	ref_init(&s->ref);
	s->mode = SECCOMP_MODE_FILTER;
	s->log = flags & SECCOMP_FILTER_FLAG_LOG;
	s->insns = insns;
	s->len = (u16)len;
	s->depth = 1;
	s->total = len;
	return s;
}

static struct seccomp *filter_from_user(uaddr_t uprog, u64 flags)
{
	struct sock_fprog prog;
	struct sock_filter *insns;
	size_t size;

	if (mc_copy_from_user(&prog, uprog, sizeof(prog)))
		return ERR_PTR(-EFAULT);
	if (!prog.len || prog.len > BPF_MAX_INSNS)
		return ERR_PTR(-EINVAL);
	if (!no_new_privs() && !capable_here(CAP_SYS_ADMIN))
		return ERR_PTR(-EACCES);
	size = prog.len * sizeof(*insns);
	insns = kmalloc(size);
	if (!insns)
		return ERR_PTR(-ENOMEM);
	if (mc_copy_from_user(insns, (uaddr_t)prog.filter, size)) {
		kfree(insns);
		return ERR_PTR(-EFAULT);
	}
	return filter_new(insns, prog.len, flags);
}

/* ---- attaching ---- */

static bool is_ancestor(const struct seccomp *of, const struct seccomp *s)
{
	while (s && s != of)
		s = s->prev;
	return s != NULL;
}

/* The first thread which has a filter that current lacks: such a one can't be brought into line. tasklist_lock held. */
static struct task *sync_obstacle(struct task *me)
{
	struct task *t;

	list_for_each(t, &me->proc->threads, thread_node)
		if (t != me && t->seccomp && !is_ancestor(t->seccomp, me->seccomp))
			return t;
	return NULL;
}

/*
 * tasklist_lock held. Another thread may be running its old filter at this moment: that one stays, as it
 * is one of those before the new one.
 */
static void set_filter(struct task *t, struct seccomp *s)
{
	struct seccomp *old = t->seccomp;

	__atomic_store_n(&t->seccomp, get(s), __ATOMIC_RELEASE);
	seccomp_put(old);
}

static int join_chain(struct task *me, struct seccomp *s)
{
	struct seccomp *prev = me->seccomp;

	if (prev && prev->mode != SECCOMP_MODE_FILTER)
		return -EINVAL;
	if (prev) {
		s->depth = prev->depth + 1;
		s->total = s->len + prev->total + FILTER_COST;
		s->no_new_privs = prev->no_new_privs;
	}
	if (s->total > MAX_TOTAL)
		return -ENOMEM;
	s->no_new_privs |= me->cred->no_new_privs;
	s->prev = get(prev);
	note_allowed(s);
	return 0;
}

static long attach(struct seccomp *s, u64 flags)
{
	struct task *me = current, *t;
	int err;

	guard(&tasklist_lock);
	t = flags & SECCOMP_FILTER_FLAG_TSYNC ? sync_obstacle(me) : NULL;
	if (t)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : t->vtid;
	err = join_chain(me, s);
	if (err)
		return err;
	set_filter(me, s);
	if (!(flags & SECCOMP_FILTER_FLAG_TSYNC))
		return 0;
	list_for_each(t, &me->proc->threads, thread_node)
		if (t != me)
			set_filter(t, s);
	return 0;
}

/* A listener (SECCOMP_FILTER_FLAG_NEW_LISTENER) is refused, as by kernels before 5.0. */
static long set_mode_filter(u64 flags, uaddr_t uprog)
{
	struct seccomp *s;
	long ret;

	if (flags & ~(u64)FILTER_FLAGS)
		return -EINVAL;
	s = filter_from_user(uprog, flags);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = attach(s, flags);
	seccomp_put(s);
	return ret;
}

/* Strict mode is a filter that allows four calls; seccomp_check() knows what happens on any other. */
static long set_mode_strict(void)
{
	static const u16 allowed[] = { __NR_read, __NR_write, __NR_exit, __NR_rt_sigreturn };
	struct task *me = current;
	struct seccomp *s;

	if (me->seccomp)
		return me->seccomp->mode == SECCOMP_MODE_STRICT ? 0 : -EINVAL;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	ref_init(&s->ref);
	s->mode = SECCOMP_MODE_STRICT;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		s->allow[allowed[i] / 64] |= 1ULL << (allowed[i] % 64);
	mutex_lock(&tasklist_lock);
	set_filter(me, s);
	mutex_unlock(&tasklist_lock);
	seccomp_put(s);
	return 0;
}

static long action_avail(u64 flags, uaddr_t uaction)
{
	u32 action;

	if (flags)
		return -EINVAL;
	if (mc_copy_from_user(&action, uaction, sizeof(action)))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

long sys_seccomp(u64 op, u64 flags, u64 args)
{
	switch ((u32)op) {
	case SECCOMP_SET_MODE_STRICT:
		return (u32)flags || args ? -EINVAL : set_mode_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_mode_filter((u32)flags, args);
	case SECCOMP_GET_ACTION_AVAIL:
		return action_avail((u32)flags, args);
	}
	return -EINVAL;
}

long seccomp_prctl(u64 mode, uaddr_t prog)
{
	if (mode == SECCOMP_MODE_STRICT)
		return set_mode_strict();
	return mode == SECCOMP_MODE_FILTER ? set_mode_filter(0, prog) : -EINVAL;
}

long seccomp_mode(void)
{
	return current->seccomp ? current->seccomp->mode : SECCOMP_MODE_DISABLED;
}

void seccomp_show(struct task *t, int *mode, u32 *filters)
{
	*mode = t->seccomp ? t->seccomp->mode : SECCOMP_MODE_DISABLED;
	*filters = t->seccomp ? t->seccomp->depth : 0;
}

bool no_new_privs(void)
{
	struct seccomp *s = __atomic_load_n(&current->seccomp, __ATOMIC_ACQUIRE);

	return current->cred->no_new_privs || (s && s->no_new_privs);
}

/* ---- the configuration's ---- */

static struct seccomp *boot_filter_get(void)
{
	const struct boot_info *b = mc_boot_info();
	size_t size = b->seccomp_len * sizeof(struct sock_filter);
	struct sock_filter *insns;
	struct seccomp *s;

	guard(&boot_lock);
	if (boot_filter)
		return get(boot_filter);
	insns = kmalloc(size);
	if (!insns)
		return ERR_PTR(-ENOMEM);
	memcpy(insns, (const char *)b + b->seccomp, size);
	s = filter_new(insns, b->seccomp_len, b->seccomp_flags);
	if (IS_ERR(s))
		return s;
	note_allowed(s);
	boot_filter = s;
	return get(s);
}

/* What execve(2) would be told. The kernel executes the program itself, where runc makes that call. */
static int allows_exec(const struct seccomp *s)
{
	struct seccomp_data data = { .nr = __NR_execve, .arch = AUDIT_ARCH_X86_64 };
	u32 result = bpf_run(s->insns, &data);

	switch (result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return 0;
	case SECCOMP_RET_ERRNO:
		return -(int)min(result & SECCOMP_RET_DATA, 4095u);
	}
	return -EPERM;
}

int seccomp_boot(void)
{
	const struct boot_info *b = mc_boot_info();
	struct seccomp *s = b->seccomp ? boot_filter_get() : NULL;

	if (!s || IS_ERR(s))
		return (int)PTR_ERR(s);
	current->seccomp = s;
	return allows_exec(s);
}
