// SPDX-License-Identifier: Apache-2.0
/* Version 1 tells of it by an eventfd, version 2 by a change of memory.events. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "stats/stats.h"
#include "vm/cgroup_impl.h"

static int watch_v1(int dir)
{
	cleanup_close int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	cleanup_close int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char line[64];

	if (control < 0 || event < 0)
		return -1;
	snprintf(line, sizeof(line), "%d %d", event, control);
	return cgroup_write(dir, "cgroup.event_control", line) ? -1 : steal_fd(&event);
}

static int watch_v2(int dir)
{
	cleanup_close int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/memory.events", dir);
	return fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0 ? -1 : steal_fd(&fd);
}

void oom_watch_start(struct oom_watch *w, const struct cgroup_tree *tree, const char *place)
{
	w->dir = cgroup_dir(tree, place, "memory");
	w->fd = w->dir < 0 ? -1 : tree->unified ? watch_v2(w->dir) : watch_v1(w->dir);
	w->v1 = !tree->unified;
	w->kills = cgroup_oom_kills(w->dir);
}

/*
 * Version 1 tells of it before the kill, and once more when the cgroup is removed; version 2 also
 * when a limit is hit.
 */
bool oom_watch_happened(struct oom_watch *w)
{
	unsigned long kills = cgroup_oom_kills(w->dir), known = w->kills;
	char events[4096];

	while (read(w->fd, events, sizeof(events)) == (ssize_t)sizeof(events))
		;
	w->kills = kills;
	return w->v1 ? !faccessat(w->dir, "memory.oom_control", F_OK, 0) : kills > known;
}

void oom_watch_stop(struct oom_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->dir >= 0)
		close(w->dir);
}
