// SPDX-License-Identifier: Apache-2.0
/* Docker: runtimes.NAME in daemon.json. Everything else in it keeps its order and its values. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engines/engines.h"
#include "lib/cleanup.h"

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static json_t *load(const char *path, const char *text, struct error *err)
{
	json_error_t why;
	json_t *root;

	/* dockerd takes an empty file for an empty object */
	if (!text || !text[strspn(text, " \t\r\n")])
		return json_object();
	root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		error_set(err, EINVAL, "%s:%d:%d: %s; nothing was changed", path, why.line,
			  why.column, why.text);
	else if (!json_is_object(root))
		error_set(err, EINVAL, "%s: not an object; nothing was changed", path);
	else if (json_object_get(root, "runtimes") &&
		 !json_is_object(json_object_get(root, "runtimes")))
		error_set(err, EINVAL, "%s: runtimes: not an object; nothing was changed", path);
	else
		return root;
	json_decref(root);
	return NULL;
}

/* Someone else's runtime of that name stays. */
static int check_owner(const struct registration *reg, const char *path, json_t *entry,
		       struct error *err)
{
	const char *program = json_string_value(json_object_get(entry, "path"));
	const char *base = program ? strrchr(program, '/') : NULL;

	if (!entry || (program && (!strcmp(base ? base + 1 : program, "callgate") ||
				   !strcmp(program, reg->program))))
		return 0;
	return error_set(err, EEXIST, "%s: runtimes.%s is another program (%s); nothing was changed",
			 path, reg->name, program ?: "no path");
}

/* What indents the first line that is indented; NULL: the text is one line. */
static const char *indent_of(struct arena *arena, const char *text)
{
	for (const char *p = text; p && (p = strchr(p, '\n')); p++) {
		size_t n = strspn(p + 1, " \t");

		if (n && p[1 + n] == '"')
			return arena_printf(arena, "%.*s", (int)n, p + 1);
	}
	return text && !strchr(text, '\n') ? NULL : "    ";
}

/* jansson indents by blanks only: one for each level, which become the indentation. */
static const char *dump(const struct registration *reg, json_t *root, const char *old)
{
	const char *indent = indent_of(reg->arena, old);
	cleanup_free char *text =
		json_dumps(root, JSON_REAL_PRECISION(15) | (indent ? JSON_INDENT(1) : 0));
	size_t lines = 1;
	size_t blanks = 0;
	char *out;
	char *to;

	if (!text)
		abort(); /* out of memory */
	if (!indent)
		return arena_strdup(reg->arena, text);
	for (const char *p = text; *p; p++) {
		lines += *p == '\n';
		blanks += *p == ' ';
	}
	to = out = arena_alloc(reg->arena, strlen(text) + blanks * strlen(indent) + lines + 2);
	for (const char *p = text; *p;) {
		for (; *p == ' '; p++)
			to = stpcpy(to, indent);
		while (*p && *p != '\n')
			*to++ = *p++;
		*to++ = '\n';
		p += *p == '\n';
	}
	return out;
}

static int put_entry(const struct registration *reg, json_t *runtimes, json_t *entry,
		     struct error *err)
{
	cleanup(unref_json) json_t *made = entry ? json_incref(entry) : json_object();

	json_object_set_new(made, "path", json_string(reg->program));
	if (reg->nargs) {
		json_t *args = json_array();

		for (size_t i = 0; i < reg->nargs; i++)
			json_array_append_new(args, json_string(reg->args[i]));
		json_object_set_new(made, "runtimeArgs", args);
	}
	if (!json_object_get(made, "path") || json_object_set(runtimes, reg->name, made))
		return error_set(err, EINVAL, "%s: not UTF-8", reg->program);
	return 0;
}

static int add(const struct registration *reg, json_t *root, struct error *err)
{
	json_t *runtimes = json_object_get(root, "runtimes");

	if (!runtimes) {
		runtimes = json_object();
		json_object_set_new(root, "runtimes", runtimes);
	}
	return put_entry(reg, runtimes, json_object_get(runtimes, reg->name), err);
}

static int take_away(const struct registration *reg, const char *path, json_t *root,
		     struct error *err)
{
	const char *standard = json_string_value(json_object_get(root, "default-runtime"));
	json_t *runtimes = json_object_get(root, "runtimes");

	if (standard && !strcmp(standard, reg->name))
		return error_set(err, EBUSY, "%s: default-runtime is %s: dockerd would not start "
				 "without it; change that first; nothing was changed",
				 path, reg->name);
	json_object_del(runtimes, reg->name);
	if (!json_object_size(runtimes))
		json_object_del(root, "runtimes");
	return 0;
}

int docker_edit(const struct registration *reg, const char *path, const char *old,
		const char **new, struct error *err)
{
	cleanup(unref_json) json_t *root = load(path, old, err);
	cleanup(unref_json) json_t *before = json_deep_copy(root);
	json_t *entry;
	int ret;

	*new = old;
	if (!root)
		return -err->code;
	entry = json_object_get(json_object_get(root, "runtimes"), reg->name);
	ret = check_owner(reg, path, entry, err);
	if (ret || (reg->remove && !entry))
		return ret;
	ret = reg->remove ? take_away(reg, path, root, err) : add(reg, root, err);
	if (ret || json_equal(root, before))
		return ret;
	*new = json_object_size(root) ? dump(reg, root, old) : NULL;
	return 0;
}
