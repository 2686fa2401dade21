/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/time: the timers of a process. */
#ifndef TIME_TIMERS_H
#define TIME_TIMERS_H

#include "ktime.h"
#include "task.h"

/*
 * A timer that is started again no sooner than this: a period of 1 ns must not keep the timer
 * thread busy.
 */
#define MIN_PERIOD 50000 /* ns */

/*
 * A timer on CPU time. No machine interrupts at a CPU time, so the process polls: the next look
 * is when all its threads, running all the time, could have reached the nearest expiry.
 */
struct cpu_timer {
	struct list_head node; /* in process_timers.cpu while it runs */
	u64 expires;           /* ns of the clock; 0: off */
	int tid;               /* of one thread; 0: of the process */
	bool user_only;        /* ITIMER_VIRTUAL */
	/* Reached, `now` on its clock. process_timers.lock held. Sets expires anew, or to 0. */
	void (*fire)(struct process_timers *pt, struct cpu_timer *c, u64 now);
};

struct interval_timer {
	u64 expires, interval; /* ITIMER_REAL; the others use cpu */
	struct cpu_timer cpu;
	int sig;
};

struct posix_timer;

/* lock: outside tasklist_lock. */
struct process_timers {
	struct mutex lock;
	struct process *proc;
	struct interval_timer it[3];
	struct ktimer real;      /* of it[ITIMER_REAL] */
	struct list_head cpu;    /* struct cpu_timer */
	struct ktimer cpu_check;
	struct cpu_timer limit;  /* RLIMIT_CPU */
	struct posix_timer **posix;
	int nposix;              /* room */
};

/* Of the current process, made if need be; or ERR_PTR. No lock may be held. */
struct process_timers *timers_get(void);
struct process_timers *timers_of(struct process *p);

/* cputimer.c; process_timers.lock held */
void cpu_timer_start(struct process_timers *pt, struct cpu_timer *c, u64 expires);
void cpu_timer_stop(struct cpu_timer *c);
u64 cpu_timer_now(struct process_timers *pt, struct cpu_timer *c);
void cpu_limit_init(struct process_timers *pt);
void cpu_timers_check(struct ktimer *t);

/* itimer.c */
void itimer_real_expired(struct ktimer *t);
void itimer_init(struct process_timers *pt);
/* posix.c */
void posix_timers_free(struct process_timers *pt);

/* ---- cpuclock.c ---- */
struct cpu_clock {
	int pid; /* or tid; 0: the caller's */
	bool thread, user_only;
};
/* The clock id as clock_gettime takes it. -EINVAL: no CPU clock, or of nobody. */
int cpu_clock_parse(int id, struct cpu_clock *c);
int cpu_clock_read(int id, u64 *ns);
/* CPU time of a thread. tasklist_lock held unless t is current. */
u64 thread_time(struct task *t, bool user_only);
u64 process_time_locked(struct process *p, bool user_only);

#endif
