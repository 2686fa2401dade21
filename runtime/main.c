// SPDX-License-Identifier: Apache-2.0
/* The callgate command: global options, and the command that does the work. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "launch/rootless.h"
#include "lib/log.h"

enum {
	OPT_DEBUG = CHAR_MAX + 1,
	OPT_LOG,
	OPT_LOG_FORMAT,
	OPT_ROOT,
	OPT_SYSTEMD,
	OPT_CGROUP_MANAGER,
	OPT_ROOTLESS,
	OPT_DATA_PLANE,
	OPT_MACHINE,
};

#define DATA_PLANE_ENV "CALLGATE_DATA_PLANE"
#define MACHINE_ENV "CALLGATE_MACHINE"

static const struct option options[] = {
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "log-format", required_argument, NULL, OPT_LOG_FORMAT },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "systemd-cgroup", no_argument, NULL, OPT_SYSTEMD },
	{ "cgroup-manager", required_argument, NULL, OPT_CGROUP_MANAGER },
	{ "rootless", required_argument, NULL, OPT_ROOTLESS },
	{ "data-plane", required_argument, NULL, OPT_DATA_PLANE },
	{ "machine", required_argument, NULL, OPT_MACHINE },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int set_log_format(struct globals *g, const char *format, struct error *err)
{
	g->log_json = !strcmp(format, "json");
	if (!g->log_json && strcmp(format, "text"))
		return error_set(err, EINVAL, "--log-format: '%s' is neither text nor json",
				 format);
	return 0;
}

/* crun's option: engines give it for containers that are to have no cgroup */
static int set_cgroup_manager(struct globals *g, const char *name, struct error *err)
{
	static const char *const names[] = {
		[CGROUP_CGROUPFS] = "cgroupfs",
		[CGROUP_SYSTEMD] = "systemd",
		[CGROUP_NONE] = "disabled",
	};

	for (int i = CGROUP_CGROUPFS; i <= CGROUP_NONE; i++) {
		if (!strcmp(name, names[i])) {
			g->cgroup_manager = (enum cgroup_manager)i;
			return 0;
		}
	}
	return error_set(err, EINVAL, "--cgroup-manager: '%s' is none of cgroupfs, systemd, disabled",
			 name);
}

static int set_rootless(struct globals *g, const char *value, struct error *err)
{
	static const char *const yes[] = { "true", "1", "t", "T", "TRUE", "True" };
	static const char *const no[] = { "false", "0", "f", "F", "FALSE", "False" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcmp(value, yes[i]))
			g->rootless = ROOTLESS_YES;
		else if (!strcmp(value, no[i]))
			g->rootless = ROOTLESS_NO;
		else
			continue;
		return 0;
	}
	g->rootless = ROOTLESS_AUTO;
	return !value[0] || !strcmp(value, "auto") ? 0 :
		error_set(err, EINVAL, "--rootless: '%s' is none of true, false, auto", value);
}

/* `source` is where the name comes from: the option, or the environment of whoever runs us. Never an image. */
static int set_data_plane(struct globals *g, const char *source, const char *name, struct error *err)
{
	g->data_rings = !strcmp(name, "ring");
	if (!g->data_rings && strcmp(name, "donate"))
		return error_set(err, EINVAL, "%s: '%s' is neither donate nor ring", source, name);
	return 0;
}

static int set_machine(struct globals *g, const char *source, const char *name, struct error *err)
{
	for (int m = MACHINE_PV; m <= MACHINE_AUTO; m++) {
		if (strcmp(name, machine_name((enum machine)m)))
			continue;
		g->machine = (enum machine)m;
		g->machine_asked = true;
		return 0;
	}
	return error_set(err, EINVAL, "%s: '%s' is none of auto, pv, kvm", source, name);
}

static int by_environment(struct globals *g, struct error *err)
{
	const char *plane = getenv(DATA_PLANE_ENV), *machine = getenv(MACHINE_ENV);
	int ret = plane && plane[0] ? set_data_plane(g, DATA_PLANE_ENV, plane, err) : 0;

	return !ret && machine && machine[0] ? set_machine(g, MACHINE_ENV, machine, err) : ret;
}

/* Returns 0, -errno, or 1 if the answer has been given already. */
static int parse_globals(struct globals *g, int argc, char **argv, struct error *err)
{
	int c;
	int ret = by_environment(g, err);

	while (!ret && (c = cmd_option(argc, argv, options, err)) != -1) {
		switch (c) {
		case OPT_DEBUG:
			g->debug = true;
			break;
		case OPT_LOG:
			g->log = optarg[0] ? optarg : NULL;
			break;
		case OPT_LOG_FORMAT:
			ret = set_log_format(g, optarg, err);
			break;
		case OPT_ROOT:
			g->root = optarg;
			break;
		case OPT_SYSTEMD:
			g->cgroup_manager = CGROUP_SYSTEMD;
			break;
		case OPT_CGROUP_MANAGER:
			ret = set_cgroup_manager(g, optarg, err);
			break;
		case OPT_ROOTLESS:
			ret = set_rootless(g, optarg, err);
			break;
		case OPT_DATA_PLANE:
			ret = set_data_plane(g, "--data-plane", optarg, err);
			break;
		case OPT_MACHINE:
			ret = set_machine(g, "--machine", optarg, err);
			break;
		case 'v':
			cmd_print_version();
			return 1;
		case 'h':
			cmd_print_usage(NULL);
			return 1;
		default:
			return -err->code;
		}
	}
	return ret;
}

/* In front of the first argument that is no option: what follows may be a program's. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	}
	return false;
}

static int run_command(int argc, char **argv, struct error *err)
{
	struct globals g = { .root = rootless_state_root() };
	const struct command *command;
	int ret = parse_globals(&g, argc, argv, err);

	log_setup(&(struct log_config){ .path = g.log, .json = g.log_json, .debug = g.debug });
	if (ret)
		return ret < 0 ? ret : 0;
	if (optind == argc) {
		cmd_print_usage(NULL);
		return 0;
	}
	command = cmd_find(argv[optind]);
	if (!command)
		return error_set(err, EINVAL, "unknown command '%s'", argv[optind]);
	argc -= optind;
	argv += optind;
	optind = 0; /* makes getopt begin anew */
	if (wants_help(argc, argv)) {
		cmd_print_usage(command);
		/* Podman asks "checkpoint --help", and takes success to mean that it is there. */
		if (command->run != cmd_checkpoint)
			return 0;
	}
	return command->run(&g, argc, argv, err);
}

/* Whoever started us without stdin, stdout or stderr must not get a pipe of ours there. */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* jansson would read /dev/urandom for it. */
static void seed_tables(void)
{
	size_t seed;

	memcpy(&seed, (const void *)getauxval(AT_RANDOM), sizeof(seed));
	json_object_seed(seed);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	int ret;

	fill_stdio();
	seed_tables();
	ret = run_command(argc, argv, &err);
	if (ret < 0) {
		log_error(err.text);
		return EXIT_FAILURE;
	}
	return ret;
}
