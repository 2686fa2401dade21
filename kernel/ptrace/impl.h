/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/ptrace. */
#ifndef PTRACE_IMPL_H
#define PTRACE_IMPL_H

#include <linux/elf.h>

#include "../signal/sig.h"
#include "kernel.h"
#include "task.h"

#define EFLAGS_TF 0x100ULL
#define USER_CS 0x33
#define USER_DS 0x2b

static inline bool traced(const struct task *t) { return READ_ONCE(t->ptrace.tracer) != NULL; }

/* asm/user.h's struct user_regs_struct: struct pt_regs, and what is not in it. */
struct user_regs {
	struct pt_regs r;
	u64 fs_base, gs_base, ds, es, fs, gs;
};

/* ---- regs.c: registers of a stopped task ---- */
void regs_read(struct task *t, struct user_regs *u);
int regs_write(struct task *t, const struct user_regs *u); /* 0, or -EIO: values that user mode can't have */
long regs_peek_user(struct task *t, u64 offset, u64 *value);
long regs_poke_user(struct task *t, u64 offset, u64 value);
long regs_get_all(struct task *t, uaddr_t to);
long regs_set_all(struct task *t, uaddr_t from);
long regs_get_fp(struct task *t, uaddr_t to);
long regs_set_fp(struct task *t, uaddr_t from);
long regs_regset(struct task *t, u64 type, uaddr_t iov, bool set);

/* ---- watch.c: debug registers ---- */
int watch_set(struct task *t, int reg, u64 value); /* 0 or -errno */
enum watch_result { WATCH_NOTHING, WATCH_HIT };
enum watch_result watch_look(struct task *t, uaddr_t *addr); /* current, after a step */

/* ---- siginfo.c ---- */
long siginfo_get(struct task *t, uaddr_t to);
long siginfo_set(struct task *t, uaddr_t from);
long siginfo_peek(struct task *t, uaddr_t args, uaddr_t to);
long sigmask_get(struct task *t, u64 size, uaddr_t to);
long sigmask_set(struct task *t, u64 size, uaddr_t from);

/* ---- syscall.c ---- */
long syscall_info_get(struct task *t, u64 size, uaddr_t to);

/* ---- stop.c ---- */
#define STOP_NONE (-1) /* did not stop: nobody traces it any more, or it is to die */
/* Stop with this status until the tracer has the task go on; the signal that it wants delivered. */
int ptrace_stop(int code, int why, u64 message, siginfo_t *info, u8 op);
int ptrace_notify(int code, int why, u64 message, u8 op); /* with a siginfo_t of the stop's own */
/* Let a stopped task go on. Both locks held. */
void ptrace_resume(struct task *t);
void ptrace_want_trap(struct task *t, u32 trap);
/* SIGCHLD to the tracer for a stop or an end of nr (as it calls it), and wake who waits there. tasklist_lock held. */
void ptrace_tell(struct task *tracer, int nr, u32 uid, int why, int status);

/* ---- link.c ---- */
long ptrace_attach(int tid, bool seize, u64 options);
long ptrace_traceme(void);
void ptrace_unlink(struct task *t); /* tasklist_lock held */
void ptrace_dead_release(struct ptrace_dead *d); /* waited for, or nobody will. tasklist_lock held */

#endif
