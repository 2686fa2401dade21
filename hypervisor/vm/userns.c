// SPDX-License-Identifier: Apache-2.0
#include "vm/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/proc.h"
#include "vm/idmap_write.h"

/*
 * The mappings are written by a process that is still outside. It must exist before we go in: its
 * authority over the new namespace is that of its own user in the old one.
 */
struct writer {
	pid_t pid;
	int fd; /* to it: one byte, when we are inside; from it: a struct error */
};

static void __attribute__((noreturn)) write_maps(int fd, pid_t target, const struct oci_id_maps *uid,
						 const struct oci_id_maps *gid)
{
	struct error err = { 0 };
	char go;

	if (read(fd, &go, 1) != 1)
		_exit(1);
	if (idmap_write(target, uid, gid, &err) && !err.code)
		err.code = EINVAL;
	_exit(fs_write_all(fd, &err, sizeof(err)) ? 1 : 0);
}

static int start_writer(struct writer *w, const struct oci_id_maps *uid,
			const struct oci_id_maps *gid, struct error *err)
{
	pid_t target = proc_number(getpid());
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return error_errno(err, errno, "linux.uidMappings");
	w->pid = fork();
	if (!w->pid) {
		close(pair[0]);
		write_maps(pair[1], target, uid, gid);
	}
	close(pair[1]);
	w->fd = pair[0];
	if (w->pid < 0) {
		close(w->fd);
		return error_errno(err, errno, "linux.uidMappings");
	}
	return 0;
}

static int reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* inside: have the maps written; otherwise the writer has nothing to do. */
static int finish_writer(struct writer *w, bool inside, struct error *err)
{
	struct error told = { .code = EIO, .text = "linux.uidMappings: the process that writes them died" };

	if (inside && write(w->fd, "g", 1) == 1 &&
	    recv(w->fd, &told, sizeof(told), MSG_WAITALL) != (ssize_t)sizeof(told))
		told.code = EIO;
	close(w->fd);
	reap(w->pid);
	if (!inside || !told.code)
		return 0;
	*err = told;
	return -told.code;
}

int userns_new(const struct oci_spec *spec, struct error *err)
{
	struct writer w;
	int ret = start_writer(&w, &spec->linux_.uid_mappings, &spec->linux_.gid_mappings, err);
	int failed;

	if (ret)
		return ret;
	if (unshare(CLONE_NEWUSER))
		ret = error_errno(err, errno, "linux.namespaces: cannot make a user namespace");
	failed = finish_writer(&w, !ret, err);
	return ret ? ret : failed;
}

static int hold_namespace(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	pause();
	return 0;
}

int userns_detached(const struct oci_id_maps *uid, const struct oci_id_maps *gid, struct error *err)
{
	static char stack[16384] __attribute__((aligned(16)));
	pid_t pid = clone(hold_namespace, stack + sizeof(stack), CLONE_NEWUSER | SIGCHLD, NULL);
	char path[64];
	pid_t number;
	int fd = -1;
	int ret;

	if (pid < 0)
		return error_errno(err, errno, "cannot make a user namespace");
	number = proc_number(pid);
	ret = idmap_write(number, uid, gid, err);
	if (!ret) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", number);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = fd < 0 ? error_errno(err, errno, "%s", path) : 0;
	}
	kill(pid, SIGKILL);
	reap(pid);
	return ret ? ret : fd;
}

int userns_become_root(struct error *err)
{
	/*
	 * A user of the host that is in the container as well goes on as itself, with all
	 * capabilities there: so its signals, and its files, stay its own. An id that is
	 * not mapped looks like this:
	 */
	const uid_t unmapped = 65534;

	if (getegid() == unmapped && syscall(SYS_setresgid, 0, 0, 0))
		return error_errno(err, errno, "linux.gidMappings: the container's root has no id");
	if (geteuid() == unmapped && syscall(SYS_setresuid, 0, 0, 0))
		return error_errno(err, errno, "linux.uidMappings: the container's root has no id");
	/* Where that is not allowed, groups can't be changed by anybody in the namespace. */
	if (syscall(SYS_setgroups, 0, NULL) && errno != EPERM)
		return error_errno(err, errno, "cannot drop groups");
	return 0;
}

static bool is_everything(const struct oci_id_maps *maps)
{
	return maps->n == 1 && !maps->v[0].container_id && !maps->v[0].host_id &&
	       maps->v[0].size == UINT32_MAX;
}

static int read_text(int procfd, const char *name, char *buf, size_t size, struct error *err)
{
	cleanup_close int fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return error_errno(err, errno, "/proc/%s", name);
	buf[n] = '\0';
	return 0;
}

/* At most 340 extents, of 33 bytes each: one page's worth and some. */
#define MAP_TEXT_MAX 16384

static int read_map(int procfd, const char *name, struct oci_id_maps *out, struct error *err)
{
	char text[MAP_TEXT_MAX];
	char *save = NULL;
	int ret = read_text(procfd, name, text, sizeof(text), err);

	if (ret)
		return ret;
	out->n = 0;
	out->v = calloc(sizeof(text) / 33 + 1, sizeof(*out->v));
	if (!out->v)
		return error_errno(err, ENOMEM, "/proc/%s", name);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct oci_id_map *m = &out->v[out->n];

		if (sscanf(line, "%u %u %u", &m->container_id, &m->host_id, &m->size) != 3)
			return error_set(err, EPROTO, "/proc/%s: '%s'", name, line);
		out->n++;
	}
	if (is_everything(out))
		out->n = 0;
	return 0;
}

int userns_read(int procfd, struct userns_ids *out, struct error *err)
{
	char text[16];
	int ret = read_map(procfd, "self/uid_map", &out->uid, err);

	if (!ret)
		ret = read_map(procfd, "self/gid_map", &out->gid, err);
	if (!ret)
		ret = read_text(procfd, "self/setgroups", text, sizeof(text), err);
	if (!ret)
		out->setgroups_denied = !strncmp(text, "deny", 4);
	return ret;
}

void userns_ids_free(struct userns_ids *ids)
{
	free(ids->uid.v);
	free(ids->gid.v);
	*ids = (struct userns_ids){ 0 };
}

static bool has_id(const struct oci_id_maps *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->n; i++) {
		if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
			return true;
	}
	return !maps->n;
}

int userns_check_user(const struct userns_ids *ids, const struct oci_user *user, struct error *err)
{
	static const char no_id[] = "has no id in the container's user namespace";

	if (!has_id(&ids->uid, user->uid))
		return error_set(err, EINVAL, "process.user.uid: %u %s", user->uid, no_id);
	if (!has_id(&ids->gid, user->gid))
		return error_set(err, EINVAL, "process.user.gid: %u %s", user->gid, no_id);
	for (size_t i = 0; i < user->n_groups; i++) {
		if (!has_id(&ids->gid, user->groups[i]))
			return error_set(err, EINVAL, "process.user.additionalGids[%zu]: %u %s", i,
					 user->groups[i], no_id);
	}
	if (user->n_groups && ids->setgroups_denied)
		return error_set(err, EPERM, "process.user.additionalGids: groups can't be set in "
					     "the container's user namespace");
	return 0;
}
