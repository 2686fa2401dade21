// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/fs.h"
#include "oci/default_spec.h"

static const struct option options[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ 0 },
};

int cmd_spec(const struct globals *globals, int argc, char **argv, struct error *err)
{
	const char *bundle = ".";
	char path[PATH_MAX];
	int c;
	int ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		bundle = optarg;
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (ret)
		return ret;
	if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path))
		return error_errno(err, ENAMETOOLONG, "%s", bundle);
	if (!access(path, F_OK))
		return error_set(err, EEXIST, "file %s exists: remove it first", path);
	return fs_write_file(path, oci_default_spec, strlen(oci_default_spec), 0666, err);
}
