/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's life, from this side: a hypervisor process is made (a fork of ourselves, without an
 * exec), which builds the container and boots the VM; then the container is *created*, and waits
 * to be started.
 */
#ifndef CALLGATE_RUNTIME_LAUNCH_LAUNCH_H
#define CALLGATE_RUNTIME_LAUNCH_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/cmd.h"
#include "launch/console.h"
#include "oci/spec.h"
#include "oci/state.h"
#include "policy/policy.h"

/* From the hypervisor process to us, a packet each. All but LAUNCH_FAILED are a byte. */
#define LAUNCH_NAMESPACES 'N' /* the namespaces are made; it waits for LAUNCH_GO */
#define LAUNCH_READY      'R' /* created */
#define LAUNCH_FAILED     'E' /* the process is about to end */

/* From us to the hypervisor: the hooks of the runtime's namespaces have run. */
#define LAUNCH_GO 'G'

struct launch_message {
	char kind;
	bool created;       /* LAUNCH_FAILED: it had been created */
	struct error error; /* of LAUNCH_FAILED */
};

struct launch {
	const struct globals *globals;
	struct oci_spec *spec; /* id is set */
	bool detach;
	bool at_once; /* the hypervisor starts it: nothing is to be done between "created" and "running" */
	bool keep;
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */
	const char *pidfd_socket;   /* or NULL */
	unsigned int extra_fds;     /* the container gets descriptors 3, 4 ...; see launch_inherit() */
	int notify_fd;              /* connected to $NOTIFY_SOCKET; 0: there is none */

	/* the functions' own */
	struct console console;
	struct container_state state;
	enum machine machine; /* chosen */
	pid_t pid;     /* the hypervisor's */
	int life_fd;   /* open as long as we live: the hypervisor watches the other end */
	int ready_fd;  /* messages, see struct launch_message */
	int signal_fd;
	struct policies policies;
	int policy_log; /* -1: there are no policies */
	bool ready;
	bool failed;   /* an error has been told */
	bool ended;
	int wait_status;
	bool rests; /* memory that only the start needed is given back */
	sigset_t old_mask;
};

/*
 * Creates the container: 0 or -errno. If it fails nothing of the container is left; its hypervisor
 * is an orphan once we exit. The state and, if one is wanted, the pid file are there.
 */
int must_check launch_create(struct launch *launch, struct error *err);

/*
 * Creates, starts and, unless detached, waits for the end. Returns the container's exit status
 * (detached: 0), or -errno. In the foreground nothing of the container is left then, unless it
 * was to be kept.
 */
int must_check launch_run(struct launch *launch, struct error *err);

/*
 * Starts a container that is created, and runs its poststart hooks: if one fails the container is
 * killed. spec may be NULL: no hooks.
 */
int must_check launch_start(const char *root, const struct container_state *state,
			    const struct oci_spec *spec, struct error *err);

/* Removes what is left of a container whose hypervisor is dead, and runs its poststop hooks. */
int must_check launch_destroy(const char *root, const struct container_state *state,
			      const struct oci_spec *spec, struct error *err);

/*
 * Removes what containers left whose `run` and hypervisor have both been killed; it looks at `most` of all containers,
 * not at own_id.
 * tell: with a warning for each. Who runs a container of his own does not want to hear of others.
 */
void launch_sweep(const char *root, const char *own_id, size_t most, bool tell);
#define LAUNCH_SWEEP_FEW 64

/*
 * What we were started with: keeps the descriptors of socket activation ($LISTEN_FDS) and `preserve`
 * more for the container, and closes the rest: the hypervisor would keep them open for
 * as long as the container runs. To be called before anything is opened.
 */
int must_check launch_inherit(struct launch *launch, unsigned int preserve, struct error *err);
/* Afterwards: tells the first program of $LISTEN_FDS. */
void launch_pass_listen_fds(struct launch *launch);
/* Connects to $NOTIFY_SOCKET, and gives the container one of its own: a mount and a variable more. */
void launch_pass_notify(struct launch *launch);

/*
 * fork() with flags of clone; cgroup: the folder of version 2 that the child is born in, or -1. (A process that is moved there
 * waits for milliseconds.) -1 with errno. The caller has one thread.
 */
pid_t launch_clone(uint64_t flags, int cgroup);

/* The parts: fork (fork.c), and what happens beside it (supervise.c). */
int must_check launch_fork(struct launch *launch, struct error *err);
int must_check launch_wait_ready(struct launch *launch, struct error *err);
int must_check launch_supervise(struct launch *launch, struct error *err);
/* Kills the hypervisor, and waits until it is dead. */
void launch_kill(struct launch *launch);

/* The state as hooks are told it, to be freed. */
char *launch_hook_state(const struct container_state *state, enum container_status status,
			const struct oci_spec *spec);

#define LAUNCH_FDS_MAX 128 /* descriptors beyond stdio */

#endif
