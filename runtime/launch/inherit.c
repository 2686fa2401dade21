// SPDX-License-Identifier: Apache-2.0
/* Descriptors that are handed through to the container. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launch/launch.h"

#define FIRST (STDERR_FILENO + 1)

/* sd_listen_fds(3): they are for us only if it says so. */
static unsigned int listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *n = getenv("LISTEN_FDS");

	if (!pid || !n || atoi(pid) != getpid() || atoi(n) < 0)
		return 0;
	return (unsigned int)atoi(n);
}

int launch_inherit(struct launch *l, unsigned int preserve, struct error *err)
{
	unsigned int listening = listen_fds();
	unsigned int n = listening + preserve;

	if (preserve > LAUNCH_FDS_MAX || listening > LAUNCH_FDS_MAX || n > LAUNCH_FDS_MAX)
		return error_set(err, E2BIG, "--preserve-fds: at most %d descriptors",
				 LAUNCH_FDS_MAX);
	for (unsigned int i = 0; i < n; i++) {
		int fd = (int)(FIRST + i);

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			return error_errno(err, errno, "unable to stat preserved-fd %d (of %u)",
					   fd, n);
	}
	close_range(FIRST + n, ~0u, 0);
	l->extra_fds = n;
	return 0;
}

void launch_pass_listen_fds(struct launch *l)
{
	struct oci_strings *env = &l->spec->process.env;
	struct arena *arena = &l->spec->arena;
	unsigned int n = listen_fds();
	char **v;

	if (!n)
		return;
	v = arena_array(arena, env->n + 3, sizeof(*v));
	for (size_t i = 0; i < env->n; i++)
		v[i] = env->v[i];
	v[env->n++] = arena_printf(arena, "LISTEN_FDS=%u", n);
	v[env->n++] = arena_strdup(arena, "LISTEN_PID=1");
	env->v = v;
}
