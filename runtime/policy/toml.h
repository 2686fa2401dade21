/* SPDX-License-Identifier: Apache-2.0 */
/* TOML files, read by a program of its own (runtime/toml), as tables for json_fields(). */
#ifndef CALLGATE_RUNTIME_POLICY_TOML_H
#define CALLGATE_RUNTIME_POLICY_TOML_H

#include "oci/json.h"

struct toml {
	const char *path;
	json_t *data;
	json_t *lines; /* of each key, by its path as json_error() writes it */
};

/* -ENOENT: there is no such file. path must outlive *out. */
int must_check toml_load(const char *path, struct toml *out, struct error *err);
void toml_unload(struct toml *toml);

/*
 * json_fields() for a whole file. Unlike there a key that is not in the table is an error; each error
 * is led by the file and the line: "web.toml:12: rule[0].port: ...".
 */
int must_check toml_fields(const struct toml *toml, const struct json_field *table, void *base,
			   struct arena *arena, struct error *err);

/* The same check of keys for an object that a parse function takes apart by itself. */
int must_check toml_check_keys(const struct json_at *at, const struct json_field *table, struct error *err);

#endif
