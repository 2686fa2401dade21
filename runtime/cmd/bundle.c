// SPDX-License-Identifier: Apache-2.0
#include "cmd/bundle.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_KEEP = CHAR_MAX + 1,
	OPT_PID_FILE,
	OPT_CONSOLE_SOCKET,
	OPT_PIDFD_SOCKET,
	OPT_PRESERVE_FDS,
	OPT_NO_PIVOT,
	OPT_IGNORED,
};

#define CREATE_OPTIONS                                                          \
	{ "bundle", required_argument, NULL, 'b' },                             \
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },                  \
	{ "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },      \
	{ "pidfd-socket", required_argument, NULL, OPT_PIDFD_SOCKET },          \
	{ "preserve-fds", required_argument, NULL, OPT_PRESERVE_FDS },          \
	{ "no-pivot", no_argument, NULL, OPT_NO_PIVOT },                        \
	/* guests never see the host's keyrings */                              \
	{ "no-new-keyring", no_argument, NULL, OPT_IGNORED }

static const struct option create_options[] = { CREATE_OPTIONS, { 0 } };

static const struct option run_options[] = {
	CREATE_OPTIONS,
	{ "detach", no_argument, NULL, 'd' },
	{ "keep", no_argument, NULL, OPT_KEEP },
	/* the guest kernel reaps, and the hypervisor is a child of ours */
	{ "no-subreaper", no_argument, NULL, OPT_IGNORED },
	{ 0 },
};

static int parse_count(const char *text, unsigned int *out, struct error *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < 0 || n > INT_MAX)
		return error_set(err, EINVAL, "--preserve-fds: '%s' is not a number", text);
	*out = (unsigned int)n;
	return 0;
}

/* An empty name is none: wrappers pass what they were not given. */
static const char *optional(const char *name)
{
	return name[0] ? name : NULL;
}

static int take_option(struct launch *l, struct bundle_options *o, int c, struct error *err)
{
	switch (c) {
	case 'b':
		o->bundle = optarg[0] ? optarg : ".";
		break;
	case 'd':
		l->detach = true;
		break;
	case OPT_KEEP:
		l->keep = true;
		break;
	case OPT_PID_FILE:
		l->pid_file = optional(optarg);
		break;
	case OPT_CONSOLE_SOCKET:
		l->console_socket = optional(optarg);
		break;
	case OPT_PIDFD_SOCKET:
		l->pidfd_socket = optional(optarg);
		break;
	case OPT_PRESERVE_FDS:
		return parse_count(optarg, &o->preserve_fds, err);
	case OPT_NO_PIVOT:
		o->no_pivot = true;
		break;
	case OPT_IGNORED:
		break;
	default:
		return -err->code;
	}
	return 0;
}

int bundle_parse(struct launch *l, struct bundle_options *o, bool run, int argc, char **argv,
		 struct error *err)
{
	int c;
	int ret = 0;

	o->bundle = ".";
	while (!ret && (c = cmd_option(argc, argv, run ? run_options : create_options, err)) != -1)
		ret = take_option(l, o, c, err);
	if (!ret)
		ret = cmd_check_args(argc, argv, 1, 1, err);
	o->id = argv[optind];
	return ret;
}

int bundle_load(struct launch *l, const struct bundle_options *o, struct error *err)
{
	char path[PATH_MAX];
	int ret = launch_inherit(l, o->preserve_fds, err);

	if (ret)
		return ret;
	if (!realpath(o->bundle, path))
		return error_errno(err, errno, "bundle %s", o->bundle);
	ret = spec_load(path, &l->spec, err);
	if (ret)
		return ret;
	l->spec->id = arena_strdup(&l->spec->arena, o->id);
	l->spec->no_pivot = o->no_pivot;
	launch_pass_listen_fds(l);
	launch_pass_notify(l);
	return 0;
}
