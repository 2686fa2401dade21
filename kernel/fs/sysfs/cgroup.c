// SPDX-License-Identifier: Apache-2.0
/*
 * The container's cgroup as its programs see it: the root of a version 2 hierarchy without children,
 * read only. It exists for run-time systems that size themselves by it (JVM, .NET, Go libraries);
 * the limits themselves are set, and kept, outside.
 */
#include "sysfs.h"

#include "hoststat.h"
#include "ring.h"
#include "task.h"

#define CGROUP2_MAGIC 0x63677270

static int show_procs(struct seq *m, const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	for (int pid = next_pid(0); pid; pid = next_pid(pid))
		seq_printf(m, "%d\n", pid);
	return 0;
}

static int show_memory_current(struct seq *m, const struct pseudo_ctx *c)
{
	struct pv_host_stat st;

	host_stat(&st);
	seq_printf(m, "%lu\n", st.cgroup_mem_current);
	return 0;
}

static int show_memory_max(struct seq *m, const struct pseudo_ctx *c)
{
	u64 limit = limit_memory();

	if (limit)
		seq_printf(m, "%lu\n", limit);
	else
		seq_puts(m, "max\n");
	return 0;
}

static int show_pids_current(struct seq *m, const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	seq_printf(m, "%u\n", task_count());
	return 0;
}

#define RO(n, f) PSEUDO_FILE(n, 0444, .show = f)

static const struct pseudo_entry entries[] = {
	PSEUDO_TEXT("cgroup.controllers", "cpuset cpu memory pids\n"),
	PSEUDO_TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	PSEUDO_TEXT("cgroup.max.depth", "0\n"),
	PSEUDO_TEXT("cgroup.max.descendants", "0\n"),
	RO("cgroup.procs", show_procs),
	PSEUDO_TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
	PSEUDO_EMPTY("cgroup.subtree_control"),
	PSEUDO_TEXT("cgroup.type", "domain\n"),
	PSEUDO_TEXT("cpu.max", "max 100000\n"),
	PSEUDO_TEXT("cpu.weight", "100\n"),
	RO("cpuset.cpus.effective", sysfs_cpu_list),
	PSEUDO_TEXT("cpuset.mems.effective", "0\n"),
	RO("memory.current", show_memory_current),
	PSEUDO_TEXT("memory.high", "max\n"),
	RO("memory.max", show_memory_max),
	PSEUDO_TEXT("memory.swap.current", "0\n"),
	PSEUDO_TEXT("memory.swap.max", "max\n"),
	RO("pids.current", show_pids_current),
	PSEUDO_TEXT("pids.max", "max\n"),
	{ 0 },
};

static const struct pseudo_entry root = PSEUDO_DIR("cgroup", .children = entries);
static const struct pseudo_fs cgroup_desc = { .root = &root };
static struct fs_type cgroup2_type, cgroup_type;

/* What the OCI specification calls "cgroup" is whatever the system has: show it as version 2. */
static int cgroup_mount(struct mount *m, const char *options, struct inode **out)
{
	m->type = &cgroup2_type;
	return pseudo_mount(m, &cgroup_desc, out);
}

static struct fs_type cgroup2_type = { .name = "cgroup2", .magic = CGROUP2_MAGIC, .mount = cgroup_mount };
static struct fs_type cgroup_type = { .name = "cgroup", .magic = CGROUP2_MAGIC, .mount = cgroup_mount };

void cgroup_init(void)
{
	fs_register(&cgroup2_type);
	fs_register(&cgroup_type);
}
