/* SPDX-License-Identifier: Apache-2.0 */
#include "call/server.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call/confine.h"
#include "call/policy_names.h"
#include "call/program.h"
#include "call/server_impl.h"
#include "lib/pages.h"

#define STOP_WAIT_SEC 2

static void *server_main(void *arg)
{
	struct pv_server *srv = arg;
	struct caller me;

	pthread_setname_np(pthread_self(), "pv-server");
	/* Workers are this thread's children, and inherit its filter. */
	if ((srv->cfg.thread_begins && srv->cfg.thread_begins() < 0) || caller_init(&me, srv) < 0 || confine_thread(srv->cfg.schedules) < 0 || streams_start(srv) < 0)
		serve_violation(srv, "a server thread cannot be set up");
	wait_init(&srv->spinner);
	while (!server_stopping(srv)) {
		wait_for_request(srv);
		do {
			if (streams_pending(srv))
				streams_serve(srv);
		} while (!server_stopping(srv) && ring_pending(srv) && serve_next(srv, &me));
	}
	caller_exit(&me);
	return NULL;
}

/*
 * Is a procfs visible to the container (a bind mount of the host's), or may one appear, because mounts
 * of the host propagate to a tree? Its magic links would lead path walks out of the container
 * with the hypervisor's authority. If in doubt: yes.
 */
static bool magic_links_visible(int procfd)
{
	int fd = openat(procfd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	bool found = false;
	size_t room = 0;

	if (!f)
		return true;
	while (!found && getline(&line, &room, f) > 0)
		found = strstr(line, " - proc ") || strstr(line, " master:") || strstr(line, " shared:");
	free(line);
	fclose(f);
	return found;
}

static int copy_markers(struct pv_server *srv, const struct pv_server_config *cfg)
{
	srv->cfg.nmarkers = 0;
	srv->markers = calloc(cfg->nmarkers + 1, sizeof(*srv->markers));
	if (!srv->markers)
		return -ENOMEM;
	srv->cfg.markers = srv->markers;
	for (unsigned int i = 0; i < cfg->nmarkers; i++) {
		srv->markers[i].dev = cfg->markers[i].dev;
		srv->markers[i].target = strdup(cfg->markers[i].target);
		if (!srv->markers[i].target)
			return -ENOMEM;
		srv->cfg.nmarkers++;
	}
	return 0;
}

static int copy_unix_mounts(struct pv_server *srv, const struct pv_server_config *cfg)
{
	size_t size = cfg->n_unix_mounts * sizeof(*cfg->unix_mounts);
	struct pv_unix_mount *copy = malloc(size + 1);

	srv->cfg.unix_mounts = copy;
	if (copy && size)
		memcpy(copy, cfg->unix_mounts, size);
	return copy ? 0 : -ENOMEM;
}

static void server_free(struct pv_server *srv)
{
	handles_destroy(&srv->handles);
	events_destroy(&srv->events);
	programs_free(srv->programs);
	free(srv->names);
	if (srv->creds.creds[0])
		creds_destroy(&srv->creds);
	for (unsigned int i = 0; srv->markers && i < srv->cfg.nmarkers; i++)
		free((char *)srv->markers[i].target);
	free(srv->markers);
	free((void *)srv->cfg.unix_mounts);
	free(srv->calls);
	pages_free(srv, sizeof(*srv));
}

/* While nothing runs in the container yet. */
static int learn_programs(struct pv_server *srv)
{
	if (!srv->cfg.policies || !srv->cfg.policies->n)
		return 0;
	policies_pin(srv->cfg.policies, srv->cfg.rootfd);
	srv->programs = programs_new(srv->cfg.policies);
	if (policies_want_names(srv->cfg.policies)) {
		srv->names = policy_names_new();
		if (!srv->names)
			return -ENOMEM;
	}
	return srv->programs ? 0 : -ENOMEM;
}

static struct pv_server *server_make(const struct pv_server_config *cfg)
{
	struct pv_server *srv = pages_alloc(sizeof(*srv));

	if (!srv)
		return NULL;
	srv->cfg = *cfg;
	srv->nice = getpriority(PRIO_PROCESS, 0);
	srv->cfg.unix_mounts = NULL;
	srv->ring = cfg->ring;
	srv->data = (u8 *)cfg->ring + RING_DATA_OFF;
	srv->data_rings = (u8 *)cfg->ring + DATA_RINGS_OFF;
	srv->magic = magic_links_visible(cfg->procfd);
	pthread_mutex_init(&srv->donor.lock, NULL);
	workers_init(&srv->workers);
	handles_init(&srv->handles);
	srv->calls = calloc(RING_SLOTS, sizeof(*srv->calls));
	if (events_init(&srv->events) < 0 || copy_markers(srv, cfg) < 0 || copy_unix_mounts(srv, cfg) < 0 || creds_init(&srv->creds) < 0 ||
	    !srv->calls || learn_programs(srv) < 0) {
		server_free(srv);
		return NULL;
	}
	return srv;
}

/*
 * Growing the descriptor table of a process with threads makes the host kernel wait for a grace
 * period, for milliseconds. Most containers stay below this size, which is grown to while there is
 * one thread.
 */
#define EXPECTED_FDS 4096

static void grow_fd_table(int some_fd)
{
	int fd = fcntl(some_fd, F_DUPFD_CLOEXEC, EXPECTED_FDS - 1);

	if (fd >= 0)
		close(fd);
}

int pv_server_start(struct pv_server **out, const struct pv_server_config *config)
{
	struct pv_server *srv = server_make(config);
	sigset_t all, old;
	int ret;

	if (!srv)
		return -ENOMEM;
	srv->ring->magic = RING_MAGIC;
	srv->ring->version = RING_VERSION;
	srv->ring->features = config->data_rings ? RING_F_DATA_RINGS : 0;
	grow_fd_table(config->rootfd);
	*out = srv;
	if (config->by_exit)
		return 0;
	/* Server threads take no signals: those are the process's main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&srv->thread, NULL, server_main, srv);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		server_free(srv);
	return -ret;
}

int pv_server_add_handle(struct pv_server *server, u32 id, int fd)
{
	enum handle_kind kind = handle_kind_of(fd);

	/* a bind mount below a guest-side one is the container's: it comes as a name */
	return handle_insert(&server->handles, id, kind, fd, kind != HANDLE_PATH, NULL);
}

/* A thread that a file system of the host's holds up is left to the end of the process. */
static bool join_server(struct pv_server *server)
{
	struct timespec until;

	if (server->cfg.by_exit)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_WAIT_SEC;
	return !pthread_clockjoin_np(server->thread, NULL, CLOCK_MONOTONIC, &until);
}

bool pv_server_stop(struct pv_server *server)
{
	server_set_stopping(server);
	ring_wake_server(server);
	if (!join_server(server))
		return false;
	streams_stop(server);
	if (!workers_stop(&server->workers))
		return false;
	server_free(server);
	return true;
}

void pv_server_stats(struct pv_server *server,
		     void (*fn)(void *arg, const struct pv_command_stats *stats), void *arg)
{
	for (u32 i = 0; i < COMMANDS; i++) {
		const struct pv_command *command = command_at(i);
		struct pv_command_stats stats;

		if (!command || !command->name)
			continue;
		stats.name = command->name;
		stats.calls = __atomic_load_n(&server->counters[i].calls, __ATOMIC_RELAXED);
		stats.errors = __atomic_load_n(&server->counters[i].errors, __ATOMIC_RELAXED);
		stats.crossings = __atomic_load_n(&server->counters[i].crossings, __ATOMIC_RELAXED);
		if (stats.calls)
			fn(arg, &stats);
	}
}
