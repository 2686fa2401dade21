// SPDX-License-Identifier: Apache-2.0
/*
 * The cgroup as a transient scope. systemd is told the limits it knows properties for, as it
 * writes the files anew whenever it reloads; all of them are then written to the files as
 * well, exactly.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/cgroup_impl.h"
#include "vm/systemd.h"

#define UNIT_EXISTS "org.freedesktop.systemd1.UnitExists"
#define NO_SUCH_UNIT "org.freedesktop.systemd1.NoSuchUnit"
#define CPUSET_BYTES 1024

struct request {
	const struct cgroup_where *where;
	const struct oci_resources *res;
	bool unified;
	pid_t pid;
};

static const char *unit_name(const struct cgroup_where *where)
{
	return strrchr(where->path, '/') + 1;
}

static void put_u64(struct systemd *sd, sd_bus_message *m, const char *name, uint64_t value)
{
	sd->append(m, "(sv)", name, "t", value);
}

static void put_bool(struct systemd *sd, sd_bus_message *m, const char *name)
{
	sd->append(m, "(sv)", name, "b", 1);
}

/* Version 1's and 2's -1 is the property's highest number. */
static void put_limit(struct systemd *sd, sd_bus_message *m, const char *name, struct oci_opt value)
{
	if (value.set && value.v)
		put_u64(sd, m, name, value.v < 0 ? UINT64_MAX : (uint64_t)value.v);
}

/* systemd keeps whole percents of a CPU. */
static void put_quota(struct systemd *sd, sd_bus_message *m, int64_t quota, uint64_t period)
{
	uint64_t per_second = UINT64_MAX;

	if (!quota && !period)
		return;
	if (period)
		put_u64(sd, m, "CPUQuotaPeriodUSec", period);
	if (quota > 0) {
		per_second = (uint64_t)quota * 1000000 / (period ? period : 100000);
		per_second = (per_second + 9999) / 10000 * 10000;
	}
	put_u64(sd, m, "CPUQuotaPerSecUSec", per_second);
}

/* "0-2,7" to a mask of bits, the lowest byte first. 0 bytes: not a list. */
static size_t parse_list(const char *list, unsigned char mask[CPUSET_BYTES])
{
	size_t used = 0;

	memset(mask, 0, CPUSET_BYTES);
	while (*list) {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		if (end == list || to < from || to >= CPUSET_BYTES * 8 || (*end && *end != ','))
			return 0;
		for (unsigned long i = from; i <= to; i++)
			mask[i / 8] |= (unsigned char)(1 << i % 8);
		if (to / 8 + 1 > used)
			used = to / 8 + 1;
		list = end + (*end == ',');
	}
	return used;
}

static void put_list(struct systemd *sd, sd_bus_message *m, const char *name, const char *list)
{
	unsigned char mask[CPUSET_BYTES];
	size_t n = list ? parse_list(list, mask) : 0;

	if (!n)
		return;
	sd->open(m, 'r', "sv");
	sd->append(m, "s", name);
	sd->open(m, 'v', "ay");
	sd->append_array(m, 'y', mask, n);
	sd->close(m);
	sd->close(m);
}

static void put_v1(struct systemd *sd, sd_bus_message *m, const struct oci_resources *r)
{
	put_limit(sd, m, "MemoryLimit", r->memory.limit);
	if (r->cpu.shares.set && r->cpu.shares.v)
		put_u64(sd, m, "CPUShares", r->cpu.shares.v);
	put_limit(sd, m, "BlockIOWeight", r->block_io.weight);
}

static void put_swap(struct systemd *sd, sd_bus_message *m, const struct oci_memory *mem)
{
	if (mem->swap.set && mem->swap.v < 0)
		put_u64(sd, m, "MemorySwapMax", UINT64_MAX);
	else if (mem->swap.set && mem->swap.v && mem->limit.set && mem->swap.v >= mem->limit.v)
		put_u64(sd, m, "MemorySwapMax", (uint64_t)(mem->swap.v - mem->limit.v));
}

/* What linux.resources.unified says by a file's name and systemd by a property. */
static void put_unified(struct systemd *sd, sd_bus_message *m, const struct oci_pairs *unified)
{
	static const char *const numbers[][2] = {
		{ "memory.max", "MemoryMax" },	{ "memory.high", "MemoryHigh" },
		{ "memory.low", "MemoryLow" },	{ "memory.min", "MemoryMin" },
		{ "memory.swap.max", "MemorySwapMax" }, { "pids.max", "TasksMax" },
		{ "cpu.weight", "CPUWeight" },
	};

	for (size_t i = 0; i < unified->n; i++) {
		const char *key = unified->v[i].key, *value = unified->v[i].value;
		uint64_t period = 100000;
		int64_t quota = -1;

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			if (!strcmp(key, numbers[k][0]))
				put_u64(sd, m, numbers[k][1],
					strncmp(value, "max", 3) ? strtoull(value, NULL, 10) : UINT64_MAX);
		if (!strcmp(key, "cpuset.cpus"))
			put_list(sd, m, "AllowedCPUs", value);
		if (!strcmp(key, "cpuset.mems"))
			put_list(sd, m, "AllowedMemoryNodes", value);
		if (!strcmp(key, "cpu.max")) {
			if (sscanf(value, "%" SCNd64 " %" SCNu64, &quota, &period) < 1)
				sscanf(value, "max %" SCNu64, &period);
			put_quota(sd, m, quota, period);
		}
	}
}

static void put_v2(struct systemd *sd, sd_bus_message *m, const struct oci_resources *r)
{
	put_limit(sd, m, "MemoryMax", r->memory.limit);
	put_limit(sd, m, "MemoryLow", r->memory.reservation);
	put_swap(sd, m, &r->memory);
	if (r->cpu.shares.set && r->cpu.shares.v && !(r->cpu.idle.set && r->cpu.idle.v))
		put_u64(sd, m, "CPUWeight", cgroup_weight_of_shares(r->cpu.shares.v));
	put_list(sd, m, "AllowedCPUs", r->cpu.cpus);
	put_list(sd, m, "AllowedMemoryNodes", r->cpu.mems);
}

static void put_resources(struct systemd *sd, sd_bus_message *m, const struct request *q)
{
	const struct oci_resources *r = q->res;

	if (q->unified)
		put_v2(sd, m, r);
	else
		put_v1(sd, m, r);
	put_quota(sd, m, r->cpu.quota.set ? r->cpu.quota.v : 0,
		  r->cpu.period.set ? r->cpu.period.v : 0);
	put_limit(sd, m, "TasksMax", r->pids_limit);
	put_unified(sd, m, &r->unified);
}

static void put_scope(struct systemd *sd, sd_bus_message *m, const struct request *q)
{
	const char *unit = unit_name(q->where);
	const char *slice = unit - 1;
	char description[300], parent[300] = "-.slice";

	snprintf(description, sizeof(description), "callgate container %.200s", unit);
	while (slice > q->where->path && slice[-1] != '/')
		slice--;
	/* the user's service is not a slice: a scope right in it is in the root slice */
	if (slice > q->where->path && unit - slice > 7 && !strncmp(unit - 7, ".slice/", 7))
		snprintf(parent, sizeof(parent), "%.*s", (int)(unit - slice - 1), slice);
	sd->append(m, "(sv)", "Description", "s", description);
	sd->append(m, "(sv)", "Slice", "s", parent);
	sd->append(m, "(sv)", "PIDs", "au", 1, (uint32_t)q->pid);
	sd->append(m, "(sv)", "DefaultDependencies", "b", 0);
	put_bool(sd, m, "Delegate");
	put_bool(sd, m, "MemoryAccounting");
	put_bool(sd, m, "CPUAccounting");
	put_bool(sd, m, q->unified ? "IOAccounting" : "BlockIOAccounting");
	put_bool(sd, m, "TasksAccounting");
}

static int start_once(struct systemd *sd, const struct request *q, char name[128],
		      struct error *err)
{
	sd_bus_message *m = systemd_method(sd, "StartTransientUnit");

	if (!m)
		return error_errno(err, ENOMEM, "systemd");
	sd->append(m, "ss", unit_name(q->where), "replace");
	sd->open(m, 'a', "(sv)");
	put_scope(sd, m, q);
	put_resources(sd, m, q);
	sd->close(m);
	sd->append(m, "a(sa(sv))", 0);
	return systemd_job(sd, m, name, err);
}

static void reset_failed(struct systemd *sd, const struct cgroup_where *where)
{
	sd_bus_message *m = systemd_method(sd, "ResetFailedUnit");
	struct error ignored;

	if (m && sd->append(m, "s", unit_name(where)) >= 0)
		(void)!systemd_call(sd, m, NULL, NULL, &ignored);
}

static int do_start(struct systemd *sd, const void *arg, struct error *err)
{
	const struct request *q = arg;
	char name[128] = "";
	int ret = start_once(sd, q, name, err);

	/* the remains of one that ended badly */
	if (ret && !strcmp(name, UNIT_EXISTS)) {
		reset_failed(sd, q->where);
		ret = start_once(sd, q, name, err);
	}
	if (ret)
		error_wrap(err, "linux.cgroupsPath: unable to start unit %s",
			   unit_name(q->where));
	return ret;
}

static int do_update(struct systemd *sd, const void *arg, struct error *err)
{
	const struct request *q = arg;
	sd_bus_message *m = systemd_method(sd, "SetUnitProperties");

	if (!m)
		return error_errno(err, ENOMEM, "systemd");
	sd->append(m, "sb", unit_name(q->where), 1);
	sd->open(m, 'a', "(sv)");
	put_resources(sd, m, q);
	sd->close(m);
	if (systemd_call(sd, m, NULL, NULL, err))
		return error_wrap(err, "unable to set properties of unit %s",
				  unit_name(q->where));
	return 0;
}

static int do_stop(struct systemd *sd, const void *arg, struct error *err)
{
	const struct request *q = arg;
	sd_bus_message *m = systemd_method(sd, "StopUnit");
	char name[128] = "";
	int ret;

	if (!m)
		return error_errno(err, ENOMEM, "systemd");
	sd->append(m, "ss", unit_name(q->where), "replace");
	ret = systemd_job(sd, m, name, err);
	if (ret && strcmp(name, NO_SUCH_UNIT))
		return error_wrap(err, "unable to stop unit %s", unit_name(q->where));
	reset_failed(sd, q->where);
	return 0;
}

int cgroup_systemd_start(const struct cgroup_where *where, bool unified,
			 const struct oci_resources *res, pid_t pid, struct error *err)
{
	struct request q = { .where = where, .res = res, .unified = unified, .pid = pid };

	return systemd_do(where->user, do_start, &q, err);
}

int cgroup_systemd_update(const struct cgroup_where *where, bool unified,
			  const struct oci_resources *res, struct error *err)
{
	struct request q = { .where = where, .res = res, .unified = unified };

	return systemd_do(where->user, do_update, &q, err);
}

int cgroup_systemd_stop(const struct cgroup_where *where, struct error *err)
{
	struct request q = { .where = where };

	return systemd_do(where->user, do_stop, &q, err);
}
