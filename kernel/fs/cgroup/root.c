// SPDX-License-Identifier: Apache-2.0
/*
 * The container's cgroup as its programs see it: the root of a version 2 hierarchy, whatever the host has.
 * Run-time systems size themselves by it (JVM, .NET, Go libraries); its limits are set, and kept, outside.
 */
#include "../sysfs/sysfs.h"
#include "impl.h"
#include "ring.h"

/* Which file of the host's, and what it is where the host has none for the container. */
struct cgroup_file_number {
	u32 number; /* enum pv_cgroup_file */
	const char *otherwise;
};

static int show_file(struct seq *m, const struct pseudo_ctx *c)
{
	const struct cgroup_file_number *file = c->e->arg;
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_CGROUP;
	s.req.u.ctl.arg = file->number;
	ret = mc_pv_call(&s);
	if (ret > 0)
		seq_write(m, s.buf, min((size_t)ret, (size_t)RING_BUF_SIZE));
	mc_pv_put(&s);
	if (ret < 0)
		seq_puts(m, file->otherwise);
	return 0;
}

#define FILE(n, m, ...) { PSEUDO_FILE(n, m, __VA_ARGS__), 0 }
#define TEXT(n, text) { PSEUDO_TEXT(n, text), 0 }
#define HOST(n, number, otherwise) \
	FILE(n, 0444, .show = show_file, .arg = &(const struct cgroup_file_number){ PV_CG_##number, otherwise })

/* cgroup.procs is the first one: control.c asks for it. */
const struct cgroup_entry cgroup_top_entries[] = {
	FILE("cgroup.procs", 0644, .show = cg_procs, .store = cg_procs_store),
	FILE("cgroup.controllers", 0444, .show = cg_controllers),
	FILE("cgroup.events", 0444, .show = cg_events, .poll = cg_events_poll),
	FILE("cgroup.freeze", 0644, .show = pseudo_show_text, .arg = "0\n", .store = cg_top_freeze_store),
	FILE("cgroup.kill", 0200, .store = cg_kill),
	FILE("cgroup.max.depth", 0644, .show = cg_max_depth, .store = cg_max_depth_store),
	FILE("cgroup.max.descendants", 0644, .show = cg_max_descendants, .store = cg_max_descendants_store),
	FILE("cgroup.stat", 0444, .show = cg_stat),
	FILE("cgroup.subtree_control", 0644, .show = cg_subtree, .store = cg_subtree_store),
	FILE("cgroup.threads", 0644, .show = cg_threads, .store = cg_threads_store),
	FILE("cgroup.type", 0644, .show = pseudo_show_text, .arg = "domain\n", .store = cg_type_store),
	HOST("cpu.max", CPU_MAX, "max 100000\n"),
	HOST("cpu.stat", CPU_STAT, "usage_usec 0\nuser_usec 0\nsystem_usec 0\n"),
	HOST("cpu.weight", CPU_WEIGHT, "100\n"),
	FILE("cpuset.cpus", 0444, .show = sysfs_cpu_list),
	FILE("cpuset.cpus.effective", 0444, .show = sysfs_cpu_list),
	TEXT("cpuset.mems", "0\n"),
	TEXT("cpuset.mems.effective", "0\n"),
	HOST("io.stat", IO_STAT, ""),
	HOST("memory.current", MEMORY_CURRENT, "0\n"),
	HOST("memory.events", MEMORY_EVENTS, "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"),
	HOST("memory.high", MEMORY_HIGH, "max\n"),
	HOST("memory.low", MEMORY_LOW, "0\n"),
	HOST("memory.max", MEMORY_MAX, "max\n"),
	TEXT("memory.min", "0\n"),
	TEXT("memory.oom.group", "0\n"),
	HOST("memory.peak", MEMORY_PEAK, "0\n"),
	HOST("memory.stat", MEMORY_STAT, "anon 0\nfile 0\n"),
	HOST("memory.swap.current", SWAP_CURRENT, "0\n"),
	HOST("memory.swap.max", SWAP_MAX, "max\n"),
	HOST("pids.current", PIDS_CURRENT, "1\n"),
	HOST("pids.events", PIDS_EVENTS, "max 0\n"),
	HOST("pids.max", PIDS_MAX, "max\n"),
	{ { 0 }, 0 },
};
