/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: filters of guest calls. They come with the configuration (boot_info.seccomp) or
 * from seccomp(2), and the guest kernel applies them: host calls have a filter of their own.
 */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include "kernel.h"
#include "ring.h"

struct pt_regs;
struct task;
struct sock_filter;
struct seccomp_data;

/* One filter, and what was attached before it. Never changes once attached; shared by tasks and later filters. */
struct seccomp {
	refcount_t ref;
	u8 mode; /* SECCOMP_MODE_* */
	bool log;
	bool no_new_privs; /* who attached it, or one before it, could gain none: whom TSYNC gave it to can't either */
	u16 len;
	u32 depth; /* filters, this one included */
	u32 total; /* instructions, as Linux counts them for its limit */
	struct seccomp *prev;
	u64 allow[COUNTED_CALLS / 64]; /* calls that this one and all before it allow, whatever the arguments */
	struct sock_filter *insns;
};

/* kernel_syscall(): may call nr go on without a closer look? Only its own task changes t->seccomp, or a TSYNC to a newer one. */
static inline bool seccomp_always_allows(const struct seccomp *s, u64 nr)
{
	return nr < COUNTED_CALLS && s->allow[nr / 64] >> (nr % 64) & 1;
}

/* The closer look. False: the call is not made, and *ret is its result. May not return. */
bool seccomp_check(struct pt_regs *r, s64 *ret);

/* current, which is about to execute a program of the configuration's or of an exec, gets the configuration's filter. */
int seccomp_boot(void); /* 0, or -errno: also what the filter says to execve(2) */
void seccomp_fork(struct task *child, struct task *parent);
void seccomp_put(struct seccomp *s); /* NULL is allowed */
bool no_new_privs(void);             /* of current: its own, or by its filter */
long seccomp_mode(void);             /* prctl(PR_GET_SECCOMP) */
long seccomp_prctl(u64 mode, uaddr_t prog);
/* For /proc/PID/status. tasklist_lock held. */
void seccomp_show(struct task *t, int *mode, u32 *filters);

/* ---- bpf.c: classic BPF as far as seccomp has it ---- */
#define BPF_MAX_INSNS 4096
/* 0, or -EINVAL for what Linux would not attach either; -ENOMEM. */
int bpf_check(const struct sock_filter *insns, u32 len);
/* A checked program's result for these data. */
u32 bpf_run(const struct sock_filter *insns, const struct seccomp_data *data);
/* Is the result SECCOMP_RET_ALLOW for this call, whatever its arguments and where it is made? */
bool bpf_always_allows(const struct sock_filter *insns, u32 nr, u32 arch);

#endif
