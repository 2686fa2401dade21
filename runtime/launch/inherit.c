// SPDX-License-Identifier: Apache-2.0
/* Descriptors that are handed through to the container. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "vm/notify.h"

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

static void add_string(struct arena *arena, struct oci_strings *to, char *text)
{
	char **v = arena_array(arena, to->n + 2, sizeof(*v));

	for (size_t i = 0; i < to->n; i++)
		v[i] = to->v[i];
	v[to->n++] = text;
	to->v = v;
}

void launch_pass_listen_fds(struct launch *l)
{
	struct oci_strings *env = &l->spec->process.env;
	struct arena *arena = &l->spec->arena;
	unsigned int n = listen_fds();

	if (!n)
		return;
	add_string(arena, env, arena_printf(arena, "LISTEN_FDS=%u", n));
	add_string(arena, env, arena_strdup(arena, "LISTEN_PID=1"));
}

/* sd_notify(3): an absolute path, or "@" and an abstract name. */
static int connect_notify(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	if (fd < 0)
		return -errno;
	if ((name[0] != '/' && name[0] != '@') || len >= sizeof(un.sun_path))
		return -EINVAL;
	memcpy(un.sun_path, name, len);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
		return -errno;
	return steal_fd(&fd);
}

static void add_notify_mount(struct oci_spec *spec)
{
	static const char *const options[] = { "nosuid", "noexec", "nodev", "mode=1777", "size=64k" };
	struct arena *arena = &spec->arena;
	struct oci_mount *v = arena_array(arena, spec->n_mounts + 1, sizeof(*v));
	struct oci_mount *m = &v[spec->n_mounts];

	for (size_t i = 0; i < spec->n_mounts; i++)
		v[i] = spec->mounts[i];
	m->destination = arena_strdup(arena, NOTIFY_DIR);
	m->type = m->source = arena_strdup(arena, "tmpfs");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		add_string(arena, &m->options, arena_strdup(arena, options[i]));
	spec->mounts = v;
	spec->n_mounts++;
}

void launch_pass_notify(struct launch *l)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int fd = name && name[0] ? connect_notify(name) : -ENOENT;

	if (fd < 0) {
		if (name && name[0])
			log_warn("NOTIFY_SOCKET: %s: %s; the container has none", name, strerror(-fd));
		return;
	}
	l->notify_fd = fd;
	add_notify_mount(l->spec);
	add_string(&l->spec->arena, &l->spec->process.env, arena_strdup(&l->spec->arena, "NOTIFY_SOCKET=" NOTIFY_PATH));
}
