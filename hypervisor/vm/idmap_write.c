// SPDX-License-Identifier: Apache-2.0
#include "vm/idmap_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"

#define EXTENTS_MAX 340 /* user_namespaces(7) */

struct kind {
	const char *property;
	const char *file;
	const char *tool;
};

static const struct kind users = { "linux.uidMappings", "uid_map", "newuidmap" };
static const struct kind groups = { "linux.gidMappings", "gid_map", "newgidmap" };

/* The whole map must be one write. */
static int write_file(pid_t pid, const char *name, const char *text)
{
	cleanup_close int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int write_directly(pid_t pid, const struct kind *k, const struct oci_id_maps *maps)
{
	char text[EXTENTS_MAX * 33 + 1] = "";
	size_t n = 0;

	for (size_t i = 0; i < maps->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u %u %u\n", maps->v[i].container_id,
				      maps->v[i].host_id, maps->v[i].size);
	return write_file(pid, k->file, text);
}

static int run(char **argv, struct error *err)
{
	pid_t pid = fork();
	int status = -1;

	if (pid < 0)
		return error_errno(err, errno, "%s", argv[0]);
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, EPERM,
				 "%s is not there (package uidmap): without it an ordinary user can "
				 "only map its own id", argv[0]);
	if (status)
		return error_set(err, EPERM, "%s failed: does /etc/sub%cid allow these ids?",
				 argv[0], argv[0][3]);
	return 0;
}

/* newuidmap PID INSIDE OUTSIDE COUNT ...: set-user-ID, and asks /etc/subuid. */
static int write_by_tool(pid_t pid, const struct kind *k, const struct oci_id_maps *maps,
			 struct error *err)
{
	char words[3 * EXTENTS_MAX + 1][12];
	char *argv[3 * EXTENTS_MAX + 3];
	size_t n = 0;

	snprintf(words[n], sizeof(words[n]), "%d", pid);
	for (size_t i = 0; i < maps->n; i++) {
		const struct oci_id_map *m = &maps->v[i];

		snprintf(words[++n], sizeof(words[n]), "%u", m->container_id);
		snprintf(words[++n], sizeof(words[n]), "%u", m->host_id);
		snprintf(words[++n], sizeof(words[n]), "%u", m->size);
	}
	argv[0] = (char *)k->tool;
	for (size_t i = 0; i <= n; i++)
		argv[i + 1] = words[i];
	argv[n + 2] = NULL;
	return run(argv, err);
}

static int write_map(pid_t pid, const struct kind *k, const struct oci_id_maps *maps,
		     struct error *err)
{
	int ret = maps->n && maps->n <= EXTENTS_MAX ? write_directly(pid, k, maps) : -EINVAL;

	if (ret == -EPERM && geteuid())
		ret = write_by_tool(pid, k, maps, err) ? -err->code : 0;
	else if (ret)
		error_errno(err, -ret, "cannot map these ids");
	return ret ? error_wrap(err, "%s", k->property) : 0;
}

static bool only(const struct oci_id_maps *maps, uint32_t id)
{
	return maps->n == 1 && maps->v[0].size == 1 && maps->v[0].host_id == id;
}

int idmap_write(pid_t pid, const struct oci_id_maps *uid, const struct oci_id_maps *gid,
		struct error *err)
{
	int ret = 0;

	/* the price of mapping one's own group without anybody's leave (user_namespaces(7)) */
	if (geteuid() && only(gid, getegid()))
		ret = write_file(pid, "setgroups", "deny");
	if (ret)
		return error_errno(err, -ret, "/proc/%d/setgroups", pid);
	ret = write_map(pid, &users, uid, err);
	return ret ? ret : write_map(pid, &groups, gid, err);
}
