// SPDX-License-Identifier: Apache-2.0
/* prctl(2): per-thread and per-process settings. The capability ones are in prctl_caps.c. */
#include "syscall.h"

#include <linux/prctl.h>

#include "cred.h"
#include "mm.h"
#include "prctl.h"
#include "seccomp.h"
#include "task.h"

#define DEFAULT_SLACK 50000 /* ns, Linux' default timer slack */

static long set_name(uaddr_t from)
{
	struct task *t = current;
	char name[sizeof(t->comm)] = { 0 };
	s64 n = mc_strncpy_from_user(name, from, sizeof(name));

	if (n == -EFAULT)
		return n;
	name[sizeof(name) - 1] = '\0';
	memcpy(t->comm, name, sizeof(t->comm));
	return 0;
}

static long put_int(uaddr_t to, int value)
{
	return mc_copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}

static long set_pdeathsig(u64 sig)
{
	if (sig > NSIG_MAX)
		return -EINVAL;
	current->pdeathsig = (int)sig;
	return 0;
}

static long set_dumpable(u64 value)
{
	if (value > 1)
		return -EINVAL;
	current->proc->dumpable = value;
	return 0;
}

static long set_no_new_privs(u64 a, u64 b, u64 c, u64 d)
{
	struct cred *cred;

	if (a != 1 || b || c || d)
		return -EINVAL;
	if (current->cred->no_new_privs)
		return 0;
	cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	cred->no_new_privs = true;
	cred_install(cred);
	return 0;
}

static long set_slack(u64 ns)
{
	current->timer_slack = ns ? ns : DEFAULT_SLACK;
	return 0;
}

static long get_tid_address(uaddr_t to)
{
	u64 addr = current->clear_child_tid;

	return mc_copy_to_user(to, &addr, sizeof(addr)) ? -EFAULT : 0;
}

/* PR_SET_VMA_ANON_NAME is a label for debuggers: checked and not kept, as by a kernel without it compiled in. */
static long set_vma(u64 what, uaddr_t addr, u64 len)
{
	if (what != PR_SET_VMA_ANON_NAME || (addr & ~PAGE_MASK))
		return -EINVAL;
	return user_range_ok(addr, len) ? 0 : -ENOMEM;
}

static long thread_op(int op, u64 arg)
{
	struct task *t = current;

	switch (op) {
	case PR_SET_NAME:
		return set_name(arg);
	case PR_GET_NAME:
		return mc_copy_to_user(arg, t->comm, sizeof(t->comm)) ? -EFAULT : 0;
	case PR_SET_PDEATHSIG:
		return set_pdeathsig(arg);
	case PR_GET_PDEATHSIG:
		return put_int(arg, t->pdeathsig);
	case PR_SET_TIMERSLACK:
		return set_slack(arg);
	case PR_GET_TIMERSLACK:
		return t->timer_slack ? (long)t->timer_slack : DEFAULT_SLACK;
	case PR_GET_TID_ADDRESS:
		return get_tid_address(arg);
	}
	return -EINVAL;
}

static long process_op(int op, u64 arg)
{
	struct process *p = current->proc;

	switch (op) {
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		return set_dumpable(arg);
	case PR_SET_CHILD_SUBREAPER:
		p->child_subreaper = !!arg;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(arg, p->child_subreaper);
	case PR_SET_THP_DISABLE:
		p->thp_disable = !!arg;
		return 0;
	case PR_GET_THP_DISABLE:
		return p->thp_disable;
	case PR_GET_TSC:
		return put_int(arg, PR_TSC_ENABLE);
	case PR_SET_TSC:
		return arg == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return arg == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_SET_PTRACER:
		return yama_set_ptracer(arg);
	case PR_MCE_KILL:
	case PR_MCE_KILL_GET:
		return -EINVAL;
	case PR_SET_MM: /* needs CAP_SYS_RESOURCE, and a reason: only checkpoint tools have one */
		return -EPERM;
	}
	return -EINVAL;
}

long sys_prctl(u64 op_arg, u64 a, u64 b, u64 c, u64 d)
{
	int op = (int)op_arg;

	switch (op) {
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
	case PR_GET_TID_ADDRESS:
		return thread_op(op, a);
	case PR_SET_SECCOMP:
		return seccomp_prctl(a, b);
	case PR_GET_SECCOMP:
		return seccomp_mode();
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(a, b, c, d);
	case PR_GET_NO_NEW_PRIVS:
		return a || b || c || d ? -EINVAL : no_new_privs();
	case PR_SET_VMA:
		return set_vma(a, b, c);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
		return prctl_caps(op, a, b, c, d);
	}
	return process_op(op, a);
}
