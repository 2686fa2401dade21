// SPDX-License-Identifier: Apache-2.0
#include "launch/control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "oci/state.h"
#include "vm/control.h"

#define REPLY_MAX  (1u << 20)
#define STOPPED_MS 3000 /* without an answer, before we look why */

void control_unref(json_t **value)
{
	json_decref(*value);
}

int control_connect(const char *root, const char *id, struct error *err)
{
	cleanup_close int dir = -1;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int ret = state_check_id(id, err);

	if (ret)
		return ret;
	if (snprintf(path, sizeof(path), "%s/%s", root, id) >= (int)sizeof(path))
		return error_errno(err, ENAMETOOLONG, "%s/%s", root, id);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? error_set(err, ENOENT, "container does not exist: %s", id)
				       : error_errno(err, errno, "%s", path);
	/* the folder's name may be longer than a socket's can be */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return error_errno(err, errno, "container not running: %s", id);
	return steal_fd(&fd);
}

static int send_first(int sock, const char *text, size_t size, const int *fds, unsigned int n, struct error *err)
{
	union {
		char room[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = &control.align;
	ssize_t sent;

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? error_errno(err, errno, "cannot pass descriptors to the hypervisor") : (int)sent;
}

int control_request(int fd, json_t *message, const int *fds, unsigned int n_fds, struct error *err)
{
	cleanup(control_unref) json_t *owned = message;
	cleanup_free char *text = json_dumps(owned, JSON_COMPACT);
	size_t size;
	int sent = 0;

	if (!text)
		return error_set(err, EINVAL, "a request to the hypervisor can't be put in JSON");
	size = strlen(text);
	text[size++] = '\n'; /* in the place of the NUL */
	if (size > CONTROL_REQUEST_MAX)
		return error_set(err, E2BIG, "the request to the hypervisor is too long");
	if (n_fds > CONTROL_FDS_MAX)
		return error_set(err, E2BIG, "at most %d descriptors can be passed", CONTROL_FDS_MAX);
	if (n_fds)
		sent = send_first(fd, text, size, fds, n_fds, err);
	if (sent < 0)
		return sent;
	while ((size_t)sent < size) {
		ssize_t n = send(fd, text + sent, size - (size_t)sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ECONNRESET, "the hypervisor does not listen");
		sent += (int)n;
	}
	return 0;
}

/* Has somebody stopped the process at the other end? Then it may never answer; else it only has much to do. */
static pid_t stopped_peer(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	cleanup_free char *text = NULL;
	struct error ignored;
	char path[64], *p;
	size_t n;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", peer.pid);
	if (fs_read_file(path, 65536, &text, &n, &ignored))
		return 0;
	p = strrchr(text, ')');
	return p && p[1] && (p[2] == 'T' || p[2] == 't') ? peer.pid : 0;
}

/* Until there is something to read: false if there will be nothing. */
static bool wait_for_peer(int fd)
{
	struct pollfd what = { .fd = fd, .events = POLLIN };

	for (;;) {
		int ret = poll(&what, 1, STOPPED_MS);

		if (ret > 0 || (ret < 0 && errno != EINTR))
			return true;
		if (!ret && stopped_peer(fd))
			return false;
	}
}

/* Up to the end of the line and no further: what follows is for the next caller. */
static ssize_t read_line(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t seen;
		char *end;

		if (!wait_for_peer(fd))
			return -ETIMEDOUT;
		seen = recv(fd, buf + n, size - n, MSG_PEEK);
		end = seen > 0 ? memchr(buf + n, '\n', (size_t)seen) : NULL;

		if (seen < 0 && errno == EINTR)
			continue;
		if (seen <= 0)
			return seen < 0 ? -errno : -ECONNRESET;
		if (end)
			seen = end + 1 - (buf + n);
		seen = recv(fd, buf + n, (size_t)seen, 0);
		if (end)
			return end - buf;
		n += seen > 0 ? (size_t)seen : 0;
	}
	return -EMSGSIZE;
}

json_t *control_reply(int fd, struct error *err)
{
	cleanup_free char *line = malloc(REPLY_MAX);
	ssize_t n = line ? read_line(fd, line, REPLY_MAX) : -ENOMEM;
	json_t *reply = n < 0 ? NULL : json_loadb(line, (size_t)n, 0, NULL);
	const char *why = json_string_value(json_object_get(reply, "error"));

	if (n == -ETIMEDOUT && stopped_peer(fd))
		error_set(err, ETIMEDOUT, "the hypervisor (process %d) does not answer: it is stopped, by SIGSTOP or a debugger",
			  stopped_peer(fd));
	else if (n < 0)
		error_errno(err, (int)-n, "the hypervisor's answer");
	else if (!reply)
		error_set(err, EPROTO, "the hypervisor's answer is not JSON");
	if (!why)
		return reply;
	error_set(err, (int)json_integer_value(json_object_get(reply, "code")), "%s", why);
	json_decref(reply);
	return NULL;
}

static bool answers_within(int fd, int ms)
{
	struct pollfd what = { .fd = fd, .events = POLLIN };
	int ret;

	do
		ret = poll(&what, 1, ms);
	while (ret < 0 && errno == EINTR);
	return ret;
}

json_t *control_ask_for(const char *root, const char *id, json_t *message, int ms, struct error *err)
{
	cleanup_close int fd = control_connect(root, id, err);

	if (fd < 0) {
		json_decref(message);
		return NULL;
	}
	if (control_request(fd, message, NULL, 0, err))
		return NULL;
	if (ms < 0 || answers_within(fd, ms))
		return control_reply(fd, err);
	error_set(err, ETIMEDOUT, "container %s: its guest kernel does not answer", id);
	return NULL;
}

json_t *control_ask(const char *root, const char *id, json_t *message, struct error *err)
{
	return control_ask_for(root, id, message, -1, err);
}
