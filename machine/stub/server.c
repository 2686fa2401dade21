/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/server.h"
#include "stub_server.h"

#define ALL_CAPS 0x1ffffffffffULL

struct start {
	const char *root;
	struct pv_server_config cfg;
	struct pv_server *server;
	sem_t done;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "stub server: %s: %s\n", what, strerror(err));
	abort();
}

static void on_panic(void *ctx, const char *text)
{
	fail(text, 0);
}

static void on_log(void *ctx, int level, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/*
 * The server wants the container's root to be its own, but the tests go on in the host's: so it is
 * started by a thread that has changed root alone. Its threads inherit that.
 */
static void *starter(void *arg)
{
	struct start *s = arg;
	int ret;

	if (unshare(CLONE_FS) || chroot(s->root) || chdir("/"))
		fail("cannot enter the root directory", errno);
	ret = pv_server_start(&s->server, &s->cfg);
	if (ret)
		fail("cannot start", -ret);
	sem_post(&s->done);
	return NULL;
}

__attribute__((visibility("default"))) void stub_server_start(const char *root, void *ring,
							      int channel,
							      const struct stub_mount *mounts,
							      u32 nmounts)
{
	struct pv_marker *markers = calloc(nmounts + 1, sizeof(*markers));
	static struct start s;
	pthread_t thread;

	for (u32 i = 0; i < nmounts; i++)
		markers[i] = (struct pv_marker){.dev = mounts[i].dev, .target = mounts[i].target};
	s.root = root;
	s.cfg = (struct pv_server_config){
		.ring = ring,
		.chan_fd = channel,
		.rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC),
		.vm_procfd = -1,
		.cgroupfd = -1,
		.markers = markers,
		.nmarkers = nmounts,
		.caps = ALL_CAPS,
		.panic = on_panic,
		.protocol_error = on_panic,
		.log = on_log,
	};
	if (s.cfg.rootfd < 0 || s.cfg.procfd < 0)
		fail(root, errno);
	sem_init(&s.done, 0, 0);
	if (pthread_create(&thread, NULL, starter, &s))
		fail("cannot start a thread", errno);
	while (sem_wait(&s.done))
		;
	pthread_join(thread, NULL);
	free(markers);
}
