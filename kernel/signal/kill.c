// SPDX-License-Identifier: Apache-2.0
/* kill(2) and its relatives: who may signal whom, and whom a pid argument means. */
#include "syscall.h"

#include "cred.h"
#include "pid_ns.h"
#include "sig.h"
#include "user_ns.h"

void siginfo_user(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = current->proc->vpid;
	info->si_uid = current->cred->uid; /* send() makes it the receiver's */
}

static bool same_user(const struct cred *me, const struct cred *target)
{
	return me->euid == target->suid || me->euid == target->uid || me->uid == target->suid ||
	       me->uid == target->uid;
}

int may_signal(struct process *p, int sig)
{
	struct process *me = current->proc;
	struct task *t = live_thread(p);

	if (p == me || !t) /* a zombie takes anything, to no effect */
		return 0;
	if (same_user(current->cred, t->cred) || ns_capable(t->cred->user_ns, CAP_KILL))
		return 0;
	return sig == SIGCONT && p->session == me->session ? 0 : -EPERM;
}

/* tasklist_lock held. */
static int signal_process(struct process *p, int sig, const siginfo_t *info)
{
	int err;

	if (sig && !valid_signal(sig))
		return -EINVAL;
	err = may_signal(p, sig);
	if (err || !sig)
		return err;
	return send_signal_process_locked(p, sig, info);
}

/* A pid, or the number of any thread of the process, as in Linux. */
static struct process *process_of(int pid)
{
	struct process *p = find_vprocess(pid);
	struct task *t;

	if (p)
		return p;
	t = find_vtask(pid);
	return t ? t->proc : NULL;
}

static int kill_one(int pid, int sig, const siginfo_t *info)
{
	struct process *p;

	defer_wakes();
	guard(&tasklist_lock);
	p = process_of(pid);
	return p ? signal_process(p, sig, info) : -ESRCH;
}

struct broadcast {
	int sig;
	const siginfo_t *info;
	int count, err;
};

static int broadcast_one(struct process *p, void *arg)
{
	struct broadcast *b = arg;
	int err;

	if (process_nr(p, task_pid_ns(current)) <= 1 || p == current->proc)
		return 0;
	err = signal_process(p, b->sig, b->info);
	b->count++;
	if (err != -EPERM)
		b->err = err;
	return 0;
}

static int kill_all(int sig, const siginfo_t *info)
{
	struct broadcast b = { .sig = sig, .info = info };

	defer_wakes();
	guard(&tasklist_lock);
	for_each_process(broadcast_one, &b);
	return b.count ? b.err : -ESRCH;
}

/* Success if one could be signalled. */
static int kill_group(int id, int sig, const siginfo_t *info)
{
	struct process *p;
	struct pgrp *g;
	int ret = -ESRCH;

	defer_wakes();
	guard(&tasklist_lock);
	g = id ? find_vpgrp(id) : current->proc->pgrp;
	if (!g)
		return -ESRCH;
	list_for_each(p, &g->members, pgrp_node) {
		int err = signal_process(p, sig, info);

		if (!err || ret)
			ret = err;
	}
	return ret;
}

long sys_kill(u64 pid_arg, u64 sig_arg)
{
	int pid = (int)pid_arg, sig = (int)sig_arg;
	siginfo_t info;

	siginfo_user(&info, sig, SI_USER);
	if (pid > 0)
		return kill_one(pid, sig, &info);
	if (pid == -1)
		return kill_all(sig, &info);
	if (pid == (int)0x80000000) /* has no positive counterpart */
		return -ESRCH;
	return kill_group(-pid, sig, &info);
}

/* tgid 0: any process. */
static int kill_thread(int tgid, int tid, int sig, const siginfo_t *info)
{
	struct task *t;
	int err;

	defer_wakes();
	guard(&tasklist_lock);
	t = find_vtask(tid);
	if (!t || (tgid && process_nr(t->proc, task_pid_ns(current)) != tgid))
		return -ESRCH;
	if (sig && !valid_signal(sig))
		return -EINVAL;
	err = may_signal(t->proc, sig);
	if (err || !sig)
		return err;
	return send_signal_task_locked(t, sig, info);
}

long sys_tgkill(u64 tgid, u64 tid, u64 sig)
{
	siginfo_t info;

	if ((int)tgid <= 0 || (int)tid <= 0)
		return -EINVAL;
	siginfo_user(&info, (int)sig, SI_TKILL);
	return kill_thread((int)tgid, (int)tid, (int)sig, &info);
}

long sys_tkill(u64 tid, u64 sig)
{
	siginfo_t info;

	if ((int)tid <= 0)
		return -EINVAL;
	siginfo_user(&info, (int)sig, SI_TKILL);
	return kill_thread(0, (int)tid, (int)sig, &info);
}

/* ---- with information of the sender's ---- */

/* Nobody may pretend to another that the kernel, kill or tkill sent it. */
static int get_info(uaddr_t from, int sig, bool self, siginfo_t *info)
{
	if (mc_copy_from_user(info, from, sizeof(*info)))
		return -EFAULT;
	if (!self && (info->si_code >= 0 || info->si_code == SI_TKILL))
		return -EPERM;
	info->si_signo = sig;
	return 0;
}

long sys_rt_sigqueueinfo(u64 pid, u64 sig, u64 from)
{
	siginfo_t info;
	int err = get_info(from, (int)sig, current->proc->vpid == (int)pid, &info);

	if (err)
		return err;
	return (int)pid > 0 ? kill_one((int)pid, (int)sig, &info) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(u64 tgid, u64 tid, u64 sig, u64 from)
{
	siginfo_t info;
	int err;

	if ((int)tgid <= 0 || (int)tid <= 0)
		return -EINVAL;
	err = get_info(from, (int)sig, current->vtid == (int)tid, &info);
	return err ? err : kill_thread((int)tgid, (int)tid, (int)sig, &info);
}
