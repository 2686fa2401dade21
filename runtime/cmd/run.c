// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/launch.h"
#include "lib/cleanup.h"

enum {
	OPT_KEEP = CHAR_MAX + 1,
	OPT_PID_FILE,
	OPT_CONSOLE_SOCKET,
	OPT_PRESERVE_FDS,
	OPT_IGNORED,
	OPT_REFUSED,
};

static const struct option options[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "detach", no_argument, NULL, 'd' },
	{ "keep", no_argument, NULL, OPT_KEEP },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },
	{ "preserve-fds", required_argument, NULL, OPT_PRESERVE_FDS },
	/* neither keyrings nor reaping are the host's business here */
	{ "no-new-keyring", no_argument, NULL, OPT_IGNORED },
	{ "no-subreaper", no_argument, NULL, OPT_IGNORED },
	{ "no-pivot", no_argument, NULL, OPT_REFUSED },
	{ "pidfd-socket", required_argument, NULL, OPT_REFUSED },
	{ 0 },
};

static int parse(struct launch *l, const char **bundle, int argc, char **argv, struct error *err)
{
	int c;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		switch (c) {
		case 'b':
			*bundle = optarg;
			break;
		case 'd':
			l->detach = true;
			break;
		case OPT_KEEP:
			l->keep = true;
			break;
		case OPT_PID_FILE:
			l->pid_file = optarg;
			break;
		case OPT_CONSOLE_SOCKET:
			l->console_socket = optarg[0] ? optarg : NULL;
			break;
		case OPT_PRESERVE_FDS:
			if (strcmp(optarg, "0"))
				return error_set(err, ENOTSUP, "--preserve-fds: not supported yet");
			break;
		case OPT_IGNORED:
			break;
		case OPT_REFUSED:
			return error_set(err, ENOTSUP, "%s: not supported yet", argv[optind - 1]);
		default:
			return -err->code;
		}
	}
	return cmd_check_args(argc, argv, 1, 1, err);
}

int cmd_run(const struct globals *globals, int argc, char **argv, struct error *err)
{
	struct launch l = { .globals = globals };
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	cleanup_free char *bundle = NULL;
	const char *named = ".";
	int ret = parse(&l, &named, argc, argv, err);

	if (ret)
		return ret;
	launch_close_inherited();
	bundle = realpath(named, NULL);
	if (!bundle)
		return error_errno(err, errno, "bundle %s", named);
	ret = spec_load(bundle, &spec, err);
	if (ret)
		return ret;
	spec->id = arena_strdup(&spec->arena, argv[optind]);
	l.spec = spec;
	return launch_run(&l, err);
}
