// SPDX-License-Identifier: Apache-2.0
/* callgate top: hands over to the program that has the terminal library. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

#define TOP_NAME "callgate-top"

static const struct option options[] = {
	{ "interval", required_argument, NULL, 'd' },
	{ 0 },
};

/* Beside the program, or where it is installed. Returns if it is in neither place. */
static void run(const char *root, const char *interval)
{
	char exe[PATH_MAX], path[PATH_MAX + sizeof(TOP_NAME)];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return;
	exe[n] = '\0';
	snprintf(path, sizeof(path), "%.*s/" TOP_NAME, (int)(strrchr(exe, '/') - exe), exe);
	execl(path, "callgate top", exe, root, interval, (char *)NULL);
	execl(CALLGATE_LIBEXECDIR "/" TOP_NAME, "callgate top", exe, root, interval, (char *)NULL);
}

int cmd_top(const struct globals *globals, int argc, char **argv, struct error *err)
{
	const char *interval = "2";
	char *end;
	int c, ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		interval = optarg;
		if (!(strtod(interval, &end) >= 0.1) || *end || strtod(interval, &end) > 3600)
			return error_set(err, EINVAL, "--interval: '%s' is not a number of seconds from 0.1 to 3600",
					 interval);
	}
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (ret)
		return ret;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(err, ENOTTY, "callgate top needs a terminal; callgate metrics does not");
	run(globals->root, interval);
	return error_errno(err, errno, TOP_NAME " (beside the program, or in " CALLGATE_LIBEXECDIR ")");
}
