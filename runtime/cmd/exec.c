// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "launch/exec.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define EXIT_EXEC_FAILED 255

enum {
	OPT_CWD = CHAR_MAX + 1,
	OPT_PID_FILE,
	OPT_CONSOLE_SOCKET,
	OPT_PIDFD_SOCKET,
	OPT_LABEL,
	OPT_APPARMOR,
	OPT_NO_NEW_PRIVS,
	OPT_PRESERVE_FDS,
	OPT_CGROUP,
	OPT_IGNORE_PAUSED,
};

static const struct option options[] = {
	{ "process", required_argument, NULL, 'p' },
	{ "cwd", required_argument, NULL, OPT_CWD },
	{ "env", required_argument, NULL, 'e' },
	{ "tty", no_argument, NULL, 't' },
	{ "user", required_argument, NULL, 'u' },
	{ "additional-gids", required_argument, NULL, 'g' },
	{ "detach", no_argument, NULL, 'd' },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "console-socket", required_argument, NULL, OPT_CONSOLE_SOCKET },
	{ "pidfd-socket", required_argument, NULL, OPT_PIDFD_SOCKET },
	{ "process-label", required_argument, NULL, OPT_LABEL },
	{ "apparmor", required_argument, NULL, OPT_APPARMOR },
	{ "no-new-privs", no_argument, NULL, OPT_NO_NEW_PRIVS },
	{ "cap", required_argument, NULL, 'c' },
	{ "preserve-fds", required_argument, NULL, OPT_PRESERVE_FDS },
	{ "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "ignore-paused", no_argument, NULL, OPT_IGNORE_PAUSED },
	{ 0 },
};

static int set_preserve_fds(struct exec_launch *x, const char *text, struct error *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!text[0] || *end || text[0] == '-')
		return error_set(err, EINVAL, "--preserve-fds: '%s' is not a number", text);
	if (n > EXEC_PRESERVE_MAX)
		return error_set(err, E2BIG, "--preserve-fds: at most %d", EXEC_PRESERVE_MAX);
	x->preserve_fds = (unsigned int)n;
	return 0;
}

/* Now, before descriptors of our own take their numbers. */
static int check_preserved(const struct exec_launch *x, struct error *err)
{
	for (unsigned int i = 0; i < x->preserve_fds; i++) {
		if (fcntl(STDERR_FILENO + 1 + (int)i, F_GETFD) < 0)
			return error_errno(err, errno, "unable to stat preserved-fd %u (of %u)", i + 1, x->preserve_fds);
	}
	close_range(STDERR_FILENO + 1 + x->preserve_fds, ~0u, 0);
	return 0;
}

/* A process of the guest can be in no other cgroup than the whole guest. */
static int check_cgroup(const char *path, struct error *err)
{
	if (!path[strspn(path, "/")])
		return 0;
	return error_set(err, ENOTSUP, "--cgroup: the processes of a guest kernel can't be in cgroups of their own");
}

static int set_option(struct exec_launch *x, int c, struct error *err)
{
	struct exec_options *o = &x->options;

	switch (c) {
	case 'p':
		o->process_file = optarg;
		return 0;
	case OPT_CWD:
		o->cwd = optarg;
		return 0;
	case 'e':
		o->env[o->n_env++] = optarg;
		return 0;
	case 't':
		o->terminal = true;
		return 0;
	case 'u':
		o->user = optarg;
		return 0;
	case 'g':
		o->groups[o->n_groups++] = optarg;
		return 0;
	case 'd':
		x->detach = true;
		return 0;
	case OPT_PID_FILE:
		x->pid_file = optarg[0] ? optarg : NULL;
		return 0;
	case OPT_CONSOLE_SOCKET:
		x->console_socket = optarg[0] ? optarg : NULL;
		return 0;
	case OPT_PIDFD_SOCKET:
		x->pidfd_socket = optarg[0] ? optarg : NULL;
		return 0;
	case OPT_LABEL:
		o->label = optarg;
		return 0;
	case OPT_APPARMOR:
		o->apparmor = optarg;
		return 0;
	case OPT_NO_NEW_PRIVS:
		o->no_new_privileges = true;
		return 0;
	case 'c':
		o->caps[o->n_caps++] = optarg;
		return 0;
	case OPT_PRESERVE_FDS:
		return set_preserve_fds(x, optarg, err);
	case OPT_CGROUP:
		return check_cgroup(optarg, err);
	case OPT_IGNORE_PAUSED:
		x->ignore_paused = true;
		return 0;
	default:
		return -err->code;
	}
}

/* 0, -errno, or 1: an option's value is wrong, which counts as a failed exec. */
static int parse(struct exec_launch *x, int argc, char **argv, struct error *err)
{
	int c, ret;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (set_option(x, c, err))
			return c == '?' ? -err->code : 1;
	}
	ret = cmd_check_args(argc, argv, 1, INT_MAX, err);
	if (ret)
		return ret;
	x->id = argv[optind];
	x->options.args = argv + optind + 1;
	x->options.n_args = (size_t)(argc - optind - 1);
	return 0;
}

int cmd_exec(const struct globals *globals, int argc, char **argv, struct error *err)
{
	/* no option can be given more often than there are words */
	cleanup_free const char **words = calloc(3 * (size_t)argc, sizeof(*words));
	struct exec_launch x = { .globals = globals };
	int ret;

	if (!words)
		return error_errno(err, ENOMEM, "exec");
	x.options.env = words;
	x.options.groups = words + argc;
	x.options.caps = words + 2 * argc;
	ret = parse(&x, argc, argv, err);
	if (ret < 0)
		return ret;
	ret = ret || check_preserved(&x, err) ? -err->code : exec_run(&x, err);
	if (ret >= 0)
		return ret;
	error_wrap(err, "exec failed");
	log_error(err->text);
	return EXIT_EXEC_FAILED;
}
