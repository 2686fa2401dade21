// SPDX-License-Identifier: Apache-2.0
/*
 * The annotation org.callgate.unix-sockets, for engines that pass on no mount options of ours:
 * "DESTINATION=WORD" with the words of the option callgate.unix, several with commas in between.
 */
#include <errno.h>
#include <string.h>

#include "call/server.h"
#include "vm/mounts.h"

static const struct {
	const char *name;
	unsigned int may;
} words[] = {
	{ "none", 0 },
	{ "connect", PV_UNIX_MAY_CONNECT },
	{ "listen", PV_UNIX_MAY_LISTEN },
	{ "both", PV_UNIX_MAY_CONNECT | PV_UNIX_MAY_LISTEN },
};

struct entry {
	const char *text;
	size_t len, destination_len;
	int may; /* -1: no word that is known */
};

static const char *annotation(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (!strcmp(spec->annotations.v[i].key, UNIX_SOCKETS_ANNOTATION))
			return spec->annotations.v[i].value;
	return NULL;
}

/* "/" at the end does not count, but for "/" itself. */
static size_t path_length(const char *path, size_t len)
{
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

/* The next one, and where to go on; NULL: it was the last. */
static const char *next_entry(const char *text, struct entry *e)
{
	const char *equals;

	e->text = text;
	e->len = strcspn(text, ",");
	e->may = -1;
	equals = memrchr(text, '=', e->len);
	e->destination_len = path_length(text, equals ? (size_t)(equals - text) : e->len);
	for (size_t i = 0; equals && i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].name);

		if (n == (size_t)(text + e->len - equals - 1) && !memcmp(equals + 1, words[i].name, n))
			e->may = (int)words[i].may;
	}
	return text[e->len] ? text + e->len + 1 : NULL;
}

static bool is_of(const struct entry *e, const struct oci_mount *m)
{
	return e->destination_len == path_length(m->destination, strlen(m->destination)) &&
	       !memcmp(e->text, m->destination, e->destination_len);
}

static int check_entry(const struct oci_spec *spec, const struct entry *e, struct error *err)
{
	if (e->may < 0)
		return error_set(err, EINVAL, "annotations." UNIX_SOCKETS_ANNOTATION
				 ": '%.*s': expected DESTINATION=connect, listen, both or none", (int)e->len, e->text);
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (is_of(e, &spec->mounts[i]) && oci_mount_is_bind(&spec->mounts[i]))
			return 0;
	return error_set(err, EINVAL, "annotations." UNIX_SOCKETS_ANNOTATION
			 ": '%.*s' is not the destination of a bind mount", (int)e->destination_len, e->text);
}

int unix_mounts_check(const struct oci_spec *spec, struct error *err)
{
	const char *text = annotation(spec);
	struct entry e;
	int ret = 0;

	while (text && !ret) {
		text = next_entry(text, &e);
		ret = check_entry(spec, &e, err);
	}
	return ret;
}

int unix_mounts_annotated(const struct oci_spec *spec, const struct oci_mount *m)
{
	const char *text = annotation(spec);
	struct entry e;
	int may = -1;

	while (text) {
		text = next_entry(text, &e);
		if (is_of(&e, m) && oci_mount_is_bind(m))
			may = e.may;
	}
	return may;
}
