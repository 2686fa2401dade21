// SPDX-License-Identifier: Apache-2.0
/* ptrace(2): what a tracer asks of a tracee. */
#include "impl.h"

#include "cred.h"
#include "pid_ns.h"
#include "syscall.h"

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |  \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT |                       \
	 PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)


/* ---- going on ---- */

static u32 slow_of(int req)
{
	switch (req) {
	case PTRACE_SYSCALL:
		return PT_SYSCALL;
	case PTRACE_SYSEMU:
		return PT_EMULATE;
	case PTRACE_SYSEMU_SINGLESTEP:
		return PT_EMULATE | PT_STEP;
	case PTRACE_SINGLESTEP:
		return PT_STEP;
	}
	return 0;
}

static long go_on(struct task *t, int req, u64 sig)
{
	struct ptrace *pt = &t->ptrace;

	if (sig > NSIG_MAX)
		return -EIO;
	WRITE_ONCE(pt->slow, (pt->slow & PT_WATCH) | slow_of(req));
	pt->resume_signal = (int)sig;
	guard(&t->sighand->lock);
	ptrace_resume(t);
	return 0;
}

static long detach(struct task *t, u64 sig)
{
	if (sig > NSIG_MAX)
		return -EIO;
	t->ptrace.resume_signal = (int)sig;
	ptrace_unlink(t);
	return 0;
}

static long listen(struct task *t)
{
	struct ptrace *pt = &t->ptrace;

	if (!pt->seized || !pt->info || pt->info->si_code >> 8 != PTRACE_EVENT_STOP)
		return -EIO;
	guard(&t->sighand->lock);
	pt->listening = true;
	if (pt->traps & TRAP_NOTIFY)
		ptrace_resume(t);
	return 0;
}

static long interrupt(struct task *t)
{
	if (!t->ptrace.seized)
		return -EIO;
	guard(&t->sighand->lock);
	ptrace_want_trap(t, TRAP_STOP);
	return 0;
}

static long kill_tracee(struct task *t)
{
	send_signal_task_locked(t, SIGKILL, NULL);
	return 0;
}

/* ---- memory ---- */

static long peek(struct task *t, uaddr_t addr, uaddr_t to)
{
	u64 word;

	if (ptrace_memory(t, addr, &word, sizeof(word), false) != sizeof(word))
		return -EIO;
	return mc_copy_to_user(to, &word, sizeof(word)) ? -EFAULT : 0;
}

static long poke(struct task *t, uaddr_t addr, u64 word)
{
	return ptrace_memory(t, addr, &word, sizeof(word), true) == sizeof(word) ? 0 : -EIO;
}

static long peek_user(struct task *t, u64 offset, uaddr_t to)
{
	u64 value;
	long ret = regs_peek_user(t, offset, &value);

	if (ret)
		return ret;
	return mc_copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}

/* ---- the rest ---- */

static long set_options(struct task *t, u64 options)
{
	if (options & ~(u64)OPTIONS)
		return -EINVAL;
	t->ptrace.options = (u32)options;
	return 0;
}

static long get_message(struct task *t, uaddr_t to)
{
	return mc_copy_to_user(to, &t->ptrace.message, sizeof(u64)) ? -EFAULT : 0;
}

/* rseq(2) is not served: no area is registered. */
static long get_rseq(u64 size, uaddr_t to)
{
	struct ptrace_rseq_configuration c = { 0 };

	return mc_copy_to_user(to, &c, min(size, (u64)sizeof(c))) ? -EFAULT : (long)sizeof(c);
}

static long on_state(struct task *t, int req, u64 addr, u64 data)
{
	switch (req) {
	case PTRACE_GETREGS:
		return regs_get_all(t, data);
	case PTRACE_SETREGS:
		return regs_set_all(t, data);
	case PTRACE_GETFPREGS:
		return regs_get_fp(t, data);
	case PTRACE_SETFPREGS:
		return regs_set_fp(t, data);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regs_regset(t, addr, data, req == PTRACE_SETREGSET);
	case PTRACE_GETSIGINFO:
		return siginfo_get(t, data);
	case PTRACE_SETSIGINFO:
		return siginfo_set(t, data);
	case PTRACE_PEEKSIGINFO:
		return siginfo_peek(t, addr, data);
	case PTRACE_GETSIGMASK:
		return sigmask_get(t, addr, data);
	case PTRACE_SETSIGMASK:
		return sigmask_set(t, addr, data);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info_get(t, addr, data);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return get_rseq(addr, data);
	}
	return -EIO;
}

static long on_stopped(struct task *t, int req, u64 addr, u64 data)
{
	switch (req) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, data);
	case PTRACE_POKEUSR:
		return regs_poke_user(t, addr, data);
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_SYSEMU:
	case PTRACE_SYSEMU_SINGLESTEP:
		return go_on(t, req, data);
	case PTRACE_DETACH:
		return detach(t, data);
	case PTRACE_LISTEN:
		return listen(t);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return get_message(t, data);
	}
	return on_state(t, req, addr, data);
}

static long on_tracee(int req, int tid, u64 addr, u64 data)
{
	struct task *t;

	defer_wakes();
	guard(&tasklist_lock);
	t = find_vtask(tid);
	if (!t || t->ptrace.tracer != current)
		return -ESRCH;
	if (req == PTRACE_KILL)
		return kill_tracee(t);
	if (req == PTRACE_INTERRUPT)
		return interrupt(t);
	if (t->state != TASK_TRACED || t->ptrace.listening)
		return -ESRCH;
	return on_stopped(t, req, addr, data);
}

long sys_ptrace(u64 request, u64 pid, u64 addr, u64 data)
{
	int req = (int)request, tid = (int)pid;

	switch (req) {
	case PTRACE_TRACEME:
		return ptrace_traceme();
	case PTRACE_ATTACH:
		return ptrace_attach(tid, false, 0);
	case PTRACE_SEIZE:
		return addr || data & ~(u64)OPTIONS ? -EIO : ptrace_attach(tid, true, data);
	}
	return on_tracee(req, tid, addr, data);
}
