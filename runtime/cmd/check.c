// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "check/check.h"
#include "cmd/cmd.h"
#include "lib/cleanup.h"

enum {
	OPT_JSON = CHAR_MAX + 1,
};

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ 0 },
};

static const char *const status_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARNING] = "warning",
	[CHECK_MISSING] = "missing",
	[CHECK_PLANNED] = "planned",
};

void report(struct report *r, const char *name, enum check_status status, const char *remedy,
	    const char *fmt, ...)
{
	char text[1024];
	json_t *finding;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->fit &= status != CHECK_MISSING;
	if (!r->findings) {
		printf("%-8s %-17s %s%s%s\n", status_names[status], name, text,
		       remedy ? "; remedy: " : "", remedy ?: "");
		fflush(stdout);
		return;
	}
	finding = json_pack("{s:s, s:s, s:s}", "name", name, "status", status_names[status],
			    "found", text);
	if (remedy)
		json_object_set_new(finding, "remedy", json_string(remedy));
	json_array_append_new(r->findings, finding);
}

static void check_all(struct report *r)
{
	check_kernel(r);
	check_mounts(r);
	check_cgroups(r);
	check_security(r);
	check_state_folder(r);
	check_machines(r);
	check_rootless(r);
	check_engines(r);
}

static void print_json(const struct report *r)
{
	json_t *all = json_pack("{s:b, s:O}", "fit", r->fit, "findings", r->findings);

	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

int cmd_check(const struct globals *globals, int argc, char **argv, struct error *err)
{
	struct report r = { .root = globals->root, .fit = true };
	int ret;
	int c;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		r.findings = r.findings ?: json_array();
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (ret)
		return ret;
	check_all(&r);
	if (r.findings)
		print_json(&r);
	json_decref(r.findings);
	return r.fit ? 0 : 1;
}
