// SPDX-License-Identifier: Apache-2.0
/*
 * Stops. The tracee keeps its CPU state where the tracer can get at it, sets its state to TASK_TRACED,
 * tells the tracer and parks until that sets it to TASK_RUNNING again, or until it is killed.
 *
 * While a process is traced its text is as its file has it (mc_code_original): the tracee sees to
 * that itself at each stop, as only it can reach its space.
 */
#include "impl.h"

#include "cred.h"
#include "pid_ns.h"
#include "user_ns.h"

struct stop {
	int code, why;
	u64 message;
	siginfo_t *info;
	u8 op;
};

/* ---- the CPU's state ---- */

static void save_cpu(struct ptrace *pt)
{
	pt->fsbase = mc_get_fsbase();
	mc_fpu_get(pt->fpu);
	pt->fpu_changed = false;
	mc_code_original(true);
}

static void forget_code(struct task *t)
{
	bool any;

	mutex_lock(&tasklist_lock);
	any = process_traced(t->proc);
	mutex_unlock(&tasklist_lock);
	if (!any)
		mc_code_original(false);
}

/* mc_regs_changed() is work: a call that is still to be made must not find that pending. */
static void load_cpu(struct task *t, u8 op)
{
	mc_set_fsbase(t->ptrace.fsbase);
	if (t->ptrace.fpu_changed)
		mc_fpu_put(t->ptrace.fpu);
	if (op != PTRACE_SYSCALL_INFO_ENTRY && op != PTRACE_SYSCALL_INFO_SECCOMP)
		mc_regs_changed();
	if (!traced(t))
		forget_code(t);
}

/* ---- the stop ---- */

void ptrace_tell(struct task *tracer, int nr, u32 uid, int why, int status)
{
	const struct ksigaction *a;
	bool exits = why == CLD_EXITED || why == CLD_KILLED || why == CLD_DUMPED;
	siginfo_t info;

	if (!tracer->sighand)
		return;
	a = &tracer->sighand->action[SIGCHLD - 1];
	memset(&info, 0, sizeof(info));
	info.si_code = why;
	info.si_pid = nr;
	info.si_uid = tracer->cred ? show_uid_in(tracer->cred->user_ns, uid) : uid;
	info.si_status = why == CLD_EXITED ? status >> 8 & 0xff : status & 0x7f;
	if (a->handler != HANDLER_IGN && (exits || !(a->flags & SA_NOCLDSTOP)))
		send_signal_process_locked(tracer->proc, SIGCHLD, &info);
	waitq_wake_all(&tracer->proc->child_wait, 0);
}

static bool killed(const struct task *t)
{
	return !t->ptrace.exiting && READ_ONCE(t->mc.work) & WORK_EXIT;
}

/* With what signal the process has stopped, or 0. sighand->lock held. */
static int stopped_by(const struct process *p)
{
	return p->flags & (PROC_STOPPING | PROC_STOPPED) && !p->group_exiting ? p->stop_sig : 0;
}

/* PTRACE_EVENT_STOP tells how things are now: a SIGCONT that has come meanwhile is not told again. */
static void tell_group_stop(struct task *t, struct stop *s)
{
	int sig = stopped_by(t->proc);

	t->ptrace.traps = 0;
	s->code = PTRACE_EVENT_STOP << 8 | (sig ? sig : SIGTRAP);
	s->info->si_code = s->code;
	s->info->si_signo = s->code & 0x7f;
}

/* False: there is nobody to stop for, or no time. */
static bool stop_begin(struct task *t, struct stop *s)
{
	struct ptrace *pt = &t->ptrace;

	defer_wakes();
	guard(&tasklist_lock);
	if (!pt->tracer || killed(t))
		return false;
	mutex_lock(&t->sighand->lock);
	t->state = TASK_TRACED;
	pt->traps &= ~TRAP_STOP;
	if (s->code >> 8 == PTRACE_EVENT_STOP)
		tell_group_stop(t, s);
	if (s->info && !(s->code >> 8)) /* a stop signal that the tracer injects takes effect */
		t->proc->flags |= PROC_STOP_DEQUEUED;
	mutex_unlock(&t->sighand->lock);
	pt->stop_code = s->code;
	pt->message = s->message;
	pt->info = s->info;
	pt->op = s->op;
	pt->listening = false;
	stop_thread_stops(t->proc);
	ptrace_tell(pt->tracer, task_nr(t, task_pid_ns(pt->tracer)), t->cred->uid, s->why, s->code);
	return true;
}

static int stop_end(struct task *t)
{
	struct ptrace *pt = &t->ptrace;
	int sig;

	mutex_lock(&tasklist_lock);
	mutex_lock(&t->sighand->lock);
	t->state = TASK_RUNNING;
	mutex_unlock(&t->sighand->lock);
	pt->info = NULL;
	pt->stop_code = 0;
	pt->message = 0;
	pt->op = PTRACE_SYSCALL_INFO_NONE;
	pt->listening = false;
	sig = pt->resume_signal;
	pt->resume_signal = 0;
	mutex_unlock(&tasklist_lock);
	recalc_signal_work(t);
	return sig;
}

static int stop(struct stop *s)
{
	struct task *t = current;
	int sig = STOP_NONE;

	if (!traced(t))
		return sig;
	save_cpu(&t->ptrace);
	if (stop_begin(t, s)) {
		while (READ_ONCE(t->state) == TASK_TRACED && !killed(t))
			mc_park_killable(MC_FOREVER);
		sig = stop_end(t);
	}
	load_cpu(t, s->op);
	return sig;
}

int ptrace_stop(int code, int why, u64 message, siginfo_t *info, u8 op)
{
	return stop(&(struct stop){ code, why, message, info, op });
}

int ptrace_notify(int code, int why, u64 message, u8 op)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = code & 0x7f;
	info.si_code = code;
	info.si_pid = current->vtid;
	info.si_uid = show_uid(current->cred->uid);
	return ptrace_stop(code, why, message, &info, op);
}

void ptrace_resume(struct task *t)
{
	t->state = TASK_RUNNING;
	wake_task(t);
}

/* ---- signals ---- */

int ptrace_signal(int sig, siginfo_t *info)
{
	struct task *t = current;
	int to = ptrace_stop(sig, CLD_TRAPPED, 0, info, PTRACE_SYSCALL_INFO_NONE);

	if (to == STOP_NONE)
		return sig;
	if (!to)
		return 0;
	if (to == SIGKILL)
		do_group_exit(SIGKILL);
	if (to != info->si_signo) {
		memset(info, 0, sizeof(*info));
		info->si_signo = to;
		info->si_code = SI_USER;
		info->si_pid = READ_ONCE(t->proc->ppid);
	}
	if (!sig_in(to, t->blocked))
		return to;
	send_signal_task(t, to, info);
	return 0;
}

void ptrace_handler_entered(void)
{
	if (current->ptrace.slow & PT_STEP)
		ptrace_notify(SIGTRAP, CLD_TRAPPED, 0, PTRACE_SYSCALL_INFO_NONE);
}

/* ---- events ---- */

void ptrace_event(int event, u64 message)
{
	struct task *t = current;

	if (traced(t) && t->ptrace.options & 1u << event)
		ptrace_notify(event << 8 | SIGTRAP, CLD_TRAPPED, message, PTRACE_SYSCALL_INFO_NONE);
}

void ptrace_event_pid(int event, int nr)
{
	struct task *t = current;
	int global = t->numbers ? pid_unshown(nr) : nr, shown = nr;

	mutex_lock(&tasklist_lock);
	if (t->ptrace.tracer && !t->ptrace.tracer->numbers && global)
		shown = global;
	mutex_unlock(&tasklist_lock);
	ptrace_event(event, (u64)shown);
}

void ptrace_exec(int old_tid)
{
	struct task *t = current;
	struct pt_regs *r = mc_regs(t);
	siginfo_t info;

	if (likely(!traced(t)))
		return;
	memset(t->ptrace.debug, 0, sizeof(t->ptrace.debug));
	t->ptrace.slow &= ~PT_WATCH;
	r->orig_rax = t->syscall_nr;
	r->rax = (u64)-ENOSYS;
	if (t->ptrace.options & PTRACE_O_TRACEEXEC) {
		ptrace_event(PTRACE_EVENT_EXEC, (u64)old_tid);
	} else if (!t->ptrace.seized) {
		siginfo_user(&info, SIGTRAP, SI_USER);
		send_signal_task(t, SIGTRAP, &info);
	}
	r->rax = 0;
	if (t->ptrace.slow)
		ptrace_syscall_exit(r, 0);
}

void ptrace_exit(int code)
{
	struct task *t = current;

	t->ptrace.exit_code = code;
	if (likely(!traced(t)))
		return;
	t->ptrace.exiting = true;
	ptrace_event(PTRACE_EVENT_EXIT, (u64)code);
}

bool ptrace_seccomp(u32 data)
{
	struct task *t = current;

	if (!traced(t) || !(t->ptrace.options & PTRACE_O_TRACESECCOMP))
		return false;
	ptrace_notify(PTRACE_EVENT_SECCOMP << 8 | SIGTRAP, CLD_TRAPPED, data, PTRACE_SYSCALL_INFO_SECCOMP);
	return true;
}

/* ---- job control ---- */

/* The signal that stopped the process, or 0. Its WORK_STOP is answered by the stop that follows. */
static int group_stop_signal(struct task *t)
{
	struct process *p = t->proc;

	guard(&tasklist_lock);
	guard(&t->sighand->lock);
	work_clear(t, WORK_STOP);
	return stopped_by(p);
}

void ptrace_group_stop(void)
{
	struct task *t = current;
	int sig = group_stop_signal(t);

	if (!sig)
		return;
	if (t->ptrace.seized)
		ptrace_notify(PTRACE_EVENT_STOP << 8 | sig, CLD_STOPPED, 0, PTRACE_SYSCALL_INFO_NONE);
	else
		ptrace_stop(sig, CLD_STOPPED, 0, NULL, PTRACE_SYSCALL_INFO_NONE);
}

void ptrace_trap(void)
{
	struct task *t = current;
	int sig;

	work_clear(t, WORK_PTRACE);
	if (!traced(t)) {
		forget_code(t);
		return;
	}
	if (!READ_ONCE(t->ptrace.traps))
		return;
	sig = group_stop_signal(t);
	ptrace_notify(PTRACE_EVENT_STOP << 8 | (sig ? sig : SIGTRAP), CLD_STOPPED, 0, PTRACE_SYSCALL_INFO_NONE);
}

void ptrace_want_trap(struct task *t, u32 trap)
{
	t->ptrace.traps |= trap;
	work_set(t, WORK_PTRACE);
	if (t->state == TASK_TRACED && t->ptrace.listening)
		ptrace_resume(t);
	else if (t != current)
		kick_task(t);
}

void ptrace_stop_changed(struct task *t)
{
	if (t->ptrace.tracer && t->ptrace.seized)
		ptrace_want_trap(t, TRAP_NOTIFY);
}

/* ---- single steps ---- */

void ptrace_work_begin(struct pt_regs *r)
{
	if (likely(!current->ptrace.forced_tf))
		return;
	current->ptrace.forced_tf = false;
	r->rflags &= ~EFLAGS_TF;
}

void ptrace_work_end(struct pt_regs *r)
{
	struct task *t = current;

	if (likely(!(t->ptrace.slow & PT_TF)))
		return;
	mc_regs_changed();
	if (r->rflags & EFLAGS_TF) /* the user's own */
		return;
	r->rflags |= EFLAGS_TF;
	t->ptrace.forced_tf = true;
}

bool ptrace_step_trap(struct pt_regs *r, int code)
{
	struct task *t = current;
	siginfo_t info;
	uaddr_t addr;

	if (code != TRAP_TRACE || !t->ptrace.forced_tf)
		return false;
	ptrace_work_begin(r);
	if (t->ptrace.slow & PT_WATCH && watch_look(t, &addr) == WATCH_HIT) {
		memset(&info, 0, sizeof(info));
		info.si_code = TRAP_HWBKPT;
		info.si_addr = (void *)addr;
		force_signal(SIGTRAP, &info);
		return true;
	}
	if (t->ptrace.slow & PT_STEP)
		return false;
	work_set(t, WORK_NOTIFY); /* on to ptrace_work_end() */
	return true;
}
