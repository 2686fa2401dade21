// SPDX-License-Identifier: Apache-2.0
/* Which policies a container is subject to: the administrator's default, and what an annotation adds. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "policy/toml.h"

static const struct json_field config_policy_fields[] = {
	JSON_FIELD(struct policy_config, default_name, "default", STRING),
	JSON_FIELD(struct policy_config, choices, "annotation", STRINGS),
	JSON_FIELD(struct policy_config, log, "log", STRING),
	{ 0 },
};

static const struct json_field config_fields[] = {
	{ .name = "policy", .kind = JSON_KIND_OBJECT, .sub = config_policy_fields },
	{ 0 },
};

const char *policy_config_dir(void)
{
	const char *dir = getenv("CALLGATE_CONFIG_DIR");

	return dir && dir[0] ? dir : "/etc/callgate";
}

char *policy_default_log(const char *root, struct arena *arena)
{
	return geteuid() ? arena_printf(arena, "%s/policy.log", root) : arena_strdup(arena, POLICY_LOG);
}

int policy_read_config(struct policy_config *out, struct arena *arena, struct error *err)
{
	char *path = arena_printf(arena, "%s/config.toml", policy_config_dir());
	struct toml toml;
	int ret;

	*out = (struct policy_config){ 0 };
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	ret = toml_load(path, &toml, err);
	if (ret)
		return ret;
	ret = toml_fields(&toml, config_fields, out, arena, err);
	toml_unload(&toml);
	if (!ret && out->log && out->log[0] != '/')
		ret = error_set(err, EINVAL, "%s: policy.log: expected an absolute path", path);
	return ret;
}

/* It becomes the name of a file. */
static bool valid_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] && name[0] != '.' && strlen(name) < 128 && !name[strspn(name, letters)];
}

int policy_load_name(const char *name, struct policy **out, struct arena *arena, struct error *err)
{
	char *path;

	if (!valid_name(name))
		return error_set(err, EINVAL, "'%s' is not the name of a policy", name);
	path = arena_printf(arena, "%s/policy.d/%s.toml", policy_config_dir(), name);
	if (access(path, F_OK) && errno == ENOENT)
		return error_set(err, ENOENT, "there is no policy '%s' (%s)", name, path);
	return policy_load(path, name, out, arena, err);
}

static const char *annotation(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (!strcmp(spec->annotations.v[i].key, POLICY_ANNOTATION))
			return spec->annotations.v[i].value;
	return NULL;
}

static bool may_choose(const struct policy_config *config, const char *name)
{
	for (size_t i = 0; i < config->choices.n; i++)
		if (!fnmatch(config->choices.v[i], name, 0))
			return true;
	return false;
}

static int add_chosen(const struct policy_config *config, const char *name, struct policy **out,
		      struct arena *arena, struct error *err)
{
	int ret;

	if (!may_choose(config, name))
		return error_set(err, EPERM, "annotations." POLICY_ANNOTATION
				 ": '%s' is not among those that %s/config.toml allows (policy.annotation)",
				 name, policy_config_dir());
	ret = policy_load_name(name, out, arena, err);
	return ret ? error_wrap(err, "annotations." POLICY_ANNOTATION) : 0;
}

int policy_select(struct oci_spec *spec, struct policies *out, const char **log, struct error *err)
{
	struct arena *arena = &spec->arena;
	const char *chosen = annotation(spec);
	struct policy **v = arena_array(arena, 2, sizeof(*v));
	struct policy_config config;
	int ret = policy_read_config(&config, arena, err);

	if (!ret && config.default_name)
		ret = policy_load_name(config.default_name, &v[out->n++], arena, err);
	if (!ret && chosen && (!config.default_name || strcmp(chosen, config.default_name)))
		ret = add_chosen(&config, chosen, &v[out->n++], arena, err);
	out->v = v;
	out->want_datagrams = !ret && policies_want_datagrams(out);
	*log = config.log;
	return ret;
}
