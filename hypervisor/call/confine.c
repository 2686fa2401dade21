/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own seccomp filters. Should a guest ever take over a thread of it, what is left to it is
 * the calls that its work needs: no new programs, namespaces, mounts or tracing, no executable
 * memory, no signals but to the guest (not by way of a descriptor's owner either), no keys typed at a terminal. Calls without a condition are in the host kernel's bitmap of allowed ones and
 * cost next to nothing.
 */
#include "call/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "types.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define CONFINED(who, name, why) CONFINED_##who(SYS_##name)

static const int allowed[] = {
#define CONFINED_ALL(nr) nr,
#define CONFINED_MAIN(nr)
#define CONFINED_VCPU(nr)
#define CONFINED_SCHEDULER(nr)
#include "call/confine.def"
#undef CONFINED_ALL
#undef CONFINED_MAIN
#undef CONFINED_VCPU
};
#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/* Beyond these: what the main thread does for the life of the VM and at its control socket. */
static const int allowed_main[] = {
#define CONFINED_ALL(nr)
#define CONFINED_MAIN(nr) nr,
#define CONFINED_VCPU(nr)
#include "call/confine.def"
#undef CONFINED_MAIN
#undef CONFINED_VCPU
};
#define ALLOWED_MAIN (sizeof(allowed_main) / sizeof(allowed_main[0]))

/* Beyond these: a virtual CPU's thread. */
static const int allowed_vcpu[] = {
#define CONFINED_MAIN(nr)
#define CONFINED_VCPU(nr) nr,
#include "call/confine.def"
};
#define ALLOWED_VCPU (sizeof(allowed_vcpu) / sizeof(allowed_vcpu[0]))

/* Beyond the first: the server's thread where the VM has a pid namespace that nobody else is in. */
static const int allowed_scheduler[] = {
#undef CONFINED_VCPU
#undef CONFINED_SCHEDULER
#define CONFINED_VCPU(nr)
#define CONFINED_SCHEDULER(nr) nr,
#include "call/confine.def"
};

/* An argument may not have these bits. */
static const struct forbidden_bits {
	int nr;
	unsigned int arg;
	u32 bits;
} conditions[] = {
	{ SYS_mmap, 2, PROT_EXEC },
	{ SYS_mprotect, 2, PROT_EXEC },
	{ SYS_unshare, 0, ~(u32)CLONE_FS },
	{ SYS_prctl, 0, ~(u32)PR_SET_NAME }, /* and a few smaller ones */
	/* clone3 has its flags in memory: glibc does without it when told that there is none */
	{ SYS_clone, 0,
	  CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		  CLONE_NEWCGROUP | CLONE_PTRACE },
};
#define CONDITIONS (sizeof(conditions) / sizeof(conditions[0]))

/* Who does not schedule the guest's threads: its own mask. */
static const struct forbidden_bits others_mask = { SYS_sched_setaffinity, 0, ~(u32)0 };
/* Of single threads. Without CAP_SYS_NICE the kernel lets it be no better than RLIMIT_NICE, and of the caller's own user. */
static const struct forbidden_bits others_nice = { SYS_setpriority, 0, ~(u32)PRIO_PROCESS };

/* An argument may not be one of these. */
static const struct forbidden_values {
	int nr;
	unsigned int arg, n;
	u32 values[5];
} refusals[] = {
	{ SYS_fcntl, 1, 3, { F_SETOWN, F_SETOWN_EX, F_SETSIG } },
	{ SYS_ioctl, 1, 5, { FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSCTTY } },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define NO_MATCH(op, value, skip) BPF_JUMP(BPF_JMP | (op) | BPF_K, (value), 0, (skip))

#define CALLS_MAX (ALLOWED + ALLOWED_MAIN)

static void add(struct confine_program *p, struct sock_filter insn)
{
	p->insn[p->len++] = insn;
}

static void add_condition(struct confine_program *p, const struct forbidden_bits *c)
{
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)c->nr, 4));
	add(p, (struct sock_filter)LOAD(args[c->arg]));
	add(p, (struct sock_filter)NO_MATCH(BPF_JSET, c->bits, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

static void add_refusal(struct confine_program *p, const struct forbidden_values *r)
{
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)r->nr, (u8)(r->n + 3)));
	add(p, (struct sock_filter)LOAD(args[r->arg]));
	for (unsigned int i = 0; i < r->n; i++)
		add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->values[i], (u8)(r->n - i), 0));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

/* The first argument is a process: this one, and no other. */
static void add_process(struct confine_program *p, int nr, pid_t pid)
{
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)nr, 4));
	add(p, (struct sock_filter)LOAD(args[0]));
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)pid, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

struct range {
	u32 first, last;
};

static size_t to_ranges(int *calls, size_t n, struct range *out)
{
	size_t ranges = 0;

	qsort(calls, n, sizeof(*calls), by_number);
	for (size_t i = 0; i < n; i++) {
		if (ranges && (u32)calls[i] <= out[ranges - 1].last + 1)
			out[ranges - 1].last = (u32)calls[i];
		else
			out[ranges++] = (struct range){ (u32)calls[i], (u32)calls[i] };
	}
	return ranges;
}

/*
 * A binary search. The host kernel runs the whole filter for each number there is when it is installed, and a long row of
 * comparisons takes it a quarter of a millisecond. No jump is longer than the tree, which has two
 * instructions for each range, is below BPF's 255. end: what follows the tree, RET_ALLOW first, the rest behind it.
 */
static void add_tree(struct confine_program *p, const struct range *r, size_t n, size_t end)
{
	size_t mid = n / 2, at;

	if (n == 1) {
		add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, r->last, (u8)(end - p->len), (u8)(end - p->len - 1)));
		return;
	}
	at = p->len;
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, r[mid].first, 0, 0));
	add_tree(p, r, mid, end);
	p->insn[at].jt = (u8)(p->len - at - 1);
	add_tree(p, r + mid, n - mid, end);
}

static void begin(struct confine_program *p, const int *more, size_t n_more)
{
	struct range ranges[CALLS_MAX];
	int calls[CALLS_MAX];
	size_t n;

	_Static_assert(2 * CALLS_MAX < 255, "jumps reach the end of the tree");
	_Static_assert(SYS_read == 0, "the first range begins at the lowest number");
	memcpy(calls, allowed, sizeof(allowed));
	for (n = 0; n < n_more; n++)
		calls[ALLOWED + n] = more[n];
	n = to_ranges(calls, ALLOWED + n_more, ranges);
	p->len = 0;
	add(p, (struct sock_filter)LOAD(arch));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	add(p, (struct sock_filter)LOAD(nr));
	add_tree(p, ranges, n, p->len + 2 * n - 1);
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

static void end(struct confine_program *p)
{
	for (size_t i = 0; i < REFUSALS; i++)
		add_refusal(p, &refusals[i]);
	for (size_t i = 0; i < CONDITIONS; i++)
		add_condition(p, &conditions[i]);
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, SYS_clone3, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

void confine_filter(struct confine_program *p, enum confine_kind kind, pid_t vm0)
{
	switch (kind) {
	case CONFINE_SERVER:
		begin(p, NULL, 0);
		break;
	case CONFINE_SCHEDULER:
		begin(p, allowed_scheduler, 1);
		break;
	case CONFINE_VCPU:
		begin(p, allowed_vcpu, ALLOWED_VCPU);
		break;
	case CONFINE_MAIN:
		begin(p, allowed_main, ALLOWED_MAIN);
		if (vm0 > 0)
			add_process(p, SYS_kill, vm0);
		add_process(p, SYS_tgkill, getpid());
		break;
	}
	if (kind == CONFINE_SCHEDULER)
		add_condition(p, &others_nice);
	else
		add_condition(p, &others_mask);
	end(p);
}

static int install(enum confine_kind kind, pid_t vm0)
{
	struct confine_program p;
	struct sock_fprog prog = { .filter = p.insn };

	confine_filter(&p, kind, vm0);
	prog.len = p.len;
	/* The speculation flag: the filter is no sandbox for code of others, and must not slow us. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) < 0)
		return -errno;
	return 0;
}

int confine_thread(bool schedules)
{
	return install(schedules ? CONFINE_SCHEDULER : CONFINE_SERVER, 0);
}

int confine_vcpu(void)
{
	return install(CONFINE_VCPU, 0);
}

int confine_main_thread(pid_t vm0)
{
	return install(CONFINE_MAIN, vm0);
}
