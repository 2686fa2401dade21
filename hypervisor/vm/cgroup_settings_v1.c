// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vm/cgroup_impl.h"

#define RES "linux.resources."

/* Values that don't fit together while only one of them is new are tried again: cgroup_apply(). */
static int memory(const struct oci_memory *m, struct cgroup_settings *out, struct error *err)
{
	if (m->swappiness.set && m->swappiness.v > 100 && m->swappiness.v != UINT64_MAX)
		return error_set(err, EINVAL, RES "memory.swappiness: %" PRIu64 " is not 0 to 100",
				 m->swappiness.v);
	cgroup_put_opt(out, m->limit, RES "memory.limit", "memory", "memory.limit_in_bytes");
	cgroup_put_opt(out, m->swap, RES "memory.swap", "memory", "memory.memsw.limit_in_bytes");
	/* without a limit of memory that of both makes no sense; a kernel may count no swap */
	if (m->limit.set && m->limit.v == -1 && (!m->swap.set || !m->swap.v))
		cgroup_put(out, RES "memory.swap", "memory", "memory.memsw.limit_in_bytes", "-1")
			->optional = true;
	cgroup_put_opt(out, m->reservation, RES "memory.reservation", "memory",
		       "memory.soft_limit_in_bytes");
	cgroup_put_opt(out, m->kernel_tcp, RES "memory.kernelTCP", "memory",
		       "memory.kmem.tcp.limit_in_bytes");
	if (m->swappiness.set && m->swappiness.v <= 100)
		cgroup_put(out, RES "memory.swappiness", "memory", "memory.swappiness", "%" PRIu64,
			   m->swappiness.v);
	if (m->disable_oom_killer)
		cgroup_put(out, RES "memory.disableOOMKiller", "memory", "memory.oom_control", "1");
	return 0;
}

static void cpu(const struct oci_cpu *c, struct cgroup_settings *out)
{
	cgroup_put_u64(out, c->shares, RES "cpu.shares", "cpu", "cpu.shares");
	cgroup_put_u64(out, c->period, RES "cpu.period", "cpu", "cpu.cfs_period_us");
	if (c->burst.set)
		cgroup_put(out, RES "cpu.burst", "cpu", "cpu.cfs_burst_us", "%" PRIu64, c->burst.v);
	cgroup_put_opt(out, c->quota, RES "cpu.quota", "cpu", "cpu.cfs_quota_us");
	if (c->idle.set)
		cgroup_put(out, RES "cpu.idle", "cpu", "cpu.idle", "%" PRId64, c->idle.v);
	cgroup_put_u64(out, c->realtime_period, RES "cpu.realtimePeriod", "cpu", "cpu.rt_period_us");
	cgroup_put_opt(out, c->realtime_runtime, RES "cpu.realtimeRuntime", "cpu",
		       "cpu.rt_runtime_us");
}

static void throttles(const struct oci_throttles *list, const char *name, const char *file,
		      struct cgroup_settings *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_throttle *t = &list->v[i];

		cgroup_put(out, arena_printf(&out->arena, RES "blockIO.%s[%zu]", name, i), "blkio",
			   file, "%" PRId64 ":%" PRId64 " %" PRIu64, t->major, t->minor, t->rate);
	}
}

static void weight_device(const struct oci_weight_device *d, const char *name,
			  struct cgroup_settings *out)
{
	if (d->weight.set && d->weight.v)
		cgroup_put(out, name, "blkio", "blkio.weight_device",
			   "%" PRId64 ":%" PRId64 " %" PRId64, d->major, d->minor, d->weight.v)
			->fallback = "blkio.bfq.weight_device";
	if (d->leaf_weight.set && d->leaf_weight.v)
		cgroup_put(out, name, "blkio", "blkio.leaf_weight_device",
			   "%" PRId64 ":%" PRId64 " %" PRId64, d->major, d->minor,
			   d->leaf_weight.v);
}

static void block_io(const struct oci_block_io *b, struct cgroup_settings *out)
{
	if (b->weight.set && b->weight.v)
		cgroup_put(out, RES "blockIO.weight", "blkio", "blkio.weight", "%" PRId64,
			   b->weight.v)
			->fallback = "blkio.bfq.weight";
	cgroup_put_opt(out, b->leaf_weight, RES "blockIO.leafWeight", "blkio", "blkio.leaf_weight");
	for (size_t i = 0; i < b->n_weight_devices; i++)
		weight_device(&b->weight_devices[i],
			      arena_printf(&out->arena, RES "blockIO.weightDevice[%zu]", i), out);
	throttles(&b->read_bps, "throttleReadBpsDevice", "blkio.throttle.read_bps_device", out);
	throttles(&b->write_bps, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", out);
	throttles(&b->read_iops, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", out);
	throttles(&b->write_iops, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", out);
}

static void network(const struct oci_resources *r, struct cgroup_settings *out)
{
	cgroup_put_opt(out, r->net_class_id, RES "network.classID", "net_cls", "net_cls.classid");
	for (size_t i = 0; i < r->n_net_priorities; i++)
		cgroup_put(out, arena_printf(&out->arena, RES "network.priorities[%zu]", i),
			   "net_prio", "net_prio.ifpriomap", "%s %u", r->net_priorities[i].name,
			   r->net_priorities[i].priority);
}

int cgroup_settings_v1(const struct oci_resources *res, struct cgroup_settings *out,
		       struct error *err)
{
	int ret = memory(&res->memory, out, err);

	if (ret)
		return ret;
	if (res->unified.n)
		return error_set(err, ENOTSUP, RES "unified: cannot use it on cgroup v1, which this host has");
	cpu(&res->cpu, out);
	block_io(&res->block_io, out);
	network(res, out);
	return 0;
}
