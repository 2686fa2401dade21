/* SPDX-License-Identifier: Apache-2.0 */
/* procfs: what its files share. */
#ifndef PROC_H
#define PROC_H

#include <linux/capability.h>

#include "../pseudo.h"
#include "cred.h"
#include "mm.h"
#include "pid_ns.h"

#define KB(bytes) ((bytes) >> 10)
#define PAGES_KB(pages) ((pages) << (PAGE_SHIFT - 10))
/* The namespace whose numbers an instance of procfs shows. */
static inline struct pid_ns *proc_pids(const struct pseudo_ctx *c)
{
	return c->pids ? c->pids : &init_pid_ns;
}

#define TICKS(ns) ((u64)(ns) / (u64)(NSEC_PER_SEC / HZ))

/* ---- find.c: from a ctx to the live object ---- */

/*
 * The process, or NULL if it is gone; *t its thread (c->tid, else the first one), NULL if it has none
 * left (a zombie). tasklist_lock held by the caller, and for as long as the result is used.
 */
struct process *proc_find(const struct pseudo_ctx *c, struct task **t);

enum proc_access {
	PROC_ANYONE,
	PROC_PTRACE, /* who could read the process' memory: PTRACE_MODE_READ of ptrace(2) */
	PROC_ATTACH, /* who could change it: PTRACE_MODE_ATTACH */
};
/* References, or ERR_PTR(-ESRCH, -EACCES); mm and fs may be NULL for a process that has none any more. */
struct mm *proc_mm(const struct pseudo_ctx *c, enum proc_access access);
struct fdtable *proc_files(const struct pseudo_ctx *c);
struct fs_ctx *proc_fs(const struct pseudo_ctx *c, enum proc_access access);
int proc_find_gone(const struct pseudo_ctx *c); /* 0 while it is there, -ESRCH after */
/* 0 or -errno: may current see this process' inside? */
int proc_may_access(const struct pseudo_ctx *c);
/* Read the memory of the process, which has `mm`. Bytes (0: nothing readable) or -errno. */
s64 proc_read_memory(const struct pseudo_ctx *c, struct mm *mm, uaddr_t addr, void *buf, size_t len);
/* The same to write it, also where the process itself could not: breakpoints. */
s64 proc_write_memory(const struct pseudo_ctx *c, struct mm *mm, uaddr_t addr, void *buf, size_t len);
s64 proc_space_seek(struct file *f, s64 off, int whence); /* of files as long as an address space: mem, pagemap */

/* ---- snap.c: one consistent look at a process or thread ---- */
struct snap {
	const struct pid_ns *pids; /* whose numbers these are */
	int pid, tid, ppid, pgrp, sid, tty_nr, tpgid, nthreads;
	int tracer;
	char comm[16], state;
	int exit_signal, exit_code;
	sigmask_t pending, shared, blocked, ignored, caught;
	u32 nqueued;
	u64 utime, stime, cutime, cstime, start, switches;
	u64 rss_limit, sig_limit;
	struct task_sched sched;
	u64 cpus[16];
	u32 umask, fdsize;
	bool thp_disabled;
	u32 zombie_uid, zombie_gid;
	struct cred *cred; /* NULL: a zombie */
	int seccomp_mode;
	u32 seccomp_filters;
	struct mm *mm;     /* NULL: exiting */
	struct pv_proc_stat host; /* zeros: not known */
};
int snap_take(const struct pseudo_ctx *c, struct snap *s); /* 0 or -ESRCH */
void snap_drop(struct snap *s);

struct mm_sizes { /* pages */
	u64 total, locked, data, stack, text, lib, swap;
	u64 rss, rss_file, rss_shmem;
};
/* mm NULL: zeros. host: of the same process, for what is resident. */
void mm_sizes(struct mm *mm, const struct pv_proc_stat *host, struct mm_sizes *z);
/* What the host says of a process or thread; false, and zeros, if it does not. */
bool host_proc_stat(const struct pseudo_ctx *c, struct pv_proc_stat *out);
/* Totals of every process since boot, in ns. */
void cpu_times(u64 *user, u64 *sys);

/* ---- entries of /proc/PID, by file ---- */
#define SHOW(name) int name(struct seq *m, const struct pseudo_ctx *c)
#define STORE(name) s64 name(const struct pseudo_ctx *c, char *text, size_t len)
#define FOLLOW(name) int name(const struct pseudo_ctx *c, struct path *out)
SHOW(pid_stat);
SHOW(pid_statm);
SHOW(pid_status);
SHOW(pid_maps);
SHOW(pid_smaps);
SHOW(pid_smaps_rollup);
SHOW(pid_numa_maps);
SHOW(pid_cmdline);
SHOW(pid_environ);
SHOW(pid_auxv);
SHOW(pid_comm);
STORE(pid_comm_store);
int pid_mem_open(const struct pseudo_ctx *c, struct file *f);
int pid_pagemap_open(const struct pseudo_ctx *c, struct file *f);
SHOW(pid_exe);
FOLLOW(pid_exe_follow);
SHOW(pid_cwd);
FOLLOW(pid_cwd_follow);
SHOW(pid_root);
FOLLOW(pid_root_follow);
SHOW(pid_fd);
FOLLOW(pid_fd_follow);
SHOW(pid_fdinfo);
SHOW(pid_ns);
FOLLOW(pid_ns_follow);
SHOW(pid_limits);
SHOW(pid_cgroup);
SHOW(pid_io);
SHOW(pid_coredump_filter);
STORE(pid_coredump_filter_store);
SHOW(pid_oom_score);
SHOW(pid_oom_score_adj);
STORE(pid_oom_score_adj_store);
SHOW(pid_oom_adj);
SHOW(pid_personality);
SHOW(pid_wchan);
SHOW(pid_syscall);
SHOW(pid_timerslack);
STORE(pid_timerslack_store);
SHOW(pid_uid_map);
STORE(pid_uid_map_store);
SHOW(pid_timens_offsets);
STORE(pid_timens_offsets_store);
SHOW(pid_gid_map);
STORE(pid_gid_map_store);
SHOW(pid_projid_map);
SHOW(pid_setgroups);
STORE(pid_setgroups_store);
SHOW(pid_sched);
SHOW(pid_schedstat);
SHOW(pid_children);
SHOW(proc_mounts);
u32 proc_mounts_poll(const struct pseudo_ctx *c, struct file *f, struct poll_table *pt, u32 *seen);
SHOW(proc_mountinfo);
SHOW(proc_mountstats);
extern const struct pseudo_entry pid_root_entry, ns_entries[], sys_entries[], net_entries[];

/* ---- entries of /proc itself ---- */
SHOW(proc_cpuinfo);
SHOW(proc_meminfo);
SHOW(proc_stat);
SHOW(proc_uptime);
SHOW(proc_loadavg);
SHOW(proc_version);
SHOW(proc_filesystems);
SHOW(proc_swaps);
SHOW(proc_devices);
SHOW(proc_misc);
SHOW(proc_interrupts);
SHOW(proc_vmstat);
SHOW(proc_zoneinfo);
SHOW(proc_cmdline);
SHOW(proc_buddyinfo);

void proc_init(void);                                  /* vfs_boot calls it */
int netfile_read(struct seq *m, const char *name);     /* /proc/net/NAME of the container. 0 or -errno */

#endif
