// SPDX-License-Identifier: Apache-2.0
/* The "linux" section: config-linux.md. */
#include "oci/parts.h"

#include <net/if.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char *const namespace_names[OCI_NS_COUNT] = {
	[OCI_NS_PID] = "pid",       [OCI_NS_NETWORK] = "network", [OCI_NS_MOUNT] = "mount",
	[OCI_NS_IPC] = "ipc",       [OCI_NS_UTS] = "uts",         [OCI_NS_USER] = "user",
	[OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
};

const char *oci_namespace_name(enum oci_namespace_type type)
{
	return namespace_names[type];
}

struct namespace_entry {
	char *type;
	char *path;
};

static const struct json_field namespace_fields[] = {
	JSON_NEEDED(struct namespace_entry, type, "type", STRING),
	JSON_FIELD(struct namespace_entry, path, "path", STRING),
	{ 0 },
};

static int namespace_type(const struct json_at *at, const char *name, struct error *err)
{
	const struct json_at type = { at, "type", 0, NULL };

	for (int i = 0; i < OCI_NS_COUNT; i++) {
		if (!strcmp(name, namespace_names[i]))
			return i;
	}
	return json_error(&type, err, "unknown namespace '%s'", name);
}

static int parse_namespace(const struct json_at *at, struct oci_linux *l, struct arena *arena,
			   struct error *err)
{
	struct namespace_entry entry = { 0 };
	int ret = json_fields(at, namespace_fields, &entry, arena, err);
	int type;

	if (ret)
		return ret;
	type = namespace_type(at, entry.type, err);
	if (type < 0)
		return type;
	if (l->namespaces[type].present)
		return json_error(at, err, "a second namespace of type '%s'", entry.type);
	if (entry.path && entry.path[0] && entry.path[0] != '/')
		return json_error(at, err, "path: expected an absolute path");
	l->namespaces[type].present = true;
	l->namespaces[type].path = entry.path && entry.path[0] ? entry.path : NULL;
	return 0;
}

static int parse_namespaces(const struct json_at *at, void *base, struct arena *arena,
			    struct error *err)
{
	if (!json_is_array(at->value))
		return json_error(at, err, "expected an array");
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };
		int ret = parse_namespace(&elem, base, arena, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int parse_device_type(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	struct oci_device *dev = base;
	const char *type = json_string_value(at->value);

	if (!type || !type[0] || type[1] || !strchr("bcup", type[0]))
		return json_error(at, err, "expected \"b\", \"c\", \"u\" or \"p\"");
	dev->mode = 0666; /* without a fileMode */
	dev->type = type[0] == 'b' ? S_IFBLK : type[0] == 'p' ? S_IFIFO : S_IFCHR;
	return 0;
}

static int parse_device_mode(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	struct oci_device *dev = base;
	uint64_t mode;
	int ret = json_u64(at, &mode, err);

	/* engines put the file type bits in as well */
	dev->mode = ret ? 0 : (mode_t)(mode & 07777);
	return ret;
}

static const struct json_field device_fields[] = {
	JSON_NEEDED(struct oci_device, path, "path", STRING),
	{ .name = "type", .kind = JSON_KIND_CALL, .required = true, .parse = parse_device_type },
	JSON_FIELD(struct oci_device, major, "major", U32),
	JSON_FIELD(struct oci_device, minor, "minor", U32),
	JSON_CALL("fileMode", parse_device_mode),
	JSON_FIELD(struct oci_device, uid, "uid", U32),
	JSON_FIELD(struct oci_device, gid, "gid", U32),
	{ 0 },
};

static int check_device(const struct json_at *at, void *base, struct arena *arena,
			struct error *err)
{
	const struct oci_device *dev = base;

	if (dev->path[0] != '/')
		return json_error(at, err, "path: expected an absolute path");
	return 0;
}

static int parse_propagation(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} modes[] = {
		{ "shared", MS_SHARED },         { "rshared", MS_SHARED | MS_REC },
		{ "slave", MS_SLAVE },           { "rslave", MS_SLAVE | MS_REC },
		{ "private", MS_PRIVATE },       { "rprivate", MS_PRIVATE | MS_REC },
		{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
		{ "", 0 },
	};
	struct oci_linux *l = base;
	const char *mode = json_string_value(at->value);

	if (!mode)
		return json_error(at, err, "expected a string");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(mode, modes[i].name)) {
			l->rootfs_propagation = modes[i].flags;
			return 0;
		}
	}
	return json_error(at, err, "unknown mount propagation '%s'", mode);
}

static const struct json_field personality_fields[] = {
	JSON_NEEDED(struct oci_linux, personality, "domain", STRING),
	JSON_FIELD(struct oci_linux, personality_flags, "flags", STRINGS),
	{ 0 },
};

static int parse_personality(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	return json_fields(at, personality_fields, base, arena, err);
}

static const struct json_field intel_rdt_fields[] = {
	JSON_FIELD(struct oci_intel_rdt, clos_id, "closID", STRING),
	JSON_FIELD(struct oci_intel_rdt, schemata, "schemata", STRINGS),
	JSON_FIELD(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", STRING),
	JSON_FIELD(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", STRING),
	JSON_FIELD(struct oci_intel_rdt, enable_monitoring, "enableMonitoring", BOOL),
	{ 0 },
};

static const struct json_field memory_policy_fields[] = {
	JSON_NEEDED(struct oci_memory_policy, mode, "mode", STRING),
	JSON_FIELD(struct oci_memory_policy, nodes, "nodes", STRING),
	JSON_FIELD(struct oci_memory_policy, flags, "flags", STRINGS),
	{ 0 },
};

static const struct json_field net_device_fields[] = {
	JSON_FIELD(struct oci_net_device, name, "name", STRING),
	{ 0 },
};

static int check_interface(const struct json_at *at, const char *name, struct error *err)
{
	if (!name[0] || strlen(name) >= IFNAMSIZ || strpbrk(name, "/: \t\n") || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return json_error(at, err, "'%s' is not the name of a network interface", name);
	return 0;
}

static int parse_net_devices(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	struct oci_linux *l = base;
	const char *key;
	json_t *value;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	l->net_devices = arena_array(arena, json_object_size(at->value), sizeof(*l->net_devices));
	json_object_foreach(at->value, key, value) {
		struct oci_net_device *dev = &l->net_devices[l->n_net_devices++];
		struct json_at elem = { at, key, 0, value };
		int ret = json_fields(&elem, net_device_fields, dev, arena, err);

		dev->host_name = arena_strdup(arena, key);
		if (!ret)
			ret = check_interface(&elem, key, err);
		if (!ret && dev->name)
			ret = check_interface(&elem, dev->name, err);
		if (ret)
			return ret;
	}
	return 0;
}

static const struct json_field time_offset_fields[] = {
	JSON_FIELD(struct oci_time_offset, secs, "secs", I64),
	JSON_FIELD(struct oci_time_offset, nanosecs, "nanosecs", U32),
	{ 0 },
};

static int parse_time_offsets(const struct json_at *at, void *base, struct arena *arena,
			      struct error *err)
{
	struct oci_linux *l = base;
	const char *clock;
	json_t *value;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	json_object_foreach(at->value, clock, value)
	{
		struct json_at elem = { at, clock, 0, value };
		struct oci_time_offset *to = !strcmp(clock, "monotonic") ? &l->time_monotonic :
					     !strcmp(clock, "boottime")  ? &l->time_boottime :
									   NULL;
		int ret;

		if (!to)
			return json_error(&elem, err, "unknown clock");
		ret = json_fields(&elem, time_offset_fields, to, arena, err);
		if (!ret && to->nanosecs >= 1000000000)
			ret = json_error(&elem, err, "nanosecs: expected less than a second");
		if (ret)
			return ret;
		to->set = true;
	}
	return 0;
}

static const struct json_field seccomp_arg_fields[] = {
	JSON_NEEDED(struct oci_seccomp_arg, index, "index", U32),
	JSON_NEEDED(struct oci_seccomp_arg, value, "value", U64),
	JSON_FIELD(struct oci_seccomp_arg, value_two, "valueTwo", U64),
	JSON_NEEDED(struct oci_seccomp_arg, op, "op", STRING),
	{ 0 },
};

static const struct json_field seccomp_rule_fields[] = {
	JSON_NEEDED(struct oci_seccomp_rule, names, "names", STRINGS),
	JSON_NEEDED(struct oci_seccomp_rule, action, "action", STRING),
	JSON_FIELD(struct oci_seccomp_rule, errno_ret, "errnoRet", OPT),
	JSON_ARRAY(struct oci_seccomp_rule, args, n_args, "args", seccomp_arg_fields),
	{ 0 },
};

const struct json_field oci_seccomp_fields[] = {
	JSON_NEEDED(struct oci_seccomp, default_action, "defaultAction", STRING),
	JSON_FIELD(struct oci_seccomp, default_errno_ret, "defaultErrnoRet", OPT),
	JSON_FIELD(struct oci_seccomp, architectures, "architectures", STRINGS),
	JSON_FIELD(struct oci_seccomp, flags, "flags", STRINGS),
	JSON_FIELD(struct oci_seccomp, listener_path, "listenerPath", STRING),
	JSON_FIELD(struct oci_seccomp, listener_metadata, "listenerMetadata", STRING),
	JSON_ARRAY(struct oci_seccomp, rules, n_rules, "syscalls", seccomp_rule_fields),
	{ 0 },
};

const struct json_field oci_linux_fields[] = {
	JSON_CALL("namespaces", parse_namespaces),
	JSON_ARRAY(struct oci_linux, uid_mappings.v, uid_mappings.n, "uidMappings",
		   oci_id_map_fields),
	JSON_ARRAY(struct oci_linux, gid_mappings.v, gid_mappings.n, "gidMappings",
		   oci_id_map_fields),
	{ .name = "devices", .kind = JSON_KIND_ARRAY, .offset = offsetof(struct oci_linux, devices),
	  .count = offsetof(struct oci_linux, n_devices), .size = sizeof(struct oci_device),
	  .sub = device_fields, .parse = check_device },
	JSON_FIELD(struct oci_linux, cgroups_path, "cgroupsPath", STRING),
	JSON_OBJECT(struct oci_linux, resources, "resources", oci_resources_fields),
	JSON_FIELD(struct oci_linux, sysctl, "sysctl", PAIRS),
	JSON_POINTER(struct oci_linux, seccomp, "seccomp", oci_seccomp_fields),
	JSON_CALL("rootfsPropagation", parse_propagation),
	JSON_FIELD(struct oci_linux, masked_paths, "maskedPaths", STRINGS),
	JSON_FIELD(struct oci_linux, readonly_paths, "readonlyPaths", STRINGS),
	JSON_FIELD(struct oci_linux, mount_label, "mountLabel", STRING),
	JSON_POINTER(struct oci_linux, intel_rdt, "intelRdt", intel_rdt_fields),
	JSON_POINTER(struct oci_linux, memory_policy, "memoryPolicy", memory_policy_fields),
	JSON_CALL("personality", parse_personality),
	JSON_CALL("timeOffsets", parse_time_offsets),
	JSON_CALL("netDevices", parse_net_devices),
	{ 0 },
};
