// SPDX-License-Identifier: Apache-2.0
/* /sys/devices/system/{cpu,node}: one package, one node, as many CPUs as the container may use. */
#include "sysfs.h"

#include "hoststat.h"
#include "sched.h"

int sysfs_cpu_list(struct seq *m, const struct pseudo_ctx *c)
{
	if (cpu_count() == 1)
		seq_puts(m, "0\n");
	else
		seq_printf(m, "0-%u\n", cpu_count() - 1);
	return 0;
}

/* Words of 32 bits, the highest first. */
int sysfs_cpu_map(struct seq *m, const struct pseudo_ctx *c)
{
	u32 n = cpu_count(), top = n % 32;

	seq_printf(m, "%x", top ? (1u << top) - 1 : 0xffffffffu);
	for (u32 word = (n - 1) / 32; word; word--)
		seq_puts(m, ",ffffffff");
	seq_putc(m, '\n');
	return 0;
}

static int show_own_number(struct seq *m, const struct pseudo_ctx *c)
{
	seq_printf(m, "%d\n", c->n);
	return 0;
}

static int show_own_map(struct seq *m, const struct pseudo_ctx *c)
{
	seq_printf(m, "%x", 1u << (c->n % 32));
	for (int word = c->n / 32; word; word--)
		seq_puts(m, ",00000000");
	seq_putc(m, '\n');
	return 0;
}

#define RO(n, f) PSEUDO_FILE(n, 0444, .show = f)

static const struct pseudo_entry topology_entries[] = {
	RO("core_cpus", show_own_map),
	RO("core_cpus_list", show_own_number),
	RO("core_id", show_own_number),
	RO("core_siblings", sysfs_cpu_map),
	RO("core_siblings_list", sysfs_cpu_list),
	PSEUDO_TEXT("die_id", "0\n"),
	RO("package_cpus", sysfs_cpu_map),
	RO("package_cpus_list", sysfs_cpu_list),
	PSEUDO_TEXT("physical_package_id", "0\n"),
	RO("thread_siblings", show_own_map),
	RO("thread_siblings_list", show_own_number),
	{ 0 },
};

static const struct pseudo_entry one_cpu_entries[] = {
	PSEUDO_SYMLINK("node0", "../../node/node0"),
	PSEUDO_TEXT("online", "1\n"),
	PSEUDO_DIR("topology", .children = topology_entries),
	{ 0 },
};
static const struct pseudo_entry one_cpu = PSEUDO_DIR("cpu", .children = one_cpu_entries);

static int cpu_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		      struct pseudo_ctx *child)
{
	int n = len > 3 && !strncmp(name, "cpu", 3) ? pseudo_number(name + 3, len - 3) : -1;

	if (n < 0 || (u32)n >= cpu_count())
		return -ENOENT;
	child->e = &one_cpu;
	child->n = n;
	return 0;
}

static bool cpu_next(const struct pseudo_ctx *dir, u64 *cookie, char name[64], struct pseudo_ctx *child)
{
	if (*cookie >= cpu_count())
		return false;
	snprintf(name, 64, "cpu%u", (u32)*cookie);
	child->e = &one_cpu;
	child->n = (int)*cookie;
	return true;
}

const struct pseudo_dir sysfs_cpu_dir = { cpu_lookup, cpu_next };

const struct pseudo_entry sysfs_cpu_entries[] = {
	PSEUDO_TEXT("isolated", "\n"),
	PSEUDO_TEXT("kernel_max", "1023\n"),
	PSEUDO_TEXT("offline", "\n"),
	RO("online", sysfs_cpu_list),
	RO("possible", sysfs_cpu_list),
	RO("present", sysfs_cpu_list),
	{ 0 },
};

/* ---- nodes ---- */

static void node_line(struct seq *m, const char *name, u64 bytes)
{
	seq_printf(m, "Node 0 %-15s %8lu kB\n", name, bytes >> 10);
}

static int show_node_meminfo(struct seq *m, const struct pseudo_ctx *c)
{
	struct pv_host_stat st;

	host_stat(&st);
	node_line(m, "MemTotal:", st.mem_total);
	node_line(m, "MemFree:", st.mem_free);
	node_line(m, "MemUsed:", st.mem_total - min(st.mem_free, st.mem_total));
	return 0;
}

static const struct pseudo_entry node0_entries[] = {
	RO("cpulist", sysfs_cpu_list),
	RO("cpumap", sysfs_cpu_map),
	PSEUDO_TEXT("distance", "10\n"),
	RO("meminfo", show_node_meminfo),
	PSEUDO_TEXT("numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
				"local_node 0\nother_node 0\n"),
	{ 0 },
};

const struct pseudo_entry sysfs_node_entries[] = {
	PSEUDO_TEXT("has_cpu", "0\n"),
	PSEUDO_TEXT("has_memory", "0\n"),
	PSEUDO_TEXT("has_normal_memory", "0\n"),
	PSEUDO_DIR("node0", .children = node0_entries),
	PSEUDO_TEXT("online", "0\n"),
	PSEUDO_TEXT("possible", "0\n"),
	{ 0 },
};
