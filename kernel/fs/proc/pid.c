// SPDX-License-Identifier: Apache-2.0
/* The directories /proc/PID and /proc/PID/task/TID. */
#include "proc.h"

/* ---- fd, fdinfo: a member for each open descriptor ---- */

/* The link's permissions tell how the file is open: by FMODE_READ and FMODE_WRITE. */
#define FD_LINK(bits) { .name = "fd", .mode = S_IFLNK | (bits), .show = pid_fd, .follow = pid_fd_follow }
#define FDINFO { .name = "fdinfo", .mode = S_IFREG | 0400, .show = pid_fdinfo }
static const struct pseudo_entry fd_links[] = {
	FD_LINK(0), FD_LINK(0500), FD_LINK(0300), FD_LINK(0700),
};
static const struct pseudo_entry fdinfo_files[] = { FDINFO, FDINFO, FDINFO, FDINFO };

static int fd_child(const struct pseudo_ctx *dir, struct fdtable *files, int fd, struct pseudo_ctx *child)
{
	const struct pseudo_entry *kinds = dir->e->arg;
	struct file *f = fdtable_file(files, fd);

	if (!f)
		return -ENOENT;
	child->e = &kinds[f->mode & (FMODE_READ | FMODE_WRITE)];
	child->n = fd;
	file_put(f);
	return 0;
}

static int fd_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		     struct pseudo_ctx *child)
{
	int fd = pseudo_number(name, len);
	struct fdtable *files = fd >= 0 ? proc_files(dir) : ERR_PTR(-ENOENT);
	int err;

	if (IS_ERR(files))
		return (int)PTR_ERR(files);
	err = fd_child(dir, files, fd, child);
	fdtable_put(files);
	return err;
}

static bool fd_next_entry(const struct pseudo_ctx *dir, u64 *cookie, char name[64],
			  struct pseudo_ctx *child)
{
	struct fdtable *files = proc_files(dir);
	int fd;

	if (IS_ERR(files))
		return false;
	for (fd = (int)*cookie; (fd = fdtable_next(files, fd)) >= 0; fd++)
		if (!fd_child(dir, files, fd, child))
			break;
	fdtable_put(files);
	*cookie = (u64)fd;
	snprintf(name, 64, "%d", fd);
	return fd >= 0;
}

static const struct pseudo_dir fd_dir = { fd_lookup, fd_next_entry };

/* ---- what a process and each of its threads have in common ---- */

/* As in Linux without a security module: an empty answer would be a label. */
static int no_label(struct seq *m, const struct pseudo_ctx *c)
{
	return -EINVAL;
}

static const struct pseudo_entry attr_entries[] = {
	PSEUDO_FILE("current", 0666, .show = no_label),
	{ 0 },
};

#define RW(n, mode, f) PSEUDO_FILE(n, mode, .show = f, .store = f##_store)
#define RO(n, mode, f) PSEUDO_FILE(n, mode, .show = f)
/* Of the process' memory: who may not look opens none for somebody else who may. */
#define MEMORY(n, mode, f) PSEUDO_FILE(n, mode, .show = f, .may_open = proc_may_access)
#define MAGIC(n, f) PSEUDO_LINK(n, .show = f, .follow = f##_follow)

#define COMMON_ENTRIES                                                                             \
	PSEUDO_DIR("attr", .children = attr_entries),                                              \
	MEMORY("auxv", 0400, pid_auxv),                                                            \
	RO("cgroup", 0444, pid_cgroup),                                                            \
	RO("children", 0444, pid_children),                                                        \
	RO("cmdline", 0444, pid_cmdline),                                                          \
	RW("comm", 0644, pid_comm),                                                                \
	RW("coredump_filter", 0644, pid_coredump_filter),                                          \
	PSEUDO_TEXT("cpuset", "/\n"),                                                              \
	MAGIC("cwd", pid_cwd),                                                                     \
	MEMORY("environ", 0400, pid_environ),                                                      \
	MAGIC("exe", pid_exe),                                                                     \
	{ .name = "fd", .mode = S_IFDIR | 0500, .dir = &fd_dir, .arg = fd_links },                 \
	{ .name = "fdinfo", .mode = S_IFDIR | 0500, .dir = &fd_dir, .arg = fdinfo_files },         \
	RW("gid_map", 0644, pid_gid_map),                                                          \
	RO("io", 0400, pid_io),                                                                    \
	RO("limits", 0444, pid_limits),                                                            \
	MEMORY("maps", 0444, pid_maps),                                                            \
	{ .name = "mem", .mode = S_IFREG | 0600, .open = pid_mem_open },                           \
	PSEUDO_FILE("mountinfo", 0444, .show = proc_mountinfo, .poll = proc_mounts_poll),          \
	PSEUDO_FILE("mounts", 0444, .show = proc_mounts, .poll = proc_mounts_poll),                \
	PSEUDO_DIR("net", .children = net_entries),                               \
	{ .name = "ns", .mode = S_IFDIR | 0511, .children = ns_entries },                          \
	MEMORY("numa_maps", 0444, pid_numa_maps),                                                  \
	RO("oom_adj", 0444, pid_oom_adj),                                                          \
	RO("oom_score", 0444, pid_oom_score),                                                      \
	RW("oom_score_adj", 0644, pid_oom_score_adj),                                              \
	{ .name = "pagemap", .mode = S_IFREG | 0400, .open = pid_pagemap_open },                  \
	RO("personality", 0400, pid_personality),                                                  \
	RO("projid_map", 0444, pid_projid_map),                                                    \
	MAGIC("root", pid_root),                                                                   \
	RO("sched", 0444, pid_sched),                                                              \
	RO("schedstat", 0444, pid_schedstat),                                                      \
	RW("setgroups", 0644, pid_setgroups),                                                      \
	MEMORY("smaps", 0444, pid_smaps),                                                          \
	MEMORY("smaps_rollup", 0444, pid_smaps_rollup),                                            \
	RO("stat", 0444, pid_stat),                                                                \
	RO("statm", 0444, pid_statm),                                                              \
	RO("status", 0444, pid_status),                                                            \
	RO("syscall", 0400, pid_syscall),                                                          \
	RW("uid_map", 0644, pid_uid_map),                                                          \
	RO("wchan", 0444, pid_wchan)

static const struct pseudo_entry tid_entries[] = {
	COMMON_ENTRIES,
	{ 0 },
};
static const struct pseudo_entry tid_root_entry = {
	.name = "tid", .mode = S_IFDIR | 0555, .children = tid_entries,
};

/* ---- task ---- */

static int task_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		       struct pseudo_ctx *child)
{
	struct task *t;

	child->e = &tid_root_entry;
	child->tid = pseudo_number(name, len);
	if (child->tid <= 0)
		return -ENOENT;
	guard(&tasklist_lock);
	child->tid = pid_global_in(proc_pids(dir), child->tid);
	return child->tid && proc_find(child, &t) ? 0 : -ENOENT;
}

/* Threads are not in the order of their numbers: look for the next higher one. */
static bool task_next(const struct pseudo_ctx *dir, u64 *cookie, char name[64],
		      struct pseudo_ctx *child)
{
	const struct pid_ns *pids = proc_pids(dir);
	int best = 0;

	guard(&tasklist_lock);
	struct task *t;
	struct process *p = proc_find(dir, &t);

	if (!p)
		return false;
	list_for_each(t, &p->threads, thread_node)
		if ((u64)task_nr(t, pids) >= *cookie && (!best || task_nr(t, pids) < best))
			best = task_nr(t, pids);
	if (!best)
		return false;
	*cookie = (u64)best;
	snprintf(name, 64, "%d", best);
	child->e = &tid_root_entry;
	child->tid = pid_global_in(pids, best);
	return true;
}

static const struct pseudo_dir task_dir = { task_lookup, task_next };

/* ---- the process ---- */

static const struct pseudo_entry pid_entries[] = {
	COMMON_ENTRIES,
	RO("mountstats", 0400, proc_mountstats),
	PSEUDO_DIR("task", .dir = &task_dir),
	RW("timens_offsets", 0644, pid_timens_offsets),
	RW("timerslack_ns", 0666, pid_timerslack),
	{ 0 },
};

const struct pseudo_entry pid_root_entry = {
	.name = "pid", .mode = S_IFDIR | 0555, .children = pid_entries,
};
