// SPDX-License-Identifier: Apache-2.0
/* A call that some filter may not allow: ask the filters, and do what they say. */
#include "seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "signal.h"
#include "task.h"

#define MAX_ERRNO 4095u

static bool check(struct pt_regs *r, s64 *ret, bool asked);

static void data_of(struct seccomp_data *d, const struct pt_regs *r)
{
	*d = (struct seccomp_data){
		.nr = (int)r->orig_rax,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = r->rip,
		.args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
	};
}

/* Of all results the strictest: the actions' numbers, taken as signed, are in that order. Of equals, the newest filter's. */
static u32 run_all(const struct seccomp *s, const struct seccomp_data *d, const struct seccomp **by)
{
	u32 result = SECCOMP_RET_ALLOW;

	for (*by = s; s; s = s->prev) {
		u32 cur = bpf_run(s->insns, d);

		if ((s32)(cur & SECCOMP_RET_ACTION_FULL) < (s32)(result & SECCOMP_RET_ACTION_FULL)) {
			result = cur;
			*by = s;
		}
	}
	return result;
}

/* The registers as they were when the call began: a handler, or a core file, shows them. Never restarted. */
static s64 roll_back(struct pt_regs *r)
{
	s64 nr = (s64)r->orig_rax;

	r->orig_rax = ~0ULL;
	return nr;
}

static void trap(const struct seccomp_data *d, u32 data)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = 1; /* SYS_SECCOMP */
	info.si_errno = (int)data;
	info.si_call_addr = (void *)d->instruction_pointer;
	info.si_syscall = d->nr;
	info.si_arch = d->arch;
	force_signal(SIGSYS, &info);
}

static void report(const struct seccomp_data *d, const char *what)
{
	printk(LOG_INFO, "seccomp: %s[%d]: call %d at %lx: %s", current->comm, current->proc->pid, d->nr,
	       (unsigned long)d->instruction_pointer, what);
}

static void __attribute__((noreturn)) kill_caller(const struct seccomp_data *d, bool process)
{
	report(d, process ? "process killed" : "thread killed");
	if (process)
		do_group_exit(SIGSYS);
	do_exit(SIGSYS); /* of the last thread, the status is the process's */
}

/* The tracer may have made another call of it, which the filters see as well; or none, with a result of its own. */
static bool ask_tracer(struct pt_regs *r, u32 data, s64 *ret)
{
	*ret = -ENOSYS;
	if (!ptrace_seccomp(data))
		return false;
	*ret = (s64)r->rax;
	return !fatal_signal_pending() && (s32)r->orig_rax >= 0 && check(r, ret, true);
}

/* False: the call is not made. */
static bool act(struct pt_regs *r, const struct seccomp *by, const struct seccomp_data *d, u32 result, s64 *ret,
		bool asked)
{
	u32 data = result & SECCOMP_RET_DATA;

	switch (result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		report(d, "allowed");
		return true;
	case SECCOMP_RET_ERRNO:
		if (by->log)
			report(d, "refused");
		*ret = -(s64)min(data, MAX_ERRNO);
		return false;
	case SECCOMP_RET_TRACE:
		return asked || ask_tracer(r, data, ret);
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		*ret = -ENOSYS;
		return false;
	case SECCOMP_RET_TRAP:
		if (by->log)
			report(d, "trapped");
		trap(d, data);
		*ret = roll_back(r);
		return false;
	case SECCOMP_RET_KILL_THREAD:
		kill_caller(d, false);
	}
	kill_caller(d, true); /* KILL_PROCESS, and every number that is no action */
}

static bool check(struct pt_regs *r, s64 *ret, bool asked)
{
	const struct seccomp *s = __atomic_load_n(&current->seccomp, __ATOMIC_ACQUIRE), *by;
	struct seccomp_data d;
	u32 result;

	data_of(&d, r);
	if (s->mode == SECCOMP_MODE_STRICT) {
		report(&d, "killed");
		do_exit(SIGKILL);
	}
	result = run_all(s, &d, &by);
	return act(r, by, &d, result, ret, asked);
}

bool seccomp_check(struct pt_regs *r, s64 *ret) { return check(r, ret, false); }
