/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: one file each, and one row each in table.c. */
#ifndef CALLGATE_RUNTIME_CMD_CMD_H
#define CALLGATE_RUNTIME_CMD_CMD_H

#include <getopt.h>
#include <stdbool.h>

#include "lib/error.h"
#include "vm/cgroup.h"
#include "vm/machine.h"

#define CALLGATE_SPEC_VERSION "1.3.0"

/* --rootless: may there be no right to cgroups? */
enum rootless { ROOTLESS_AUTO, ROOTLESS_YES, ROOTLESS_NO };

/* Options in front of the command. */
struct globals {
	bool debug;
	const char *log;
	bool log_json;
	const char *root; /* the folder that holds a folder of state per container */
	enum cgroup_manager cgroup_manager;
	enum rootless rootless;
	enum machine machine; /* --machine */
	bool machine_asked;   /* it was given */
	bool data_rings; /* --data-plane=ring */
};

struct command {
	const char *name;
	const char *args;    /* for the usage line */
	const char *summary;
	const char *options; /* a line each */
	/* argv[0] is the command's name. Returns an exit status, or -errno with err set. */
	int (*run)(const struct globals *globals, int argc, char **argv, struct error *err);
};

extern const struct command commands[]; /* ends with a NULL name */

const struct command *cmd_find(const char *name);

int cmd_check(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_checkpoint(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_connections(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_create(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_debug(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_delete(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_do(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_events(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_exec(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_features(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_help(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_install(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_kill(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_list(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_metrics(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_pause(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_policy(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_ps(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_resume(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_run(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_spec(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_start(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_state(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_top(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_trace(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_uninstall(const struct globals *globals, int argc, char **argv, struct error *err);
int cmd_update(const struct globals *globals, int argc, char **argv, struct error *err);

/*
 * getopt_long() from the first option on, stopping at the first other word. Returns the
 * option, -1 at the end, or '?' with err set.
 */
int cmd_option(int argc, char **argv, const struct option *options, struct error *err);

/* The number of words behind the options must be between these. */
int must_check cmd_check_args(int argc, char **argv, int min, int max, struct error *err);

void cmd_print_usage(const struct command *command);
void cmd_print_version(void);

#endif
