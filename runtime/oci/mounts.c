// SPDX-License-Identifier: Apache-2.0
/* The "mounts" and "hooks" sections: config.md#mounts, config.md#posix-platform-hooks. */
#include "oci/parts.h"

const struct json_field oci_id_map_fields[] = {
	JSON_NEEDED(struct oci_id_map, container_id, "containerID", U32),
	JSON_NEEDED(struct oci_id_map, host_id, "hostID", U32),
	JSON_NEEDED(struct oci_id_map, size, "size", U32),
	{ 0 },
};

static int parse_destination(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	struct oci_mount *m = base;
	const char *path = json_string_value(at->value);

	if (!path || !path[0])
		return json_error(at, err, "expected a path");
	/* the specification wants it absolute; runc takes older, relative ones from "/" */
	m->destination = arena_printf(arena, "%s%s", path[0] == '/' ? "" : "/", path);
	return 0;
}

const struct json_field oci_mount_fields[] = {
	{ .name = "destination", .kind = JSON_KIND_CALL, .required = true,
	  .parse = parse_destination },
	JSON_FIELD(struct oci_mount, type, "type", STRING),
	JSON_FIELD(struct oci_mount, source, "source", STRING),
	JSON_FIELD(struct oci_mount, options, "options", STRINGS),
	JSON_ARRAY(struct oci_mount, uid_mappings.v, uid_mappings.n, "uidMappings",
		   oci_id_map_fields),
	JSON_ARRAY(struct oci_mount, gid_mappings.v, gid_mappings.n, "gidMappings",
		   oci_id_map_fields),
	{ 0 },
};

static int parse_hook_path(const struct json_at *at, void *base, struct arena *arena,
			   struct error *err)
{
	struct oci_hook *hook = base;
	const char *path = json_string_value(at->value);

	if (!path || path[0] != '/')
		return json_error(at, err, "expected an absolute path");
	hook->path = arena_strdup(arena, path);
	return 0;
}

static int parse_hook_timeout(const struct json_at *at, void *base, struct arena *arena,
			      struct error *err)
{
	struct oci_hook *hook = base;

	hook->timeout.set = true;
	if (json_i64(at, &hook->timeout.v, err) || hook->timeout.v <= 0)
		return json_error(at, err, "expected a number of seconds above 0");
	return 0;
}

static const struct json_field hook_fields[] = {
	{ .name = "path", .kind = JSON_KIND_CALL, .required = true, .parse = parse_hook_path },
	JSON_FIELD(struct oci_hook, args, "args", STRINGS),
	JSON_FIELD(struct oci_hook, env, "env", STRINGS),
	JSON_CALL("timeout", parse_hook_timeout),
	{ 0 },
};

#define HOOKS(member, key) \
	JSON_ARRAY(struct oci_hooks, member.v, member.n, key, hook_fields)

const struct json_field oci_hooks_fields[] = {
	HOOKS(prestart, "prestart"),
	HOOKS(create_runtime, "createRuntime"),
	HOOKS(create_container, "createContainer"),
	HOOKS(start_container, "startContainer"),
	HOOKS(poststart, "poststart"),
	HOOKS(poststop, "poststop"),
	{ 0 },
};
