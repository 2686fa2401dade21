/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From JSON to a C structure, by tables: one row per property, with the member it is
 * stored in. Every error names the property by its path from the document's root.
 */
#ifndef CALLGATE_RUNTIME_OCI_JSON_H
#define CALLGATE_RUNTIME_OCI_JSON_H

#include <jansson.h>

#include "oci/spec.h"

/* Where we are: a value, and how it is reached from the one above it. */
struct json_at {
	const struct json_at *up;
	const char *key; /* in an object, otherwise NULL */
	size_t index;    /* in an array */
	json_t *value;
};

enum json_kind {
	JSON_KIND_BOOL,      /* bool */
	JSON_KIND_STRING,    /* char * */
	JSON_KIND_STRINGS,   /* struct oci_strings */
	JSON_KIND_PAIRS,     /* struct oci_pairs: an object whose values are strings */
	JSON_KIND_OPT,       /* struct oci_opt */
	JSON_KIND_OPT_U64,   /* struct oci_opt_u64 */
	JSON_KIND_I64,       /* int64_t */
	JSON_KIND_U64,       /* uint64_t */
	JSON_KIND_U32,       /* uint32_t */
	JSON_KIND_OBJECT,    /* a structure, in place, by the table sub */
	JSON_KIND_POINTER,   /* a pointer to a structure of that size, by the table sub */
	JSON_KIND_ARRAY,     /* a pointer, and a size_t at count; elements as KIND_OBJECT */
	JSON_KIND_CALL,      /* parse() does it */
	JSON_KIND_PRESENT,   /* bool: the property is there and not empty */
};

struct json_field {
	const char *name; /* NULL ends a table */
	enum json_kind kind;
	bool required;
	size_t offset;
	size_t count;
	size_t size;
	const struct json_field *sub;
	/* base: what the table is for. With a table as well: run after it, on each element. */
	int (*parse)(const struct json_at *at, void *base, struct arena *arena, struct error *err);
};

#define JSON_FIELD(type, member, key, what) \
	{ .name = (key), .kind = JSON_KIND_##what, .offset = offsetof(type, member) }
#define JSON_NEEDED(type, member, key, what) \
	{ .name = (key), .kind = JSON_KIND_##what, .offset = offsetof(type, member), \
	  .required = true }
#define JSON_OBJECT(type, member, key, table) \
	{ .name = (key), .kind = JSON_KIND_OBJECT, .offset = offsetof(type, member), \
	  .sub = (table) }
#define JSON_POINTER(type, member, key, table)                                              \
	{ .name = (key), .kind = JSON_KIND_POINTER, .offset = offsetof(type, member),       \
	  .size = sizeof(*((type *)0)->member), .sub = (table) }
#define JSON_ARRAY(type, member, counter, key, table)                                       \
	{ .name = (key), .kind = JSON_KIND_ARRAY, .offset = offsetof(type, member),         \
	  .count = offsetof(type, counter), .size = sizeof(*((type *)0)->member), .sub = (table) }
#define JSON_CALL(key, fn) { .name = (key), .kind = JSON_KIND_CALL, .parse = (fn) }

/* Fills in *base from the object at "at". */
int must_check json_fields(const struct json_at *at, const struct json_field *table, void *base,
			   struct arena *arena, struct error *err);

/* Fails with "path.to.property: text". Returns -EINVAL. */
int json_error(const struct json_at *at, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The elements of an array of strings. */
int must_check json_strings(const struct json_at *at, struct oci_strings *out,
			    struct arena *arena, struct error *err);
int must_check json_u64(const struct json_at *at, uint64_t *out, struct error *err);
int must_check json_i64(const struct json_at *at, int64_t *out, struct error *err);

/* Values up to 2^64 - 1 (RLIM_INFINITY) are valid in a configuration; jansson stops at 2^63 - 1. */
json_t *json_load_text(const char *text, size_t size, struct error *err);

#endif
