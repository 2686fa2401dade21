// SPDX-License-Identifier: Apache-2.0
#include "oci/rootless_spec.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static const char *string_of(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static void change_namespaces(json_t *namespaces)
{
	for (size_t i = json_array_size(namespaces); i > 0; i--) {
		const char *type = string_of(json_array_get(namespaces, i - 1), "type");

		if (!strcmp(type, "network") || !strcmp(type, "user"))
			json_array_remove(namespaces, i - 1);
	}
	json_array_append_new(namespaces, json_pack("{ss}", "type", "user"));
}

/* Ids other than our own mean nothing in the namespace. */
static void drop_id_options(json_t *options)
{
	for (size_t i = json_array_size(options); i > 0; i--) {
		const char *o = json_string_value(json_array_get(options, i - 1));

		if (o && (!strncmp(o, "uid=", 4) || !strncmp(o, "gid=", 4)))
			json_array_remove(options, i - 1);
	}
}

/* A new sysfs belongs to a new network namespace only. */
static json_t *host_sysfs(void)
{
	return json_pack("{sssssss[sssss]}", "destination", "/sys", "type", "none", "source", "/sys",
			 "options", "rbind", "nosuid", "noexec", "nodev", "ro");
}

static void change_mounts(json_t *mounts)
{
	for (size_t i = 0; i < json_array_size(mounts); i++) {
		json_t *m = json_array_get(mounts, i);

		if (!strcmp(string_of(m, "destination"), "/sys"))
			json_array_set_new(mounts, i, host_sysfs());
		else
			drop_id_options(json_object_get(m, "options"));
	}
}

static json_t *mapping(unsigned int id)
{
	return json_pack("[{sisIsi}]", "containerID", 0, "hostID", (json_int_t)id, "size", 1);
}

char *rootless_spec(const char *text)
{
	cleanup(unref_json) json_t *spec = json_loads(text, 0, NULL);
	json_t *l = json_object_get(spec, "linux");

	if (!spec)
		return NULL;
	change_namespaces(json_object_get(l, "namespaces"));
	change_mounts(json_object_get(spec, "mounts"));
	json_object_set_new(l, "uidMappings", mapping(geteuid()));
	json_object_set_new(l, "gidMappings", mapping(getegid()));
	json_object_del(l, "resources");
	return json_dumps(spec, JSON_INDENT(2));
}
