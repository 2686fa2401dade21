// SPDX-License-Identifier: Apache-2.0
/*
 * The container's cgroup as its programs see it: the root of a version 2 hierarchy without children,
 * read only, whatever the host has. It exists for run-time systems that size themselves by it (JVM, .NET, Go
 * libraries); the limits themselves are set, and kept, outside.
 */
#include "sysfs.h"

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

/* Which file of the host's, and what it is where the host has none for the container. */
struct cgroup_file {
	u32 number; /* enum pv_cgroup_file */
	const char *otherwise;
};

static int show_file(struct seq *m, const struct pseudo_ctx *c)
{
	const struct cgroup_file *file = c->e->arg;
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

#define RO(n, f) PSEUDO_FILE(n, 0444, .show = f)
#define FILE(n, number, otherwise) \
	PSEUDO_FILE(n, 0444, .show = show_file, .arg = &(const struct cgroup_file){ PV_CG_##number, otherwise })

static const struct pseudo_entry entries[] = {
	PSEUDO_TEXT("cgroup.controllers", "cpuset cpu io memory pids\n"),
	PSEUDO_TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	PSEUDO_TEXT("cgroup.freeze", "0\n"),
	PSEUDO_TEXT("cgroup.max.depth", "0\n"),
	PSEUDO_TEXT("cgroup.max.descendants", "0\n"),
	RO("cgroup.procs", show_procs),
	PSEUDO_TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
	PSEUDO_EMPTY("cgroup.subtree_control"),
	PSEUDO_TEXT("cgroup.type", "domain\n"),
	FILE("cpu.max", CPU_MAX, "max 100000\n"),
	FILE("cpu.stat", CPU_STAT, "usage_usec 0\nuser_usec 0\nsystem_usec 0\n"),
	FILE("cpu.weight", CPU_WEIGHT, "100\n"),
	RO("cpuset.cpus", sysfs_cpu_list),
	RO("cpuset.cpus.effective", sysfs_cpu_list),
	PSEUDO_TEXT("cpuset.mems", "0\n"),
	PSEUDO_TEXT("cpuset.mems.effective", "0\n"),
	FILE("io.stat", IO_STAT, ""),
	FILE("memory.current", MEMORY_CURRENT, "0\n"),
	FILE("memory.events", MEMORY_EVENTS, "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"),
	FILE("memory.high", MEMORY_HIGH, "max\n"),
	FILE("memory.low", MEMORY_LOW, "0\n"),
	FILE("memory.max", MEMORY_MAX, "max\n"),
	PSEUDO_TEXT("memory.min", "0\n"),
	PSEUDO_TEXT("memory.oom.group", "0\n"),
	FILE("memory.peak", MEMORY_PEAK, "0\n"),
	FILE("memory.stat", MEMORY_STAT, "anon 0\nfile 0\n"),
	FILE("memory.swap.current", SWAP_CURRENT, "0\n"),
	FILE("memory.swap.max", SWAP_MAX, "max\n"),
	FILE("pids.current", PIDS_CURRENT, "1\n"),
	FILE("pids.events", PIDS_EVENTS, "max 0\n"),
	FILE("pids.max", PIDS_MAX, "max\n"),
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
