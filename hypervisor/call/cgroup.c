// SPDX-License-Identifier: Apache-2.0
/*
 * The container's own cgroup as its guest may read it: a table of files by number. The guest knows version 2
 * only; what a host with version 1 has in other files and units is put into that form here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/control.h"
#include "call/server_impl.h"
#include "lib/cleanup.h"

#define TEXT_MAX 16384
/* Version 1 says "no limit" by the highest number of pages. */
#define NO_LIMIT 0x7ffffffffffff000ULL

struct out {
	char *text;
	size_t room, used;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->text + o->used, o->room - o->used, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < o->room - o->used)
		o->used += (size_t)n;
}

/* Bytes or -errno; terminated. */
static int slurp(int dir, const char *file, char *to, size_t room)
{
	int fd = dir < 0 ? -1 : openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, more;

	to[0] = '\0';
	if (fd < 0)
		return -ENOENT;
	while ((size_t)n < room - 1 && (more = read(fd, to + n, room - 1 - (size_t)n)) > 0)
		n += more;
	close(fd);
	to[n] = '\0';
	return (int)n;
}

static bool number(int dir, const char *file, u64 *value)
{
	char text[64];

	if (slurp(dir, file, text, sizeof(text)) <= 0)
		return false;
	*value = strtoull(text, NULL, 10);
	return true;
}

/* In the line "key N" of a text; 0 if it has none. */
static u64 keyed(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; (p = strstr(p, key)); p += n) {
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return strtoull(p + n, NULL, 10);
	}
	return 0;
}

static void put_limit(struct out *o, u64 limit)
{
	if (limit >= NO_LIMIT)
		put(o, "max\n");
	else
		put(o, "%" PRIu64 "\n", limit);
}

/* ---- version 1 ---- */

static int v1_number(struct out *o, int dir, const char *file)
{
	u64 value;

	if (!number(dir, file, &value))
		return -ENOENT;
	put(o, "%" PRIu64 "\n", value);
	return 0;
}

static int memory_current(const int *dirs, struct out *o)
{
	return v1_number(o, dirs[PV_DIR_MEMORY], "memory.usage_in_bytes");
}

static int memory_peak(const int *dirs, struct out *o)
{
	return v1_number(o, dirs[PV_DIR_MEMORY], "memory.max_usage_in_bytes");
}

static int memory_max(const int *dirs, struct out *o)
{
	u64 limit;

	if (!number(dirs[PV_DIR_MEMORY], "memory.limit_in_bytes", &limit))
		return -ENOENT;
	put_limit(o, limit);
	return 0;
}

/* A soft limit is what is left to a cgroup when there is little. */
static int memory_low(const int *dirs, struct out *o)
{
	u64 limit;

	if (!number(dirs[PV_DIR_MEMORY], "memory.soft_limit_in_bytes", &limit))
		return -ENOENT;
	put(o, "%" PRIu64 "\n", limit >= NO_LIMIT ? 0 : limit);
	return 0;
}

static int memory_high(const int *dirs, struct out *o)
{
	put(o, "max\n");
	return dirs[PV_DIR_MEMORY] < 0 ? -ENOENT : 0;
}

/* Version 1 counts memory and swap together. */
static int swap_current(const int *dirs, struct out *o)
{
	u64 both, memory;

	if (!number(dirs[PV_DIR_MEMORY], "memory.memsw.usage_in_bytes", &both) ||
	    !number(dirs[PV_DIR_MEMORY], "memory.usage_in_bytes", &memory))
		return -ENOENT;
	put(o, "%" PRIu64 "\n", both > memory ? both - memory : 0);
	return 0;
}

static int swap_max(const int *dirs, struct out *o)
{
	u64 both, memory;

	if (!number(dirs[PV_DIR_MEMORY], "memory.memsw.limit_in_bytes", &both) ||
	    !number(dirs[PV_DIR_MEMORY], "memory.limit_in_bytes", &memory))
		return -ENOENT;
	put_limit(o, both >= NO_LIMIT || both < memory ? both : both - memory);
	return 0;
}

static int memory_events(const int *dirs, struct out *o)
{
	char text[1024];
	u64 failures, kills;

	if (!number(dirs[PV_DIR_MEMORY], "memory.failcnt", &failures))
		return -ENOENT;
	slurp(dirs[PV_DIR_MEMORY], "memory.oom_control", text, sizeof(text));
	kills = keyed(text, "oom_kill");
	put(o, "low 0\nhigh 0\nmax %" PRIu64 "\noom %" PRIu64 "\noom_kill %" PRIu64 "\noom_group_kill 0\n",
	    failures, kills, kills);
	return 0;
}

static int memory_stat(const int *dirs, struct out *o)
{
	static const char *const names[][2] = {
		{ "anon", "total_rss" },
		{ "file", "total_cache" },
		{ "shmem", "total_shmem" },
		{ "file_mapped", "total_mapped_file" },
		{ "file_dirty", "total_dirty" },
		{ "file_writeback", "total_writeback" },
		{ "swapcached", "total_swapcached" },
		{ "anon_thp", "total_rss_huge" },
		{ "inactive_anon", "total_inactive_anon" },
		{ "active_anon", "total_active_anon" },
		{ "inactive_file", "total_inactive_file" },
		{ "active_file", "total_active_file" },
		{ "unevictable", "total_unevictable" },
		{ "workingset_refault_anon", "total_workingset_refault_anon" },
		{ "workingset_refault_file", "total_workingset_refault_file" },
		{ "pgfault", "total_pgfault" },
		{ "pgmajfault", "total_pgmajfault" },
	};
	char text[8192];
	u64 kernel;

	if (slurp(dirs[PV_DIR_MEMORY], "memory.stat", text, sizeof(text)) <= 0)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put(o, "%s %" PRIu64 "\n", names[i][0], keyed(text, names[i][1]));
	if (number(dirs[PV_DIR_MEMORY], "memory.kmem.usage_in_bytes", &kernel))
		put(o, "kernel %" PRIu64 "\n", kernel);
	return 0;
}

static int cpu_max(const int *dirs, struct out *o)
{
	u64 period;
	char quota[64];

	if (slurp(dirs[PV_DIR_CPU], "cpu.cfs_quota_us", quota, sizeof(quota)) <= 0 ||
	    !number(dirs[PV_DIR_CPU], "cpu.cfs_period_us", &period))
		return -ENOENT;
	if (quota[0] == '-')
		put(o, "max %" PRIu64 "\n", period);
	else
		put(o, "%llu %" PRIu64 "\n", strtoull(quota, NULL, 10), period);
	return 0;
}

/* Both defaults, 1024 shares and a weight of 100, are the same here: what the kernel's scheduler has it. */
static int cpu_weight(const int *dirs, struct out *o)
{
	u64 shares, weight;

	if (!number(dirs[PV_DIR_CPU], "cpu.shares", &shares))
		return -ENOENT;
	weight = (shares * 100 + 512) / 1024;
	put(o, "%" PRIu64 "\n", weight < 1 ? 1 : weight > 10000 ? 10000 : weight);
	return 0;
}

static int cpu_stat(const int *dirs, struct out *o)
{
	u64 total, user = 0, system = 0;
	char text[1024];

	if (!number(dirs[PV_DIR_CPUACCT], "cpuacct.usage", &total))
		return -ENOENT;
	(void)!number(dirs[PV_DIR_CPUACCT], "cpuacct.usage_user", &user);
	(void)!number(dirs[PV_DIR_CPUACCT], "cpuacct.usage_sys", &system);
	slurp(dirs[PV_DIR_CPU], "cpu.stat", text, sizeof(text));
	put(o, "usage_usec %" PRIu64 "\nuser_usec %" PRIu64 "\nsystem_usec %" PRIu64 "\n", total / 1000,
	    user / 1000, system / 1000);
	put(o, "nr_periods %" PRIu64 "\nnr_throttled %" PRIu64 "\nthrottled_usec %" PRIu64 "\n",
	    keyed(text, "nr_periods"), keyed(text, "nr_throttled"), keyed(text, "throttled_time") / 1000);
	put(o, "nr_bursts %" PRIu64 "\nburst_usec %" PRIu64 "\n", keyed(text, "nr_bursts"),
	    keyed(text, "burst_time") / 1000);
	return 0;
}

/* "8:0 Read 4096": of this device and kind */
static u64 io_value(const char *text, const char *device, const char *kind)
{
	char line[64];
	const char *p;
	int n = snprintf(line, sizeof(line), "%s %s ", device, kind);

	p = strstr(text, line);
	return p && (p == text || p[-1] == '\n') ? strtoull(p + n, NULL, 10) : 0;
}

static int io_stat(const int *dirs, struct out *o)
{
	char bytes[8192], operations[8192], device[32];

	if (slurp(dirs[PV_DIR_IO], "blkio.throttle.io_service_bytes", bytes, sizeof(bytes)) < 0)
		return -ENOENT;
	slurp(dirs[PV_DIR_IO], "blkio.throttle.io_serviced", operations, sizeof(operations));
	for (const char *p = bytes; p && *p; p = (p = strchr(p, '\n')) ? p + 1 : NULL) {
		if (sscanf(p, "%31[0-9:] Read", device) != 1 || !strchr(device, ':') ||
		    strncmp(p + strlen(device), " Read ", 6))
			continue;
		put(o, "%s rbytes=%" PRIu64 " wbytes=%" PRIu64 " rios=%" PRIu64 " wios=%" PRIu64, device,
		    io_value(bytes, device, "Read"), io_value(bytes, device, "Write"),
		    io_value(operations, device, "Read"), io_value(operations, device, "Write"));
		put(o, " dbytes=%" PRIu64 " dios=%" PRIu64 "\n", io_value(bytes, device, "Discard"),
		    io_value(operations, device, "Discard"));
	}
	return 0;
}

/* ---- the table ---- */

/* Version 1 has what it lacks by a function, or under the same name. */
static const struct source {
	const char *file;
	enum pv_cgroup_dir dir;
	int (*v1)(const int *dirs, struct out *o);
} sources[PV_CG_FILES] = {
	[PV_CG_MEMORY_CURRENT] = { "memory.current", PV_DIR_MEMORY, memory_current },
	[PV_CG_MEMORY_MAX] = { "memory.max", PV_DIR_MEMORY, memory_max },
	[PV_CG_MEMORY_HIGH] = { "memory.high", PV_DIR_MEMORY, memory_high },
	[PV_CG_MEMORY_LOW] = { "memory.low", PV_DIR_MEMORY, memory_low },
	[PV_CG_MEMORY_PEAK] = { "memory.peak", PV_DIR_MEMORY, memory_peak },
	[PV_CG_MEMORY_EVENTS] = { "memory.events", PV_DIR_MEMORY, memory_events },
	[PV_CG_MEMORY_STAT] = { "memory.stat", PV_DIR_MEMORY, memory_stat },
	[PV_CG_SWAP_CURRENT] = { "memory.swap.current", PV_DIR_MEMORY, swap_current },
	[PV_CG_SWAP_MAX] = { "memory.swap.max", PV_DIR_MEMORY, swap_max },
	[PV_CG_CPU_MAX] = { "cpu.max", PV_DIR_CPU, cpu_max },
	[PV_CG_CPU_WEIGHT] = { "cpu.weight", PV_DIR_CPU, cpu_weight },
	[PV_CG_CPU_STAT] = { "cpu.stat", PV_DIR_CPU, cpu_stat },
	[PV_CG_PIDS_CURRENT] = { "pids.current", PV_DIR_PIDS, NULL },
	[PV_CG_PIDS_MAX] = { "pids.max", PV_DIR_PIDS, NULL },
	[PV_CG_PIDS_EVENTS] = { "pids.events", PV_DIR_PIDS, NULL },
	[PV_CG_IO_STAT] = { "io.stat", PV_DIR_IO, io_stat },
};

int cgroup_file_decode(struct call *c)
{
	return c->req.u.ctl.arg < PV_CG_FILES ? 0 : violation(c, "arg", "a cgroup file that does not exist");
}

int cgroup_file_read(struct call *c)
{
	const struct source *s = &sources[c->req.u.ctl.arg];
	const struct pv_server_config *cfg = &c->srv->cfg;
	cleanup_free char *text = malloc(TEXT_MAX);
	struct out o = { text, TEXT_MAX, 0 };
	int ret;

	if (!text)
		return -ENOMEM;
	if (cfg->cgroup_v2 || !s->v1) {
		ret = slurp(cfg->cgroup[s->dir], s->file, text, TEXT_MAX);
	} else {
		ret = s->v1(cfg->cgroup, &o);
		ret = ret ? ret : (int)o.used;
	}
	if (ret > 0)
		memcpy(c->buf, text, (size_t)ret);
	return ret;
}
