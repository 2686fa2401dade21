// SPDX-License-Identifier: Apache-2.0
/* The description of a further process, in JSON: as the hypervisor takes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/control_client.h"
#include "launch/exec.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "oci/bytes.h"
#include "oci/default_spec.h"
#include "oci/parts.h"

#define PROCESS_MAX (16u << 20)

static json_t *load(const char *path, struct error *err)
{
	cleanup_free char *text = NULL;
	json_t *root;
	size_t size;

	if (fs_read_file(path, PROCESS_MAX, &text, &size, err))
		return NULL;
	root = json_load_text(text, size, err);
	if (!root)
		error_wrap(err, "%s", path);
	return root;
}

/* The container's own process, as it was created. What runs without a bundle (callgate do) has a plain one. */
static json_t *container_process(const char *config, struct error *err)
{
	cleanup(control_unref) json_t *spec = NULL;
	json_t *process;

	if (!access(config, F_OK))
		spec = load(config, err);
	else
		spec = json_load_text(oci_default_spec, strlen(oci_default_spec), err);
	if (!spec)
		return NULL;
	process = json_object_get(spec, "process");
	if (!json_is_object(process)) {
		error_set(err, EINVAL, "%s: process: expected an object", config);
		return NULL;
	}
	return json_incref(process);
}

static int set_string(json_t *object, const char *key, const char *value, const char *option, struct error *err)
{
	if (value && json_object_set_new(object, key, json_string(value)))
		return error_set(err, EINVAL, "%s: not valid UTF-8", option);
	return 0;
}

/* The member of an object, made if it is not there. */
static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(object, key);

	if (value && !json_is_null(value))
		return value;
	json_object_set_new(object, key, make());
	return json_object_get(object, key);
}

static int parse_id(const char *text, const char *option, json_t **out, struct error *err)
{
	char *end;
	unsigned long long id;

	errno = 0;
	id = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || id >= UINT32_MAX)
		return error_set(err, EINVAL, "%s: '%s' is not a numeric ID", option, text);
	*out = json_integer((json_int_t)id);
	return 0;
}

static int set_user(json_t *user, const struct exec_options *o, struct error *err)
{
	cleanup_free char *uid = o->user ? strdup(o->user) : NULL;
	char *gid = uid ? strchr(uid, ':') : NULL;
	json_t *id;
	int ret = 0;

	if (gid)
		*gid++ = '\0';
	if (gid) {
		ret = parse_id(gid, "--user", &id, err);
		if (!ret)
			json_object_set_new(user, "gid", id);
	}
	if (!ret && uid) {
		ret = parse_id(uid, "--user", &id, err);
		if (!ret)
			json_object_set_new(user, "uid", id);
	}
	for (size_t i = 0; !ret && i < o->n_groups; i++) {
		ret = parse_id(o->groups[i], "--additional-gids", &id, err);
		if (!ret)
			json_array_append_new(member(user, "additionalGids", json_array), id);
	}
	return ret;
}

/* Of two with the same name the last one counts, in its place: programs take the first. */
static int add_env(json_t *list, const char *entry, struct error *err)
{
	const char *equals = strchr(entry, '=');
	size_t n = equals ? (size_t)(equals - entry) + 1 : strlen(entry) + 1;
	json_t *text = bytes_to_json(entry), *old;
	size_t i;

	if (!text)
		return error_errno(err, ENOMEM, "--env");
	json_array_foreach(list, i, old) {
		const char *s = json_string_value(old);

		if (s && !strncmp(s, BYTES_MARK, sizeof(BYTES_MARK) - 1))
			s += sizeof(BYTES_MARK) - 1; /* names are ASCII */
		if (s && !strncmp(s, entry, n)) {
			json_array_set_new(list, i, text);
			return 0;
		}
	}
	json_array_append_new(list, text);
	return 0;
}

static int add_caps(json_t *process, const struct exec_options *o, struct error *err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	for (size_t i = 0; i < o->n_caps; i++) {
		for (size_t k = 0; k < sizeof(sets) / sizeof(sets[0]); k++) {
			json_t *set = member(member(process, "capabilities", json_object), sets[k], json_array);

			if (json_array_append_new(set, json_string(o->caps[i])))
				return error_set(err, EINVAL, "--cap: not a name");
		}
	}
	return 0;
}

static int set_args(json_t *process, const struct exec_options *o, struct error *err)
{
	json_t *args = json_array();

	json_object_set_new(process, "args", args);
	for (size_t i = 0; i < o->n_args; i++) {
		if (json_array_append_new(args, bytes_to_json(o->args[i])))
			return error_errno(err, ENOMEM, "argument %zu", i);
	}
	return 0;
}

static int apply(json_t *process, const struct exec_options *o, struct error *err)
{
	int ret = set_args(process, o, err);

	json_object_set_new(process, "terminal", json_boolean(o->terminal));
	if (!ret)
		ret = set_string(process, "cwd", o->cwd, "--cwd", err);
	if (!ret)
		ret = set_string(process, "apparmorProfile", o->apparmor, "--apparmor", err);
	if (!ret)
		ret = set_string(process, "selinuxLabel", o->label, "--process-label", err);
	if (!ret)
		ret = set_user(member(process, "user", json_object), o, err);
	for (size_t i = 0; !ret && i < o->n_env; i++)
		ret = add_env(member(process, "env", json_array), o->env[i], err);
	if (!ret)
		ret = add_caps(process, o, err);
	if (o->no_new_privileges)
		json_object_set_new(process, "noNewPrivileges", json_true());
	return ret;
}

/* All processes of a guest are confined by what its hypervisor got: another label can't be applied to one of them. */
static int check_label(const json_t *container, const char *key, const char *label, struct error *err)
{
	const char *theirs = json_string_value(json_object_get(container, key));

	if (!label || !label[0] || !strcmp(label, "unconfined") || (theirs && !strcmp(label, theirs)))
		return 0;
	return error_set(err, ENOTSUP, "process.%s: '%s' is not the container's own", key, label);
}

static int check(const struct oci_process *p, const json_t *container, struct error *err)
{
	int ret = check_label(container, "apparmorProfile", p->apparmor_profile, err);
	struct oci_process rest = *p;

	if (!ret)
		ret = check_label(container, "selinuxLabel", p->selinux_label, err);
	rest.apparmor_profile = rest.selinux_label = NULL;
	return ret ? ret : process_check_applicable(&rest, err);
}

json_t *exec_process(const struct exec_options *o, const char *config, struct arena *arena, struct oci_process *parsed,
		     struct error *err)
{
	cleanup(control_unref) json_t *process = NULL, *container = NULL;
	struct json_at at = { 0 };
	int ret;

	if (!o->process_file && !o->n_args) {
		error_set(err, EINVAL, "process args cannot be empty");
		return NULL;
	}
	container = container_process(config, err);
	if (!container)
		return NULL;
	process = o->process_file ? load(o->process_file, err) : json_deep_copy(container);
	if (!process)
		return NULL;
	at.value = process;
	ret = o->process_file ? 0 : apply(process, o, err);
	if (!ret)
		ret = json_fields(&at, oci_process_fields, parsed, arena, err);
	if (!ret)
		ret = check(parsed, container, err);
	if (ret && o->process_file)
		error_wrap(err, "%s", o->process_file);
	if (ret)
		return NULL;
	return steal_pointer(&process);
}
