// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that read or set what is the caller's own: no other task can tell when they were made. So their records need not be in
 * order with others', and cost no lock.
 */
#include "own.h"

#include <asm/unistd.h>

#include "trace_calls.h"

static const u16 own_calls[] = {
	__NR_getpid,	__NR_getppid,	  __NR_gettid,	     __NR_getuid,    __NR_geteuid,	__NR_getgid,	 __NR_getegid,
	__NR_getresuid, __NR_getresgid,	  __NR_getgroups,    __NR_getpgrp,   __NR_getpgid,	__NR_getsid,	 __NR_umask,
	__NR_capget,	__NR_getpriority, __NR_getrlimit,    __NR_getrusage, __NR_times,	__NR_time,	 __NR_gettimeofday,
	__NR_getcpu,	__NR_getrandom,	  __NR_clock_gettime, __NR_clock_getres, __NR_rt_sigprocmask, __NR_rt_sigpending,
	__NR_rt_sigaction, __NR_sigaltstack, __NR_arch_prctl, __NR_set_tid_address, __NR_uname, __NR_sched_getaffinity,
	__NR_sched_getparam, __NR_sched_getscheduler, __NR_dup, __NR_lseek,
};
static u64 own[COUNTED_CALLS / 64];

static bool shows_memory(const struct trace_call *call)
{
	for (int i = 0; i < call->nargs; i++)
		if (call->args[i] >= TRACE_ARG_PATH)
			return true;
	return false;
}

void trace_own_boot(void)
{
	for (u32 i = 0; i < sizeof(own_calls) / sizeof(*own_calls); i++)
		if (!shows_memory(&trace_calls[own_calls[i]]))
			own[own_calls[i] / 64] |= 1ULL << (own_calls[i] % 64);
}

bool trace_is_own(u32 nr) { return own[nr / 64] >> (nr % 64) & 1; }

bool trace_own_add(struct trace_own *o, const struct task *t, const struct pt_regs *regs, s64 result)
{
	u32 nr = t->syscall_nr, nargs = trace_calls[nr].nargs, at = o->head;
	u32 words = sizeof(struct trace_short) / sizeof(u64) + nargs;
#define WORD(n) o->words[(at + (n)) % OWN_WORDS]

	if (unlikely(at - __atomic_load_n(&o->tail, __ATOMIC_ACQUIRE) + words > OWN_WORDS))
		return false;
	WORD(0) = words * sizeof(u64) | (u64)TRACE_SHORT << 32 | (u64)nr << 48;
	WORD(1) = (u32)t->tid;
	WORD(2) = (u64)result;
	switch (nargs) {
	default:
		WORD(8) = regs->r9;
		__attribute__((fallthrough));
	case 5:
		WORD(7) = regs->r8;
		__attribute__((fallthrough));
	case 4:
		WORD(6) = regs->r10;
		__attribute__((fallthrough));
	case 3:
		WORD(5) = regs->rdx;
		__attribute__((fallthrough));
	case 2:
		WORD(4) = regs->rsi;
		__attribute__((fallthrough));
	case 1:
		WORD(3) = regs->rdi;
		__attribute__((fallthrough));
	case 0:
		break;
	}
#undef WORD
	__atomic_store_n(&o->head, at + words, __ATOMIC_RELEASE);
	return true;
}

u32 trace_own_next(const struct trace_own *o)
{
	if (o->tail == __atomic_load_n(&o->head, __ATOMIC_ACQUIRE))
		return 0;
	return (u32)o->words[o->tail % OWN_WORDS];
}
