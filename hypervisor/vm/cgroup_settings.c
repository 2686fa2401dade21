// SPDX-License-Identifier: Apache-2.0
/* From linux.resources to files and values, for version 1 and for version 2. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/cgroup.h"

#define RES "linux.resources."

static void __attribute__((format(printf, 5, 6)))
put(struct cgroup_settings *out, const char *property, const char *controller, const char *file,
    const char *fmt, ...)
{
	struct cgroup_setting *s = &out->v[out->n];
	va_list ap;

	if (out->n == CGROUP_SETTINGS_MAX)
		return;
	*s = (struct cgroup_setting){ .property = property, .controller = controller,
				      .file = file };
	va_start(ap, fmt);
	vsnprintf(s->value, sizeof(s->value), fmt, ap);
	va_end(ap);
	out->n++;
}

static void put_opt(struct cgroup_settings *out, struct oci_opt value, const char *property,
		    const char *controller, const char *file)
{
	if (value.set)
		put(out, property, controller, file, "%" PRId64, value.v);
}

static void put_u64(struct cgroup_settings *out, struct oci_opt_u64 value, const char *property,
		    const char *controller, const char *file)
{
	if (value.set)
		put(out, property, controller, file, "%" PRIu64, value.v);
}

/* Engines write a 0 for "not given" where 0 makes no sense as a limit. */
static struct oci_opt nonzero(struct oci_opt value)
{
	value.set = value.set && value.v;
	return value;
}

static struct oci_opt_u64 nonzero_u64(struct oci_opt_u64 value)
{
	value.set = value.set && value.v;
	return value;
}

static void memory_v1(const struct oci_memory *m, struct cgroup_settings *out)
{
	put_opt(out, nonzero(m->limit), RES "memory.limit", "memory", "memory.limit_in_bytes");
	/* after the limit: memory and swap together can't be less than memory */
	put_opt(out, nonzero(m->swap), RES "memory.swap", "memory",
		"memory.memsw.limit_in_bytes");
	put_opt(out, nonzero(m->reservation), RES "memory.reservation", "memory",
		"memory.soft_limit_in_bytes");
	put_opt(out, nonzero(m->kernel_tcp), RES "memory.kernelTCP", "memory",
		"memory.kmem.tcp.limit_in_bytes");
	put_u64(out, m->swappiness, RES "memory.swappiness", "memory", "memory.swappiness");
	if (m->disable_oom_killer)
		put(out, RES "memory.disableOOMKiller", "memory", "memory.oom_control", "1");
}

static void cpu_v1(const struct oci_cpu *c, struct cgroup_settings *out)
{
	put_u64(out, nonzero_u64(c->shares), RES "cpu.shares", "cpu", "cpu.shares");
	put_u64(out, nonzero_u64(c->period), RES "cpu.period", "cpu", "cpu.cfs_period_us");
	put_opt(out, nonzero(c->quota), RES "cpu.quota", "cpu", "cpu.cfs_quota_us");
	put_u64(out, c->burst, RES "cpu.burst", "cpu", "cpu.cfs_burst_us");
	put_opt(out, c->idle, RES "cpu.idle", "cpu", "cpu.idle");
}

static void cpuset_both(const struct oci_cpu *c, struct cgroup_settings *out)
{
	if (c->cpus && c->cpus[0])
		put(out, RES "cpu.cpus", "cpuset", "cpuset.cpus", "%s", c->cpus);
	if (c->mems && c->mems[0])
		put(out, RES "cpu.mems", "cpuset", "cpuset.mems", "%s", c->mems);
}

/* -1 and other negative values: no limit */
static void put_limit(struct cgroup_settings *out, int64_t value, const char *property,
		      const char *controller, const char *file)
{
	if (value < 0)
		put(out, property, controller, file, "max");
	else
		put(out, property, controller, file, "%" PRId64, value);
}

static int memory_v2(const struct oci_memory *m, struct cgroup_settings *out, struct error *err)
{
	if (m->limit.set && m->limit.v)
		put_limit(out, m->limit.v, RES "memory.limit", "memory", "memory.max");
	if (m->reservation.set && m->reservation.v)
		put_limit(out, m->reservation.v, RES "memory.reservation", "memory", "memory.low");
	if (m->swappiness.set)
		return error_set(err, ENOTSUP, RES "memory.swappiness: cgroup v2 has none");
	if (!m->swap.set || !m->swap.v)
		return 0;
	if (m->swap.v < 0) {
		put_limit(out, -1, RES "memory.swap", "memory", "memory.swap.max");
		return 0;
	}
	/* the property counts memory and swap together, the file swap alone */
	if (!m->limit.set || m->limit.v <= 0 || m->swap.v < m->limit.v)
		return error_set(err, EINVAL,
				 RES "memory.swap: must not be below memory.limit");
	put_limit(out, m->swap.v - m->limit.v, RES "memory.swap", "memory", "memory.swap.max");
	return 0;
}

static void cpu_v2(const struct oci_cpu *c, struct cgroup_settings *out)
{
	if (c->shares.set && c->shares.v) {
		/* [2..262144] to [1..10000], as every runtime does it */
		uint64_t shares = c->shares.v < 2 ? 2 : c->shares.v > 262144 ? 262144 : c->shares.v;

		put(out, RES "cpu.shares", "cpu", "cpu.weight", "%" PRIu64,
		    1 + (shares - 2) * 9999 / 262142);
	}
	if ((c->quota.set && c->quota.v) || (c->period.set && c->period.v)) {
		uint64_t period = c->period.set && c->period.v ? c->period.v : 100000;

		if (c->quota.set && c->quota.v > 0)
			put(out, RES "cpu.quota", "cpu", "cpu.max", "%" PRId64 " %" PRIu64,
			    c->quota.v, period);
		else
			put(out, RES "cpu.quota", "cpu", "cpu.max", "max %" PRIu64, period);
	}
	put_u64(out, c->burst, RES "cpu.burst", "cpu", "cpu.max.burst");
	put_opt(out, c->idle, RES "cpu.idle", "cpu", "cpu.idle");
}

static int unified(const struct oci_pairs *pairs, struct cgroup_settings *out,
		   struct error *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const char *key = pairs->v[i].key;

		if (strchr(key, '/') || !strchr(key, '.') || key[0] == '.' ||
		    strlen(pairs->v[i].value) >= sizeof(out->v[0].value))
			return error_set(err, EINVAL, RES "unified.%s: not a cgroup file", key);
		put(out, RES "unified", "", key, "%s", pairs->v[i].value);
	}
	return 0;
}

int cgroup_settings(const struct oci_resources *res, bool v2, struct cgroup_settings *out,
		    struct error *err)
{
	int ret;

	out->n = 0;
	if (v2) {
		ret = memory_v2(&res->memory, out, err);
		if (ret)
			return ret;
		cpu_v2(&res->cpu, out);
	} else {
		memory_v1(&res->memory, out);
		cpu_v1(&res->cpu, out);
		if (res->unified.n)
			return error_set(err, ENOTSUP, RES "unified: the host has cgroup v1");
	}
	cpuset_both(&res->cpu, out);
	/* 0 and below: no limit */
	if (res->pids_limit.set && res->pids_limit.v)
		put_limit(out, res->pids_limit.v, RES "pids.limit", "pids", "pids.max");
	ret = unified(&res->unified, out, err);
	if (!ret && out->n == CGROUP_SETTINGS_MAX)
		ret = error_set(err, E2BIG, "linux.resources: too many values");
	return ret;
}
