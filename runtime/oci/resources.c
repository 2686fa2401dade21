// SPDX-License-Identifier: Apache-2.0
/* linux.resources: config-linux.md#control-groups. Also what update's --resources holds. */
#include "oci/parts.h"

#include <string.h>

static int parse_rule_type(const struct json_at *at, void *base, struct arena *arena,
			   struct error *err)
{
	struct oci_device_rule *rule = base;
	const char *type = json_string_value(at->value);

	if (!type || (type[0] && (!strchr("abc", type[0]) || type[1])))
		return json_error(at, err, "expected \"a\", \"b\" or \"c\"");
	rule->type = arena_strdup(arena, type);
	return 0;
}

static const struct json_field device_rule_fields[] = {
	JSON_NEEDED(struct oci_device_rule, allow, "allow", BOOL),
	JSON_CALL("type", parse_rule_type),
	JSON_FIELD(struct oci_device_rule, major, "major", OPT),
	JSON_FIELD(struct oci_device_rule, minor, "minor", OPT),
	JSON_FIELD(struct oci_device_rule, access, "access", STRING),
	{ 0 },
};

static const struct json_field memory_fields[] = {
	JSON_FIELD(struct oci_memory, limit, "limit", OPT),
	JSON_FIELD(struct oci_memory, reservation, "reservation", OPT),
	JSON_FIELD(struct oci_memory, swap, "swap", OPT),
	JSON_FIELD(struct oci_memory, kernel, "kernel", OPT),
	JSON_FIELD(struct oci_memory, kernel_tcp, "kernelTCP", OPT),
	JSON_FIELD(struct oci_memory, swappiness, "swappiness", OPT_U64),
	JSON_FIELD(struct oci_memory, disable_oom_killer, "disableOOMKiller", BOOL),
	JSON_FIELD(struct oci_memory, use_hierarchy, "useHierarchy", BOOL),
	JSON_FIELD(struct oci_memory, check_before_update, "checkBeforeUpdate", BOOL),
	{ 0 },
};

static const struct json_field cpu_fields[] = {
	JSON_FIELD(struct oci_cpu, shares, "shares", OPT_U64),
	JSON_FIELD(struct oci_cpu, quota, "quota", OPT),
	JSON_FIELD(struct oci_cpu, burst, "burst", OPT_U64),
	JSON_FIELD(struct oci_cpu, period, "period", OPT_U64),
	JSON_FIELD(struct oci_cpu, realtime_runtime, "realtimeRuntime", OPT),
	JSON_FIELD(struct oci_cpu, realtime_period, "realtimePeriod", OPT_U64),
	JSON_FIELD(struct oci_cpu, cpus, "cpus", STRING),
	JSON_FIELD(struct oci_cpu, mems, "mems", STRING),
	JSON_FIELD(struct oci_cpu, idle, "idle", OPT),
	{ 0 },
};

static const struct json_field pids_fields[] = {
	JSON_FIELD(struct oci_resources, pids_limit, "limit", OPT),
	{ 0 },
};

static int parse_pids(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	return json_fields(at, pids_fields, base, arena, err);
}

static const struct json_field throttle_fields[] = {
	JSON_NEEDED(struct oci_throttle, major, "major", I64),
	JSON_NEEDED(struct oci_throttle, minor, "minor", I64),
	JSON_FIELD(struct oci_throttle, rate, "rate", U64),
	{ 0 },
};

static const struct json_field weight_device_fields[] = {
	JSON_NEEDED(struct oci_weight_device, major, "major", I64),
	JSON_NEEDED(struct oci_weight_device, minor, "minor", I64),
	JSON_FIELD(struct oci_weight_device, weight, "weight", OPT),
	JSON_FIELD(struct oci_weight_device, leaf_weight, "leafWeight", OPT),
	{ 0 },
};

#define THROTTLES(member, key) \
	JSON_ARRAY(struct oci_block_io, member.v, member.n, key, throttle_fields)

static const struct json_field block_io_fields[] = {
	JSON_FIELD(struct oci_block_io, weight, "weight", OPT),
	JSON_FIELD(struct oci_block_io, leaf_weight, "leafWeight", OPT),
	JSON_ARRAY(struct oci_block_io, weight_devices, n_weight_devices, "weightDevice",
		   weight_device_fields),
	THROTTLES(read_bps, "throttleReadBpsDevice"),
	THROTTLES(write_bps, "throttleWriteBpsDevice"),
	THROTTLES(read_iops, "throttleReadIOPSDevice"),
	THROTTLES(write_iops, "throttleWriteIOPSDevice"),
	{ 0 },
};

static const struct json_field hugepage_fields[] = {
	JSON_NEEDED(struct oci_hugepage_limit, page_size, "pageSize", STRING),
	JSON_NEEDED(struct oci_hugepage_limit, limit, "limit", U64),
	{ 0 },
};

static const struct json_field net_priority_fields[] = {
	JSON_NEEDED(struct oci_net_priority, name, "name", STRING),
	JSON_FIELD(struct oci_net_priority, priority, "priority", U32),
	{ 0 },
};

static const struct json_field network_fields[] = {
	JSON_FIELD(struct oci_resources, net_class_id, "classID", OPT),
	JSON_ARRAY(struct oci_resources, net_priorities, n_net_priorities, "priorities",
		   net_priority_fields),
	{ 0 },
};

static int parse_network(const struct json_at *at, void *base, struct arena *arena,
			 struct error *err)
{
	return json_fields(at, network_fields, base, arena, err);
}

static const struct json_field rdma_fields[] = {
	JSON_FIELD(struct oci_rdma, hca_handles, "hcaHandles", OPT),
	JSON_FIELD(struct oci_rdma, hca_objects, "hcaObjects", OPT),
	{ 0 },
};

/* {"mlx5_1": {"hcaHandles": 3}}; the name is written to a file in a line with the numbers */
static int parse_rdma(const struct json_at *at, void *base, struct arena *arena,
		      struct error *err)
{
	struct oci_resources *res = base;
	const char *device;
	json_t *value;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	res->n_rdma = 0;
	res->rdma = arena_array(arena, json_object_size(at->value), sizeof(*res->rdma));
	json_object_foreach(at->value, device, value) {
		struct json_at elem = { at, device, 0, value };
		struct oci_rdma *d = &res->rdma[res->n_rdma++];
		int ret = json_fields(&elem, rdma_fields, d, arena, err);

		if (ret)
			return ret;
		if (!device[0] || strlen(device) > 64 || strpbrk(device, " \t\n"))
			return json_error(&elem, err, "not a device's name");
		if (!d->hca_handles.set && !d->hca_objects.set)
			return json_error(&elem, err, "expected hcaHandles or hcaObjects");
		d->device = arena_strdup(arena, device);
	}
	return 0;
}

const struct json_field oci_resources_fields[] = {
	JSON_ARRAY(struct oci_resources, devices, n_devices, "devices", device_rule_fields),
	JSON_OBJECT(struct oci_resources, memory, "memory", memory_fields),
	JSON_OBJECT(struct oci_resources, cpu, "cpu", cpu_fields),
	JSON_CALL("pids", parse_pids),
	JSON_OBJECT(struct oci_resources, block_io, "blockIO", block_io_fields),
	JSON_ARRAY(struct oci_resources, hugepage_limits, n_hugepage_limits, "hugepageLimits",
		   hugepage_fields),
	JSON_CALL("network", parse_network),
	JSON_CALL("rdma", parse_rdma),
	JSON_FIELD(struct oci_resources, unified, "unified", PAIRS),
	{ 0 },
};

int oci_resources_parse(json_t *doc, struct arena *arena, struct oci_resources *out,
			struct error *err)
{
	/* named as it would be in config.json */
	struct json_at root = { NULL, NULL, 0, NULL };
	struct json_at in_linux = { &root, "linux", 0, NULL };
	struct json_at at = { &in_linux, "resources", 0, doc };

	*out = (struct oci_resources){ 0 };
	return json_fields(&at, oci_resources_fields, out, arena, err);
}
