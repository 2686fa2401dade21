/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further process in a running container: `callgate exec`.
 *
 * Each has a host process of its own, the proxy: a child of ours, in the container's cgroup, whose pid is what
 * engines know. It hands the descriptors to the hypervisor, stays connected, passes its own signals on to
 * the guest's process and exits with that one's status. Killed, it takes that process along.
 */
#ifndef CALLGATE_RUNTIME_LAUNCH_EXEC_H
#define CALLGATE_RUNTIME_LAUNCH_EXEC_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cmd/cmd.h"
#include "launch/console.h"
#include "oci/state.h"

/* What the command line says about the process. NULL and 0: nothing. */
struct exec_options {
	const char *process_file;
	char **args;
	size_t n_args;
	const char *cwd, *user, *apparmor, *label;
	const char **env, **groups, **caps;
	size_t n_env, n_groups, n_caps;
	bool terminal, no_new_privileges;
};

struct exec_launch {
	const struct globals *globals;
	const char *id;
	struct exec_options options;
	bool detach;
	bool ignore_paused;
	const char *pid_file, *console_socket, *pidfd_socket;
	unsigned int preserve_fds;

	/* exec_run()'s own */
	struct container_state state;
	struct oci_process process;
	json_t *request;
	struct console console;
	pid_t pid; /* the proxy's */
	int ready_fd; /* struct launch_message */
	int signal_fd;
};

/* Returns the exit status (detached: 0, as soon as the program runs), or -errno. */
int must_check exec_run(struct exec_launch *x, struct error *err);

/* exec_process.c: the OCI process: a file of its own, or the container's (in config) with what the options say. */
json_t *exec_process(const struct exec_options *o, const char *config, struct arena *arena, struct oci_process *parsed,
		     struct error *err);

/* exec_proxy.c: the proxy. It reports to ready_fd. */
void exec_proxy(struct exec_launch *x, int ready_fd) __attribute__((noreturn));

/* exec_cgroup.c: a child in pid's cgroup of version 2, if that is possible; it still has to join the others. -1 with errno. */
pid_t exec_fork(pid_t pid);
/* Moves the calling process to where pid is. */
int must_check exec_join_cgroups(pid_t pid, struct error *err);

#define EXEC_PRESERVE_MAX 250

#endif
