// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vm/cgroup_impl.h"

#define RES "linux.resources."

/* What version 2 has no file for, and what would have to be in it. */
static int refuse_v1_only(const struct oci_resources *r, struct error *err)
{
	const struct {
		bool present;
		const char *name;
	} list[] = {
		{ r->memory.swappiness.set && r->memory.swappiness.v != UINT64_MAX,
		  "memory.swappiness" },
		{ r->memory.disable_oom_killer, "memory.disableOOMKiller" },
		{ r->memory.kernel_tcp.set && r->memory.kernel_tcp.v > 0, "memory.kernelTCP" },
		{ r->cpu.realtime_runtime.set && r->cpu.realtime_runtime.v, "cpu.realtimeRuntime" },
		{ r->cpu.realtime_period.set && r->cpu.realtime_period.v, "cpu.realtimePeriod" },
		{ r->block_io.leaf_weight.set && r->block_io.leaf_weight.v, "blockIO.leafWeight" },
		{ r->net_class_id.set && r->net_class_id.v, "network.classID" },
		{ r->n_net_priorities, "network.priorities" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i].present)
			return error_set(err, ENOTSUP, RES "%s: cgroup v2 has none", list[i].name);
	}
	return 0;
}

static void put_max(struct cgroup_settings *out, struct oci_opt value, const char *property,
		    const char *file)
{
	if (value.set && value.v < 0)
		cgroup_put(out, property, "memory", file, "max");
	else
		cgroup_put_opt(out, value, property, "memory", file);
}

/* The property counts memory and swap together, the file swap alone. */
static int swap(const struct oci_memory *m, struct cgroup_settings *out, struct error *err)
{
	int64_t limit = m->limit.set ? m->limit.v : 0;
	int64_t both = m->swap.set ? m->swap.v : 0;
	struct cgroup_setting *s;

	if (!both && limit != -1)
		return 0;
	if (both <= 0) {
		s = cgroup_put(out, RES "memory.swap", "memory", "memory.swap.max", "max");
		s->optional = true; /* a kernel without swap accounting has none to limit */
		return 0;
	}
	if (limit <= 0)
		return error_set(err, EINVAL,
				 RES "memory.swap: unable to set swap limit without memory limit");
	if (both < limit)
		return error_set(err, EINVAL, RES "memory.swap: must not be below memory.limit");
	s = cgroup_put(out, RES "memory.swap", "memory", "memory.swap.max", "%" PRId64, both - limit);
	s->optional = both == limit;
	return 0;
}

static void cpu(const struct oci_cpu *c, struct cgroup_settings *out)
{
	int64_t quota = c->quota.set ? c->quota.v : 0;
	uint64_t period = c->period.set ? c->period.v : 0;

	if (c->idle.set)
		cgroup_put(out, RES "cpu.idle", "cpu", "cpu.idle", "%" PRId64, c->idle.v);
	if (c->shares.set && c->shares.v)
		cgroup_put(out, RES "cpu.shares", "cpu", "cpu.weight", "%" PRIu64,
			   cgroup_weight_of_shares(c->shares.v));
	if (c->burst.set)
		cgroup_put(out, RES "cpu.burst", "cpu", "cpu.max.burst", "%" PRIu64, c->burst.v);
	if (quota > 0)
		cgroup_put(out, RES "cpu.quota", "cpu", "cpu.max", "%" PRId64 " %" PRIu64, quota,
			   period ? period : 100000);
	else if (quota || period)
		cgroup_put(out, quota ? RES "cpu.quota" : RES "cpu.period", "cpu", "cpu.max",
			   "max %" PRIu64, period ? period : 100000);
}

static void throttles(const struct oci_throttles *list, const char *name, const char *key,
		      struct cgroup_settings *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_throttle *t = &list->v[i];
		char *property = arena_printf(&out->arena, RES "blockIO.%s[%zu]", name, i);
		char rate[32] = "max";

		/* 0 takes a limit away in version 1; here it would not be accepted */
		if (t->rate)
			snprintf(rate, sizeof(rate), "%" PRIu64, t->rate);
		cgroup_put(out, property, "io", "io.max", "%" PRId64 ":%" PRId64 " %s=%s", t->major,
			   t->minor, key, rate);
	}
}

static int weight_devices(const struct oci_block_io *b, struct cgroup_settings *out,
			  struct error *err)
{
	for (size_t i = 0; i < b->n_weight_devices; i++) {
		const struct oci_weight_device *d = &b->weight_devices[i];
		char *property = arena_printf(&out->arena, RES "blockIO.weightDevice[%zu]", i);

		if (d->leaf_weight.set && d->leaf_weight.v)
			return error_set(err, ENOTSUP, "%s.leafWeight: cgroup v2 has none",
					 property);
		/* io.weight has another scale, and is of another scheduler */
		if (d->weight.set && d->weight.v)
			cgroup_put(out, property, "io", "io.bfq.weight",
				   "%" PRId64 ":%" PRId64 " %" PRId64, d->major, d->minor,
				   d->weight.v);
	}
	return 0;
}

static int block_io(const struct oci_block_io *b, struct cgroup_settings *out, struct error *err)
{
	uint64_t weight = b->weight.set ? (uint64_t)b->weight.v : 0;

	if (weight) {
		struct cgroup_setting *set = cgroup_put(out, RES "blockIO.weight", "io",
							"io.bfq.weight", "%" PRIu64, weight);

		/* whichever of the two schedulers is there */
		set->fallback = "io.weight";
		set->fallback_value = arena_printf(&out->arena, "%" PRIu64,
						   cgroup_weight_of_blkio(weight));
	}
	throttles(&b->read_bps, "throttleReadBpsDevice", "rbps", out);
	throttles(&b->write_bps, "throttleWriteBpsDevice", "wbps", out);
	throttles(&b->read_iops, "throttleReadIOPSDevice", "riops", out);
	throttles(&b->write_iops, "throttleWriteIOPSDevice", "wiops", out);
	return weight_devices(b, out, err);
}

int cgroup_settings_v2(const struct oci_resources *res, struct cgroup_settings *out,
		       struct error *err)
{
	int ret = refuse_v1_only(res, err);

	if (ret)
		return ret;
	out->check_usage = res->memory.check_before_update;
	put_max(out, res->memory.limit, RES "memory.limit", "memory.max");
	put_max(out, res->memory.reservation, RES "memory.reservation", "memory.low");
	ret = swap(&res->memory, out, err);
	if (ret)
		return ret;
	cpu(&res->cpu, out);
	return block_io(&res->block_io, out, err);
}
