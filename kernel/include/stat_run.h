/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of many files of a directory at once, for tasks that ask for one after the other (fs/stat_run.c). */
#ifndef STAT_RUN_H
#define STAT_RUN_H

#include "kernel.h"

struct file;
struct name;
struct pv_slot;
struct statx;
struct task;
struct stat_run;

/* In struct task: how many stats of one directory have followed each other, without another call in between. */
struct stat_seq {
	u64 call, key; /* number of the task's last stat among its calls; of which directory it was */
	u32 length;
	u32 patience; /* before the directory is asked for */
	u64 listed;   /* the directory whose names were read last */
	u32 walks;    /* directories in turn whose names were read before their files were asked for */
	struct stat_run *run; /* NULL: nothing is known */
};

/* 0: st is filled. 1: the hypervisor has to be asked. */
int stat_run(const struct name *n, struct statx *st);
/* The running call is no end to such a sequence: by it the task hears of nobody but tasks of this container, whose changes are counted. */
void stat_run_pass(void);
void stat_run_exit(struct task *t);
/* The task has read these names (linux_dirent64 records in the slot), from the cookie on; all: the last ones. True: the slot is taken. */
bool stat_run_ahead(const struct file *f, struct pv_slot *s, s64 len, s64 from, bool all);

/* After anything that may have changed attributes of a file of the host. */
extern bool stat_runs_live;
void stat_runs_changed_slow(void);
static inline void stat_runs_changed(void)
{
	if (unlikely(READ_ONCE(stat_runs_live)))
		stat_runs_changed_slow();
}
/* From now on files may change without a call. */
void stat_runs_stop(void);

#endif
