// SPDX-License-Identifier: Apache-2.0
/* System calls of a traced task: stops at entry and exit, the end of a single step, PTRACE_GET_SYSCALL_INFO. */
#include "impl.h"

#include <linux/audit.h>

#include "syscall.h"

/* The signal that the tracer gives on the way is sent as any other. */
static void syscall_stop(struct task *t, u64 message, u8 op)
{
	int code = SIGTRAP | (t->ptrace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
	int sig = ptrace_notify(code, CLD_TRAPPED, message, op);
	siginfo_t info;

	if (sig <= 0)
		return;
	memset(&info, 0, sizeof(info));
	info.si_code = SI_KERNEL;
	send_signal_task(t, sig, &info);
}

/* A step over the call ends behind it. */
static void step_done(const struct pt_regs *r)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = TRAP_BRKPT;
	info.si_addr = (void *)r->rip;
	force_signal(SIGTRAP, &info);
}

s64 ptrace_syscall_exit(struct pt_regs *r, s64 ret)
{
	struct task *t = current;

	r->rax = (u64)ret;
	if (t->ptrace.slow & PT_STEP)
		step_done(r);
	else if (t->ptrace.slow & PT_SYSCALL)
		syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_EXIT, PTRACE_SYSCALL_INFO_EXIT);
	if (t->ptrace.slow & PT_TF)
		work_set(t, WORK_NOTIFY);
	return (s64)r->rax;
}

/* Is the call to be made? */
static bool syscall_enter(struct task *t)
{
	u32 slow = t->ptrace.slow;

	if (!(slow & (PT_SYSCALL | PT_EMULATE)))
		return true;
	syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_ENTRY, PTRACE_SYSCALL_INFO_ENTRY);
	return !(slow & PT_EMULATE) && !fatal_signal_pending();
}

s64 ptrace_syscall(struct pt_regs *r)
{
	struct task *t = current;
	bool emulated = t->ptrace.slow & PT_EMULATE;
	s64 ret;

	r->r11 = r->rflags; /* as the instruction has it */
	if (!syscall_enter(t) || (s32)r->orig_rax < 0)
		ret = (s64)r->rax; /* the tracer's */
	else
		ret = syscall_dispatch(t, r);
	mc_regs_changed();
	if (emulated && !(t->ptrace.slow & PT_STEP))
		return ret;
	return ptrace_syscall_exit(r, ret);
}

/* ---- PTRACE_GET_SYSCALL_INFO ---- */

static size_t fill_entry(struct ptrace_syscall_info *i, const struct pt_regs *r)
{
	const u64 args[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	i->entry.nr = r->orig_rax;
	memcpy(i->entry.args, args, sizeof(args));
	return offsetof(struct ptrace_syscall_info, entry.args) + sizeof(args);
}

static size_t fill_exit(struct ptrace_syscall_info *i, const struct pt_regs *r)
{
	i->exit.rval = (s64)r->rax;
	i->exit.is_error = r->rax >= (u64)-4095;
	return offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof(i->exit.is_error);
}

static size_t fill(struct ptrace_syscall_info *i, const struct task *t, const struct pt_regs *r)
{
	i->op = t->ptrace.op;
	i->arch = AUDIT_ARCH_X86_64;
	i->instruction_pointer = r->rip;
	i->stack_pointer = r->rsp;
	switch (i->op) {
	case PTRACE_SYSCALL_INFO_ENTRY:
		return fill_entry(i, r);
	case PTRACE_SYSCALL_INFO_EXIT:
		return fill_exit(i, r);
	case PTRACE_SYSCALL_INFO_SECCOMP:
		fill_entry(i, r);
		i->seccomp.ret_data = (u32)t->ptrace.message;
		return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(u32);
	}
	return offsetof(struct ptrace_syscall_info, entry);
}

long syscall_info_get(struct task *t, u64 size, uaddr_t to)
{
	struct ptrace_syscall_info info;
	size_t n;

	memset(&info, 0, sizeof(info));
	n = fill(&info, t, mc_regs(t));
	return mc_copy_to_user(to, &info, min((u64)n, size)) ? -EFAULT : (long)n;
}
