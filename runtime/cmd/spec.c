// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "oci/default_spec.h"
#include "oci/rootless_spec.h"

#define OPT_ROOTLESS (CHAR_MAX + 1)

static const struct option options[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "rootless", no_argument, NULL, OPT_ROOTLESS },
	{ 0 },
};

int cmd_spec(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup_free char *changed = NULL;
	const char *bundle = ".";
	const char *text = oci_default_spec;
	bool rootless = false;
	char path[PATH_MAX];
	int c;
	int ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == OPT_ROOTLESS)
			rootless = true;
		else
			bundle = optarg;
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (ret)
		return ret;
	if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path))
		return error_errno(err, ENAMETOOLONG, "%s", bundle);
	if (!access(path, F_OK))
		return error_set(err, EEXIST, "file %s exists: remove it first", path);
	if (rootless)
		text = changed = rootless_spec(oci_default_spec);
	if (!text)
		return error_errno(err, ENOMEM, "config.json");
	return fs_write_file(path, text, strlen(text), 0666, err);
}
