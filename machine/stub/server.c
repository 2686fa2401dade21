/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call/server.h"
#include "ring.h"
#include "stub_server.h"

#define EXPORT __attribute__((visibility("default")))
#define ALL_CAPS 0x1ffffffffffULL

struct start {
	const char *root;
	struct pv_server_config cfg;
	struct pv_server *server;
	sem_t done;
};

#define EVENTS 4096

static struct pv_server *server;
static struct ring_header *the_ring;
static pthread_mutex_t event_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t event_change = PTHREAD_COND_INITIALIZER;
static struct {
	bool answered, exited;
	int result, status;
	char text[4096 + 1];
} events[EVENTS];

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

static void on_event_done(void *ctx, u32 event, int result, const char *text)
{
	pthread_mutex_lock(&event_lock);
	events[event].answered = true;
	events[event].result = result;
	snprintf(events[event].text, sizeof(events[event].text), "%s", text);
	pthread_cond_broadcast(&event_change);
	pthread_mutex_unlock(&event_lock);
}

static void on_exited(void *ctx, u32 event, int wait_status)
{
	pthread_mutex_lock(&event_lock);
	events[event].exited = true;
	events[event].status = wait_status;
	pthread_cond_broadcast(&event_change);
	pthread_mutex_unlock(&event_lock);
}

static void await(const bool *flag, const char *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	while (!*flag)
		if (pthread_cond_timedwait(&event_change, &event_lock, &until))
			fail(what, ETIMEDOUT);
}

EXPORT u32 stub_post(const struct pv_event *event, size_t size, const int *fds, unsigned int nfds)
{
	int number = pv_server_post(server, event, size, fds, nfds);

	if (number < 0 || number >= EVENTS)
		fail("post", -number);
	syscall(SYS_futex, &the_ring->events, FUTEX_WAKE, 1, NULL, NULL, 0);
	return (u32)number;
}

EXPORT int stub_answer(u32 event, const char **text)
{
	pthread_mutex_lock(&event_lock);
	await(&events[event].answered, "no answer to an event");
	pthread_mutex_unlock(&event_lock);
	if (text)
		*text = events[event].text;
	return events[event].result;
}

EXPORT bool stub_has_exited(u32 event)
{
	bool has;

	pthread_mutex_lock(&event_lock);
	has = events[event].exited;
	pthread_mutex_unlock(&event_lock);
	return has;
}

EXPORT int stub_exit_status(u32 event)
{
	pthread_mutex_lock(&event_lock);
	await(&events[event].exited, "a process does not end");
	pthread_mutex_unlock(&event_lock);
	return events[event].status;
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

EXPORT void stub_server_start(const char *root, void *ring, int channel, const struct stub_mount *mounts,
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
		.cgroup = { -1, -1, -1, -1, -1 },
		.markers = markers,
		.nmarkers = nmounts,
		.caps = ALL_CAPS,
		.panic = on_panic,
		.protocol_error = on_panic,
		.log = on_log,
		.event_done = on_event_done,
		.exited = on_exited,
	};
	if (s.cfg.rootfd < 0 || s.cfg.procfd < 0)
		fail(root, errno);
	sem_init(&s.done, 0, 0);
	if (pthread_create(&thread, NULL, starter, &s))
		fail("cannot start a thread", errno);
	while (sem_wait(&s.done))
		;
	pthread_join(thread, NULL);
	server = s.server;
	the_ring = ring;
	free(markers);
}
