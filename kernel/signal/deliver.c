// SPDX-License-Identifier: Apache-2.0
/*
 * On the way to user mode: what is pending happens here. A thread dies, stops, or finds itself in a
 * signal handler; and a system call that a signal cut short ends in EINTR or is made again.
 */
#include <asm/unistd.h>

#include "cgroup.h"
#include "core.h"
#include "mm.h"
#include "sig.h"
#include "trace_hook.h"

static bool restartable(const struct pt_regs *regs)
{
	long err = -(long)regs->rax;

	return (s64)regs->orig_rax >= 0 && (err == ERESTARTSYS || err == ERESTARTNOINTR ||
					    err == ERESTARTNOHAND || err == ERESTART_RESTARTBLOCK);
}

/*
 * The instruction before rip makes the call again (machine.h: also where the call site is patched).
 */
static void call_again(struct pt_regs *regs, u64 nr)
{
	regs->rax = nr;
	regs->rip -= 2;
	regs->orig_rax = ~0ULL;
	mc_regs_changed();
}

static void restart_without_handler(struct pt_regs *regs)
{
	if (!restartable(regs))
		return;
	call_again(regs, regs->rax == (u64)-ERESTART_RESTARTBLOCK ? __NR_restart_syscall :
								    regs->orig_rax);
}

static void restart_with_handler(struct pt_regs *regs, u64 sa_flags)
{
	long err = -(long)regs->rax;

	if (!restartable(regs))
		return;
	if (err == ERESTARTNOINTR || (err == ERESTARTSYS && (sa_flags & SA_RESTART)))
		call_again(regs, regs->orig_rax);
	else
		regs->rax = (u64)-EINTR;
	regs->orig_rax = ~0ULL;
}

static void run_handler(struct task *t, const struct ksigaction *ka, int sig,
			const siginfo_t *info, struct pt_regs *regs)
{
	sigmask_t blocked;

	restart_with_handler(regs, ka->flags);
	if (setup_frame(t, ka, sig, info, regs)) {
		/* A handler of SIGSEGV that cannot run would be called for ever. */
		if (sig == SIGSEGV)
			t->sighand->action[SIGSEGV - 1].handler = HANDLER_DFL;
		force_signal(SIGSEGV, NULL);
		return;
	}
	ptrace_handler_entered();
	t->ncalls++;
	work_clear(t, WORK_SIGMASK);
	blocked = t->blocked | ka->mask;
	if (!(ka->flags & SA_NODEFER))
		blocked |= SIGBIT(sig);
	set_blocked(blocked);
}

static void die_of(struct task *t, int sig, const siginfo_t *info, const struct pt_regs *regs)
{
	printk(LOG_DEBUG, "%s[%d]: killed by signal %d at %lx, fault address %lx\n", t->comm,
	       t->proc->pid, sig, (unsigned long)regs->rip, (unsigned long)t->trap_addr);
	do_group_exit(core_dump(sig, info));
}

static void default_action(struct task *t, int sig, const siginfo_t *info, const struct pt_regs *regs)
{
	if (default_ignored(sig) || (unkillable(t->proc) && !sig_in(sig, UNBLOCKABLE)))
		return;
	if (sig_in(sig, STOP_MASK))
		group_stop(t, sig);
	else
		die_of(t, sig, info, regs);
}

/* One pending signal and what to do on it; 0 when none is left, or the tracer keeps it. */
static int take_signal(struct task *t, struct ksigaction *ka, siginfo_t *info)
{
	struct ksigaction *a;
	int sig;

	mutex_lock(&t->sighand->lock);
	sig = dequeue_locked(t, ~t->blocked, info);
	mutex_unlock(&t->sighand->lock);
	recalc_signal_work(t);
	if (sig && unlikely(t->ptrace.tracer))
		sig = ptrace_signal(sig, info);
	if (!sig)
		return 0;
	guard(&t->sighand->lock);
	a = &t->sighand->action[sig - 1];
	*ka = *a;
	if (a->handler > HANDLER_IGN && (a->flags & SA_RESETHAND))
		a->handler = HANDLER_DFL;
	return sig;
}

static void deliver_one(struct pt_regs *regs)
{
	struct task *t = current;
	struct ksigaction ka;
	siginfo_t info;
	int sig;

	sig = take_signal(t, &ka, &info);
	if (!sig || ka.handler == HANDLER_IGN)
		return;
	if (unlikely(tracing()))
		trace_signal(t, sig, info.si_code, info.si_pid);
	if (ka.handler == HANDLER_DFL)
		default_action(t, sig, &info, regs);
	else
		run_handler(t, &ka, sig, &info, regs);
}

void kernel_user_work(struct pt_regs *regs)
{
	struct task *t = current;
	u32 work;

	t->ncalls++;
	ptrace_work_begin(regs);
	while ((work = READ_ONCE(t->mc.work) & WORK_KERNEL) != 0) {
		if (work & WORK_EXIT)
			do_exit(t->proc->exit_code);
		work_clear(t, WORK_NOTIFY);
		if (unlikely(work & WORK_FREEZE)) {
			cgroup_freeze_wait();
		} else if (work & WORK_STOP) {
			stop_wait(t);
		} else if (work & WORK_PTRACE) {
			ptrace_trap();
		} else if (work & WORK_SIGNAL) {
			deliver_one(regs);
		} else if (work & WORK_SIGMASK) {
			work_clear(t, WORK_SIGMASK);
			set_blocked(t->saved_sigmask);
		}
	}
	restart_without_handler(regs);
	ptrace_work_end(regs);
}

void kernel_user_fault(struct pt_regs *regs, int sig, int code, uaddr_t addr, u32 trapno, u64 err)
{
	struct task *t = current;
	siginfo_t info;

	t->trap_nr = trapno;
	t->trap_err = err;
	t->trap_addr = addr;
	memset(&info, 0, sizeof(info));
	info.si_code = code;
	info.si_addr = (void *)addr;
	regs->orig_rax = ~0ULL;
	if (sig == SIGTRAP && ptrace_step_trap(regs, code))
		return;
	if (sig == SIGSEGV && code == SEGV_MAPERR && t->mm && mm_grow_down(t->mm, addr))
		return;
	force_signal(sig, &info);
}
