// SPDX-License-Identifier: Apache-2.0
/* The whole document: config.md. */
#include "oci/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "oci/parts.h"

/* config.json of an engine is some 30 kB; this is no place to eat all memory. */
#define CONFIG_MAX (16u << 20)

static int parse_version(const struct json_at *at, void *base, struct arena *arena,
			 struct error *err)
{
	struct oci_spec *spec = base;
	const char *version = json_string_value(at->value);

	if (!version || !version[0])
		return json_error(at, err, "expected a version number such as \"1.0.2\"");
	if (strncmp(version, "1.", 2))
		return json_error(at, err, "version '%s' is not supported, only 1.x is", version);
	spec->oci_version = arena_strdup(arena, version);
	return 0;
}

static const struct json_field root_fields[] = {
	JSON_NEEDED(struct oci_root, path, "path", STRING),
	JSON_FIELD(struct oci_root, readonly, "readonly", BOOL),
	{ 0 },
};

static const struct json_field spec_fields[] = {
	{ .name = "ociVersion", .kind = JSON_KIND_CALL, .required = true, .parse = parse_version },
	{ .name = "process", .kind = JSON_KIND_OBJECT, .required = true,
	  .offset = offsetof(struct oci_spec, process), .sub = oci_process_fields },
	{ .name = "root", .kind = JSON_KIND_OBJECT, .required = true,
	  .offset = offsetof(struct oci_spec, root), .sub = root_fields },
	JSON_FIELD(struct oci_spec, hostname, "hostname", STRING),
	JSON_FIELD(struct oci_spec, domainname, "domainname", STRING),
	JSON_ARRAY(struct oci_spec, mounts, n_mounts, "mounts", oci_mount_fields),
	JSON_OBJECT(struct oci_spec, hooks, "hooks", oci_hooks_fields),
	JSON_FIELD(struct oci_spec, annotations, "annotations", PAIRS),
	JSON_OBJECT(struct oci_spec, linux_, "linux", oci_linux_fields),
	{ 0 },
};

static void note_foreign(json_t *root, struct oci_spec *spec)
{
	static const char *const sections[] = { "windows", "solaris", "vm", "zos", "freebsd" };

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (json_object_get(root, sections[i]))
			spec->foreign = sections[i];
	}
}

static char *from_bundle(struct oci_spec *spec, char *path)
{
	if (!path || path[0] == '/' || !spec->bundle)
		return path;
	return arena_printf(&spec->arena, "%s/%s", spec->bundle, path);
}

bool oci_mount_is_bind(const struct oci_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++) {
		if (!strcmp(m->options.v[i], "bind") || !strcmp(m->options.v[i], "rbind"))
			return true;
	}
	return m->type && !strcmp(m->type, "bind");
}

static int resolve_paths(struct oci_spec *spec, struct error *err)
{
	if (!spec->root.path[0])
		return error_set(err, EINVAL, "root.path: expected a path");
	spec->root.path = from_bundle(spec, spec->root.path);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		struct oci_mount *m = &spec->mounts[i];
		bool bind = oci_mount_is_bind(m);

		if (!bind && !m->type)
			return error_set(err, EINVAL, "mounts[%zu].type: this property is required",
					 i);
		if (!bind)
			continue;
		if (!m->source || !m->source[0])
			return error_set(err, EINVAL,
					 "mounts[%zu].source: a bind mount needs a source", i);
		m->source = from_bundle(spec, m->source);
	}
	return 0;
}

struct oci_spec *spec_new(void)
{
	struct oci_spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		abort();
	return spec;
}

void spec_free(struct oci_spec *spec)
{
	if (!spec)
		return;
	arena_free(&spec->arena);
	free(spec);
}

void spec_freep(struct oci_spec **spec)
{
	spec_free(*spec);
}

static void unref_json(json_t **value)
{
	json_decref(*value);
}

int spec_parse(const char *text, size_t size, const char *bundle, struct oci_spec **out,
	       struct error *err)
{
	cleanup(spec_freep) struct oci_spec *spec = spec_new();
	cleanup(unref_json) json_t *root = json_load_text(text, size, err);
	struct json_at at = { NULL, NULL, 0, root };
	int ret;

	*out = NULL;
	if (!root)
		return -err->code;
	if (bundle)
		spec->bundle = arena_strdup(&spec->arena, bundle);
	ret = json_fields(&at, spec_fields, spec, &spec->arena, err);
	if (!ret)
		ret = resolve_paths(spec, err);
	if (!ret)
		ret = spec_check_values(spec, err);
	if (ret)
		return ret;
	note_foreign(root, spec);
	*out = steal_pointer(&spec);
	return 0;
}

int spec_load(const char *bundle, struct oci_spec **out, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_free char *path = NULL;
	size_t size;
	int ret;

	*out = NULL;
	if (asprintf(&path, "%s/config.json", bundle) < 0)
		return error_errno(err, ENOMEM, "config.json");
	ret = fs_read_file(path, CONFIG_MAX, &text, &size, err);
	if (ret)
		return ret;
	ret = spec_parse(text, size, bundle, out, err);
	if (ret)
		return error_wrap(err, "%s", path);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is one, as it has not failed */
	(*out)->text = arena_strdup(&(*out)->arena, text);
	return 0;
}
