// SPDX-License-Identifier: Apache-2.0
#include "oci/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Writes the path of "at" into buf, from the root on. Returns its length. */
static size_t write_path(const struct json_at *at, char *buf, size_t size)
{
	size_t n = 0;
	int more;

	if (!at->up) {
		buf[0] = '\0';
		return 0;
	}
	n = write_path(at->up, buf, size);
	if (at->key)
		more = snprintf(buf + n, size - n, "%s%s", n ? "." : "", at->key);
	else
		more = snprintf(buf + n, size - n, "[%zu]", at->index);
	n += more > 0 ? (size_t)more : 0;
	return n < size ? n : size - 1;
}

int json_error(const struct json_at *at, struct error *err, const char *fmt, ...)
{
	char path[256];
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!write_path(at, path, sizeof(path)))
		return error_set(err, EINVAL, "%s", what);
	return error_set(err, EINVAL, "%s: %s", path, what);
}

int json_strings(const struct json_at *at, struct oci_strings *out, struct arena *arena,
		 struct error *err)
{
	size_t n = json_array_size(at->value);

	if (!json_is_array(at->value))
		return json_error(at, err, "expected an array of strings");
	out->v = arena_array(arena, n + 1, sizeof(*out->v));
	for (size_t i = 0; i < n; i++) {
		struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };

		if (!json_is_string(elem.value))
			return json_error(&elem, err, "expected a string");
		out->v[i] = arena_strdup(arena, json_string_value(elem.value));
	}
	out->n = n;
	return 0;
}

static int parse_pairs(const struct json_at *at, struct oci_pairs *out, struct arena *arena,
		       struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	out->v = arena_array(arena, json_object_size(at->value), sizeof(*out->v));
	json_object_foreach(at->value, key, value) {
		struct json_at elem = { at, key, 0, value };

		if (!json_is_string(value))
			return json_error(&elem, err, "expected a string");
		out->v[out->n].key = arena_strdup(arena, key);
		out->v[out->n++].value = arena_strdup(arena, json_string_value(value));
	}
	return 0;
}

/* Integers are reals when the document holds one that jansson can't represent. */
int json_u64(const struct json_at *at, uint64_t *out, struct error *err)
{
	double real;

	if (json_is_integer(at->value)) {
		if (json_integer_value(at->value) < 0)
			return json_error(at, err, "expected a number that is not negative");
		*out = (uint64_t)json_integer_value(at->value);
		return 0;
	}
	real = json_real_value(at->value);
	if (!json_is_real(at->value) || real < 0 || real > 0x1p64)
		return json_error(at, err, "expected a number that is not negative");
	*out = real >= 0x1p64 ? UINT64_MAX : (uint64_t)real;
	if (*out != UINT64_MAX && (double)*out != real)
		return json_error(at, err, "expected an integer");
	return 0;
}

int json_i64(const struct json_at *at, int64_t *out, struct error *err)
{
	double real;

	if (json_is_integer(at->value)) {
		*out = json_integer_value(at->value);
		return 0;
	}
	real = json_real_value(at->value);
	/* cppcheck-suppress incorrectLogicOperator ; it does not know numbers like 0x1p63 */
	if (!json_is_real(at->value) || real < -0x1p63 || real > 0x1p63)
		return json_error(at, err, "expected an integer");
	*out = real >= 0x1p63 ? INT64_MAX : (int64_t)real;
	if (*out != INT64_MAX && (double)*out != real)
		return json_error(at, err, "expected an integer");
	return 0;
}

static int parse_u32(const struct json_at *at, uint32_t *out, struct error *err)
{
	uint64_t value;
	int ret = json_u64(at, &value, err);

	if (ret)
		return ret;
	if (value > UINT32_MAX)
		return json_error(at, err, "%llu is too big", (unsigned long long)value);
	*out = (uint32_t)value;
	return 0;
}

static int parse_array(const struct json_at *at, const struct json_field *f, char *base,
		       struct arena *arena, struct error *err)
{
	size_t n = json_array_size(at->value);
	char *v = arena_array(arena, n, f->size);

	if (!json_is_array(at->value))
		return json_error(at, err, "expected an array");
	*(void **)(base + f->offset) = v;
	for (size_t i = 0; i < n; i++) {
		struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };
		int ret = json_fields(&elem, f->sub, v + i * f->size, arena, err);

		if (!ret && f->parse)
			ret = f->parse(&elem, v + i * f->size, arena, err);
		if (ret)
			return ret;
	}
	*(size_t *)(base + f->count) = n;
	return 0;
}

static int parse_scalar(const struct json_at *at, const struct json_field *f, void *slot,
			struct arena *arena, struct error *err)
{
	switch (f->kind) {
	case JSON_KIND_BOOL:
		if (!json_is_boolean(at->value))
			return json_error(at, err, "expected true or false");
		*(bool *)slot = json_is_true(at->value);
		return 0;
	case JSON_KIND_STRING:
		if (!json_is_string(at->value))
			return json_error(at, err, "expected a string");
		*(char **)slot = arena_strdup(arena, json_string_value(at->value));
		return 0;
	case JSON_KIND_OPT:
		((struct oci_opt *)slot)->set = true;
		return json_i64(at, &((struct oci_opt *)slot)->v, err);
	case JSON_KIND_OPT_U64:
		((struct oci_opt_u64 *)slot)->set = true;
		return json_u64(at, &((struct oci_opt_u64 *)slot)->v, err);
	case JSON_KIND_I64:
		return json_i64(at, slot, err);
	case JSON_KIND_U64:
		return json_u64(at, slot, err);
	case JSON_KIND_U32:
		return parse_u32(at, slot, err);
	case JSON_KIND_PRESENT:
		*(bool *)slot = json_array_size(at->value) || json_object_size(at->value);
		return 0;
	default:
		return json_error(at, err, "no parser for this kind of value");
	}
}

static int parse_field(const struct json_at *at, const struct json_field *f, void *base,
		       struct arena *arena, struct error *err)
{
	void *slot = (char *)base + f->offset;

	switch (f->kind) {
	case JSON_KIND_CALL:
		return f->parse(at, base, arena, err);
	case JSON_KIND_STRINGS:
		return json_strings(at, slot, arena, err);
	case JSON_KIND_PAIRS:
		return parse_pairs(at, slot, arena, err);
	case JSON_KIND_OBJECT:
		return json_fields(at, f->sub, slot, arena, err);
	case JSON_KIND_POINTER:
		*(void **)slot = arena_alloc(arena, f->size);
		return json_fields(at, f->sub, *(void **)slot, arena, err);
	case JSON_KIND_ARRAY:
		return parse_array(at, f, base, arena, err);
	default:
		return parse_scalar(at, f, slot, arena, err);
	}
}

int json_fields(const struct json_at *at, const struct json_field *table, void *base,
		struct arena *arena, struct error *err)
{
	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	for (const struct json_field *f = table; f->name; f++) {
		struct json_at field = { at, f->name, 0, json_object_get(at->value, f->name) };
		int ret;

		/* Go's encoder writes null for a nil slice or map: that is "absent" */
		if (!field.value || json_is_null(field.value)) {
			if (f->required)
				return json_error(&field, err, "this property is required");
			continue;
		}
		ret = parse_field(&field, f, base, arena, err);
		if (ret)
			return ret;
	}
	return 0;
}

json_t *json_load_text(const char *text, size_t size, struct error *err)
{
	json_error_t why;
	json_t *root = json_loadb(text, size, 0, &why);

	if (!root && json_error_code(&why) == json_error_numeric_overflow)
		root = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, &why);
	if (!root)
		error_set(err, EINVAL, "not valid JSON: line %d, column %d: %s", why.line,
			  why.column, why.text);
	return root;
}
