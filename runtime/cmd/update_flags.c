// SPDX-License-Identifier: Apache-2.0
#include "cmd/update.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "oci/json.h"

#define RESOURCES_MAX (1u << 20)

enum kind { NUMBER, UNSIGNED, BYTES, TEXT, IGNORED, REFUSED };

/* A row each; its index is the option's value for getopt. */
static const struct flag {
	const char *name;
	enum kind kind;
	const char *section, *key; /* of linux.resources */
} flags[] = {
	{ "blkio-weight", NUMBER, "blockIO", "weight" },
	{ "cpu-period", UNSIGNED, "cpu", "period" },
	{ "cpu-quota", NUMBER, "cpu", "quota" },
	{ "cpu-burst", UNSIGNED, "cpu", "burst" },
	{ "cpu-share", UNSIGNED, "cpu", "shares" },
	{ "cpu-shares", UNSIGNED, "cpu", "shares" },
	{ "cpu-rt-period", UNSIGNED, "cpu", "realtimePeriod" },
	{ "cpu-rt-runtime", NUMBER, "cpu", "realtimeRuntime" },
	{ "cpu-idle", NUMBER, "cpu", "idle" },
	{ "cpuset-cpus", TEXT, "cpu", "cpus" },
	{ "cpuset-mems", TEXT, "cpu", "mems" },
	{ "memory", BYTES, "memory", "limit" },
	{ "memory-reservation", BYTES, "memory", "reservation" },
	{ "memory-swap", BYTES, "memory", "swap" },
	{ "pids-limit", NUMBER, "pids", "limit" },
	{ "kernel-memory", IGNORED, NULL, NULL },
	{ "kernel-memory-tcp", BYTES, "memory", "kernelTCP" },
	{ "l3-cache-schema", REFUSED, NULL, NULL },
	{ "mem-bw-schema", REFUSED, NULL, NULL },
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))
#define OPT_FLAG (CHAR_MAX + 1)

/* "512", "1.5g", "64MiB" */
static bool parse_bytes(const char *text, json_int_t *out)
{
	static const char units[] = "kmgtp";
	char *end;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;

	if (end == text || !(value >= 0) || !strchr("0123456789.", text[0]))
		return false;
	if (unit) {
		value *= pow(1024, (double)(unit - units + 1));
		end++;
		if (*end == 'i' || *end == 'I')
			end++;
	}
	if (*end == 'b' || *end == 'B')
		end++;
	if (*end || value > 0x1p62)
		return false;
	*out = (json_int_t)value;
	return true;
}

static bool parse_number(const char *text, enum kind kind, json_int_t *out)
{
	char *end;

	if (kind == BYTES && strcmp(text, "-1"))
		return parse_bytes(text, out);
	errno = 0;
	*out = strtoll(text, &end, 10);
	return end != text && !*end && !errno && (kind != UNSIGNED || *out >= 0);
}

static int take_flag(json_t *doc, const struct flag *flag, const char *text, struct error *err)
{
	json_t *section, *value;
	json_int_t number;

	if (flag->kind == REFUSED)
		return error_set(err, ENOTSUP, "--%s: linux.intelRdt is not supported", flag->name);
	if (flag->kind == IGNORED)
		log_warn("--%s is ignored: the memory of the host kernel is counted with all other",
			 flag->name);
	/* as for engines, an empty value is none */
	if (flag->kind == IGNORED || !text[0])
		return 0;
	if (flag->kind != TEXT && !parse_number(text, flag->kind, &number))
		return error_set(err, EINVAL, "invalid value for %s: %s'%s'", flag->name,
				 flag->kind == BYTES ? "invalid size: " : "", text);
	value = flag->kind == TEXT ? json_string(text) : json_integer(number);
	section = json_object_get(doc, flag->section);
	if (!section) {
		section = json_object();
		json_object_set_new(doc, flag->section, section);
	}
	return json_object_set_new(section, flag->key, value) ?
		       error_set(err, EINVAL, "invalid value for %s", flag->name) : 0;
}

static json_t *read_resources(const char *path, struct error *err)
{
	cleanup_free char *text = NULL;
	json_t *doc;
	size_t size;

	if (fs_read_file(strcmp(path, "-") ? path : "/dev/stdin", RESOURCES_MAX, &text, &size, err))
		return NULL;
	doc = json_load_text(text, size, err);
	if (!doc)
		error_wrap(err, "--resources");
	return doc;
}

static void make_options(struct option *options)
{
	for (size_t i = 0; i < FLAGS; i++)
		options[i] = (struct option){ flags[i].name, required_argument, NULL,
					      OPT_FLAG + (int)i };
	options[FLAGS] = (struct option){ "resources", required_argument, NULL, 'r' };
}

json_t *update_parse(int argc, char **argv, struct error *err)
{
	struct option options[FLAGS + 2] = { 0 };
	cleanup(control_unref) json_t *doc = json_object();
	const char *file = NULL;
	int c;

	make_options(options);
	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return NULL;
		if (c == 'r')
			file = optarg;
		else if (take_flag(doc, &flags[c - OPT_FLAG], optarg, err))
			return NULL;
	}
	if (cmd_check_args(argc, argv, 1, 1, err))
		return NULL;
	return file ? read_resources(file, err) : steal_pointer(&doc);
}
