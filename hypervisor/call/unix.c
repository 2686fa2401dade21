/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets of the host's kernel: PV_UNIX_CONNECT and PV_UNIX_BIND, in mounts that the configuration has marked for
 * it. The name is resolved as that of a file; what is connected to, or made, is reached by the descriptor that
 * this gave. The host takes the mount's mark, the policy and the caller's permissions into account before any byte flows.
 *
 * Their data goes by the donated descriptor. No descriptor can come along with it: no host call of a guest process sends or
 * receives control data of a socket.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "call/path.h"
#include "call/policy_sock.h"
#include "call/server_impl.h"
#include "call/sock.h"

int path_unix_decode(struct call *c)
{
	const struct pv_req_path *r = &c->req.u.path;
	int ret = decode_path(c);

	if (ret == 0)
		ret = decode_new_handle(c, "arg", r->arg);
	if (ret == 0 && r->flags != SOCK_STREAM && r->flags != SOCK_DGRAM && r->flags != SOCK_SEQPACKET)
		ret = -ESOCKTNOSUPPORT;
	return ret;
}

/* `flags` has the type, no flags of paths: an empty path is the object itself. */
static int find_socket(struct call *c)
{
	int fd = c->path[0][0] ? open_in(c->dirfd[0], c->path[0], O_PATH, 0, 0) :
				 fcntl(c->dirfd[0], F_DUPFD_CLOEXEC, 3);

	return fd < 0 && !c->path[0][0] ? -errno : fd;
}

/* NULL: it is the guest's. */
static const struct pv_unix_mount *mount_of(struct call *c, const struct statx *st, u32 may)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	for (unsigned int i = 0; i < cfg->n_unix_mounts; i++)
		if (cfg->unix_mounts[i].mnt_id == st->stx_mnt_id && cfg->unix_mounts[i].may & may)
			return &cfg->unix_mounts[i];
	return NULL;
}

/* What the container calls it: `last` behind fd's own name. to has room for two paths. */
static int name_of(struct call *c, const struct pv_unix_mount *m, int fd, const char *last, char *to)
{
	char text[PV_PATH_MAX + 1];
	int len = path_of_fd(c, fd, text), ret;

	if (len < 0)
		return len;
	text[len] = '\0';
	/* this may have taken all powers */
	ret = caller_become(c->me, c->cred);
	if (ret < 0)
		return ret;
	if (!strcmp(text, "/"))
		text[0] = '\0';
	snprintf(to, 2 * PV_PATH_MAX, "%s%s%s%s", m->target ? m->target : "", text, last ? "/" : "", last ? last : "");
	return 0;
}

enum origin { CONNECTED, BOUND, ACCEPTED };

/* fd is taken over, also on failure. */
static int install(struct call *c, u32 id, int fd, const char *path, enum origin origin)
{
	struct pv_handle *h;
	int ret = call_install(c, id, HANDLE_SOCKET, fd, true);

	if (ret < 0)
		return ret;
	h = handle_get(&c->srv->handles, id);
	if (!h)
		return -EBADF;
	h->connected = true;
	h->unix_path = strdup(path);
	h->unix_bound = origin == BOUND;
	if (!h->unix_path)
		ret = -ENOMEM;
	else if (origin == ACCEPTED)
		socket_describe(c, id, c->req.u.accept.pid, true, 0);
	else
		socket_describe(c, id, c->req.u.path.pid, false, c->req.u.path.path_len);
	if (!ret && origin != BOUND)
		socket_event(c, h, origin == ACCEPTED ? CONNECTION_ACCEPTED : CONNECTION_OPENED);
	handle_put(h);
	if (ret)
		handle_put(handle_remove(&c->srv->handles, id));
	return ret;
}

int unix_accepted(struct call *c, u32 id, int fd)
{
	return install(c, id, fd, c->h->unix_path, ACCEPTED);
}

/* As the caller, in the eyes of the other end. */
static int connect_as(struct call *c, int fd, const struct sockaddr_un *to)
{
	int ret = caller_be_peer(c->me);

	if (!ret)
		ret = connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ? -errno : 0;
	return caller_be_itself(c->me) < 0 ? violation(c, "cred", "a server thread cannot be itself again") : ret;
}

static int connect_to(struct call *c, int node, const char *path)
{
	const struct pv_req_path *r = &c->req.u.path;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, (int)r->flags | SOCK_NONBLOCK | SOCKET_MODE, 0), ret;

	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", fd_name(node).name);
	ret = connect_as(c, fd, &to);
	if (!ret && fcntl(fd, F_SETFL, 0) < 0)
		ret = -errno;
	if (!ret)
		return install(c, (u32)r->arg, fd, path, CONNECTED);
	close(fd);
	return ret;
}

static int connect_node(struct call *c, int node)
{
	const struct pv_unix_mount *m;
	const struct pv_marker *marker;
	char path[2 * PV_PATH_MAX];
	struct statx st;
	int ret;

	if (statx(node, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return -errno;
	marker = marker_of(c, makedev(st.stx_dev_major, st.stx_dev_minor));
	if (marker)
		return cross_at(c, marker);
	m = mount_of(c, &st, PV_UNIX_MAY_CONNECT);
	if (!m || !S_ISSOCK(st.stx_mode))
		return m ? -ECONNREFUSED : -EOPNOTSUPP;
	ret = name_of(c, m, node, NULL, path);
	if (!ret)
		ret = policy_check_unix(c, POLICY_CONNECT, path, c->req.u.path.pid);
	return ret ? ret : connect_to(c, node, path);
}

int path_unix_connect(struct call *c)
{
	int node = find_socket(c), ret;

	if (node < 0)
		return cross_failed(c, 0, LAST_FOLLOW, node);
	ret = connect_node(c, node);
	close(node);
	return ret;
}

/* The name is relative to the folder, which is the working directory for a moment. */
static int bind_in(struct call *c, int parent, const char *name, int fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	mode_t mode = c->req.u.path.mode & 0777;
	int ret;

	if (strlen(name) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", name);
	if (fchdir(parent) < 0)
		return -errno;
	umask(~mode & 0777);
	ret = bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	umask(0);
	return fchdir(c->srv->cfg.procfd) < 0 ? violation(c, "path", "a server thread cannot return to its directory") : ret;
}

static int bind_node(struct call *c, int parent, const char *name)
{
	const struct pv_req_path *r = &c->req.u.path;
	const struct pv_unix_mount *m;
	char path[2 * PV_PATH_MAX];
	struct statx st;
	int fd, ret;

	if (statx(parent, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return -errno;
	m = mount_of(c, &st, PV_UNIX_MAY_LISTEN);
	if (!m)
		return -EOPNOTSUPP;
	ret = name_of(c, m, parent, name, path);
	if (!ret)
		ret = policy_check_unix(c, POLICY_LISTEN, path, r->pid);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, (int)r->flags | SOCKET_MODE, 0);
	if (fd < 0)
		return -errno;
	ret = bind_in(c, parent, name, fd);
	if (!ret)
		return install(c, (u32)r->arg, fd, path, BOUND);
	close(fd);
	return ret;
}

/* Whatever is wrong with the name, the guest finds out by making a node: here it is only not one of ours. */
int path_unix_bind(struct call *c)
{
	const char *name;
	int parent = parent_open(c, 0, &name), ret;

	if (parent < 0 || !name[0] || strchr(name, '/'))
		ret = -EOPNOTSUPP;
	else
		ret = bind_node(c, parent, name);
	if (parent >= 0 && parent != c->dirfd[0])
		close(parent);
	return ret;
}

int unix_listen(struct call *c, int backlog)
{
	int ret = caller_be_peer(c->me);

	if (!ret)
		ret = listen(c->h->fd, backlog) < 0 ? -errno : 0;
	return caller_be_itself(c->me) < 0 ? violation(c, "cred", "a server thread cannot be itself again") : ret;
}
