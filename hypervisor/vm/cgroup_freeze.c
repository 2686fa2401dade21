// SPDX-License-Identifier: Apache-2.0
/* Stopping all processes of a cgroup: version 1's freezer, version 2's cgroup.freeze. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "vm/cgroup_impl.h"

/* A process in the middle of a disk access stops after it: 10 s of them are a lot. */
#define TRIES 2000
#define PAUSE 5000000 /* ns */

static bool is_frozen(const struct cgroup_tree *tree, int dir)
{
	char text[256];

	if (cgroup_read(dir, tree->unified ? "cgroup.events" : "freezer.state", text, sizeof(text)))
		return false;
	return strstr(text, tree->unified ? "frozen 1" : "FROZEN") != NULL;
}

/* Version 1 may stay at FREEZING when a fork slips through: asking again helps. */
static int ask(const struct cgroup_tree *tree, int dir, bool frozen)
{
	if (tree->unified)
		return cgroup_write(dir, "cgroup.freeze", frozen ? "1" : "0");
	return cgroup_write(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static int wait_for(const struct cgroup_tree *tree, int dir, bool frozen)
{
	const struct timespec pause = { .tv_nsec = PAUSE };

	for (int tries = 0; tries < TRIES; tries++) {
		int ret = !tries || !(tree->unified || tries % 10) ? ask(tree, dir, frozen) : 0;

		if (ret)
			return ret;
		if (is_frozen(tree, dir) == frozen)
			return 0;
		nanosleep(&pause, NULL);
	}
	(void)!ask(tree, dir, !frozen);
	return -ETIMEDOUT;
}

int cgroup_freeze(const struct cgroup_tree *tree, const char *place, bool frozen, struct error *err)
{
	cleanup_close int dir = cgroup_dir(tree, place, "freezer");
	const char *what = frozen ? "freeze" : "thaw";
	int ret;

	if (dir < 0)
		return error_set(err, ENOTSUP, "unable to %s: the container has no freezer cgroup",
				 what);
	ret = wait_for(tree, dir, frozen);
	return ret ? error_errno(err, -ret, "unable to %s", what) : 0;
}

bool cgroup_frozen(const struct cgroup_tree *tree, const char *place)
{
	cleanup_close int dir = cgroup_dir(tree, place, "freezer");

	return dir >= 0 && is_frozen(tree, dir);
}
