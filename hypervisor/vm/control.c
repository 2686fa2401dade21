// SPDX-License-Identifier: Apache-2.0
#include "vm/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "oci/json.h"

#define CHUNK   65536
#define BACKLOG 128

struct buffer {
	char *v;
	size_t used, room;
};

struct control_client {
	struct control *control;
	struct control_client *next;
	int fd; /* -1: gone, and freed by the next control_serve() */
	bool busy;       /* a request has not been answered */
	bool processing; /* client_process() is on the stack */
	bool finishing;
	uint32_t watched; /* EPOLL* */
	struct buffer in, out;
	int fds[CONTROL_FDS_MAX];
	unsigned int n_fds;
	void (*hangup)(void *arg);
	void *hangup_arg;
};

/* ---- listening ---- */

/* A socket's name has 108 bytes, a state folder may have more: it is reached by a link. */
static int bind_in(int fd, const char *state_dir, struct error *err)
{
	cleanup_close int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int ret;

	if (dir < 0)
		return error_errno(err, errno, "%s", state_dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	mask = umask(0077);
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	return ret ? error_errno(err, errno, "%s/" CONTROL_SOCKET, state_dir) : 0;
}

int control_listen(struct control *control, const char *state_dir, struct error *err)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cleanup_close int poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
	int ret;

	*control = (struct control){ .fd = -1, .listen_fd = -1 };
	if (fd < 0 || poller < 0)
		return error_errno(err, errno, "control socket");
	ret = bind_in(fd, state_dir, err);
	if (ret)
		return ret;
	if (listen(fd, BACKLOG) || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e))
		return error_errno(err, errno, "control socket");
	control->listen_fd = steal_fd(&fd);
	control->fd = steal_fd(&poller);
	return 0;
}

/* ---- clients ---- */

static void close_fds(struct control_client *c)
{
	for (unsigned int i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	c->n_fds = 0;
}

/* It is over; whoever serves the client is told. */
static void client_cut(struct control_client *c)
{
	void (*hangup)(void *arg) = c->hangup;

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	close_fds(c);
	c->hangup = NULL;
	if (hangup)
		hangup(c->hangup_arg);
}

static void reap(struct control *control)
{
	struct control_client **p = &control->clients;

	while (*p) {
		struct control_client *c = *p;

		if (c->fd >= 0) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		control->n_clients--;
		free(c->in.v);
		free(c->out.v);
		free(c);
	}
}

void control_close(struct control *control)
{
	for (struct control_client *c = control->clients; c; c = c->next)
		client_cut(c);
	reap(control);
	if (control->fd >= 0)
		close(control->fd);
	if (control->listen_fd >= 0)
		close(control->listen_fd);
	control->fd = control->listen_fd = -1;
}

void control_abandon(struct control *control)
{
	for (struct control_client *c = control->clients; c; c = c->next)
		c->hangup = NULL;
	control_close(control);
}

/* A request is read when the one before it has been answered: the socket holds the rest back. */
static void watch(struct control_client *c)
{
	struct epoll_event e = { .data.ptr = c };

	if (c->fd < 0)
		return;
	e.events = (c->busy || c->finishing ? 0 : EPOLLIN) | (c->out.used ? EPOLLOUT : 0);
	if (e.events == c->watched)
		return;
	c->watched = e.events;
	if (epoll_ctl(c->control->fd, EPOLL_CTL_MOD, c->fd, &e))
		client_cut(c);
}

static bool buffer_add(struct buffer *b, const char *data, size_t size, size_t max)
{
	if (size > max - b->used)
		return false;
	if (size > b->room - b->used) {
		size_t room = b->used + size + 4096;
		char *v = realloc(b->v, room);

		if (!v)
			return false;
		b->v = v;
		b->room = room;
	}
	memcpy(b->v + b->used, data, size);
	b->used += size;
	return true;
}

static void buffer_drop(struct buffer *b, size_t n)
{
	b->used -= n;
	memmove(b->v, b->v + n, b->used);
	if (b->used)
		return;
	free(b->v);
	*b = (struct buffer){ 0 };
}

static void client_flush(struct control_client *c)
{
	while (c->fd >= 0 && c->out.used) {
		ssize_t n = send(c->fd, c->out.v, c->out.used, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			client_cut(c);
		else
			buffer_drop(&c->out, (size_t)n);
	}
	if (c->finishing && !c->out.used)
		client_cut(c);
	watch(c);
}

static void client_process(struct control_client *c);

void *control_ctx(const struct control_client *c)
{
	return c->control->ctx;
}

void control_send(struct control_client *c, json_t *message)
{
	cleanup_free char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	bool ok = text && c->fd >= 0 && buffer_add(&c->out, text, strlen(text), CONTROL_OUTPUT_MAX) &&
		  buffer_add(&c->out, "\n", 1, CONTROL_OUTPUT_MAX);

	json_decref(message);
	if (ok)
		client_flush(c);
	else
		client_cut(c);
}

void control_answer(struct control_client *c, json_t *reply)
{
	c->busy = false;
	close_fds(c);
	control_send(c, reply);
	client_process(c);
}

void control_fail(struct control_client *c, int code, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;
	json_t *reply;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply = json_pack("{sssi}", "error", text, "code", code);
	if (!reply) /* a guest's word that is not UTF-8 */
		reply = json_pack("{sssi}", "error", "unprintable error", "code", code);
	control_answer(c, reply);
}

void control_finish(struct control_client *c)
{
	c->finishing = true;
	c->hangup = NULL;
	client_flush(c);
}

const int *control_fds(const struct control_client *c, unsigned int *n)
{
	*n = c->n_fds;
	return c->fds;
}

void control_fds_taken(struct control_client *c)
{
	c->n_fds = 0;
}

void control_on_hangup(struct control_client *c, void (*fn)(void *arg), void *arg)
{
	c->hangup = fn;
	c->hangup_arg = arg;
}

bool control_engaged(struct control_client *c)
{
	if (!c->hangup)
		return false;
	control_fail(c, EBUSY, "this connection has a process, a trace or the like already");
	return true;
}

void *control_hangup_arg(const struct control_client *c, void (*fn)(void *arg))
{
	return c->hangup == fn ? c->hangup_arg : NULL;
}

/* ---- requests ---- */

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static void run_request(struct control_client *c, const char *line, size_t size)
{
	struct error err;
	cleanup(unref_json) json_t *request = json_load_text(line, size, &err);
	const char *name = json_string_value(json_object_get(request, "cmd"));

	c->busy = true;
	if (!name) {
		control_fail(c, EINVAL, "not a request: %s", request ? "no \"cmd\"" : err.text);
		return;
	}
	for (const struct control_command *cmd = c->control->commands; cmd && cmd->name; cmd++) {
		if (!strcmp(cmd->name, name)) {
			cmd->run(c, request);
			return;
		}
	}
	control_fail(c, ENOSYS, "unknown command '%.50s'", name);
}

/* Runs the lines that are there, up to one whose answer comes later. */
static void client_process(struct control_client *c)
{
	char *end;

	if (c->processing)
		return;
	c->processing = true;
	while (c->fd >= 0 && !c->busy && !c->finishing && c->in.used &&
	       (end = memchr(c->in.v, '\n', c->in.used))) {
		size_t size = (size_t)(end - c->in.v);

		run_request(c, c->in.v, size);
		buffer_drop(&c->in, size + 1);
	}
	c->processing = false;
	watch(c);
}

static bool take_fds(struct control_client *c, struct msghdr *msg)
{
	bool ok = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[CONTROL_FDS_MAX];

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || n > CONTROL_FDS_MAX)
			continue;
		memcpy(fds, CMSG_DATA(h), n * sizeof(int));
		for (size_t i = 0; i < n; i++) {
			if (c->n_fds < CONTROL_FDS_MAX) {
				c->fds[c->n_fds++] = fds[i];
			} else {
				close(fds[i]);
				ok = false;
			}
		}
	}
	return ok;
}

/* Returns false when there is nothing more for now. */
static bool client_read(struct control_client *c, char *chunk)
{
	union {
		char room[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { chunk, CHUNK };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR;
	if (!n || !take_fds(c, &msg) || !buffer_add(&c->in, chunk, (size_t)n, CONTROL_REQUEST_MAX)) {
		client_cut(c);
		return false;
	}
	client_process(c);
	return true;
}

static void client_serve(struct control_client *c, uint32_t events)
{
	static char chunk[CHUNK];

	if (c->fd >= 0 && events & EPOLLOUT)
		client_flush(c);
	/* one that has hung up may have left requests behind: nobody waits for the answer of the last */
	if (c->fd >= 0 && events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN))
		client_cut(c);
	if (c->fd >= 0 && events & EPOLLIN && !c->busy)
		(void)client_read(c, chunk);
}

/* ---- connections ---- */

/* The folder and the socket are their owner's alone; this is for descriptors that were passed around. */
static bool is_owner(const struct control *control, int fd)
{
	struct ucred who;
	struct ucred owner; /* who made the socket: we may have another user's id since */
	socklen_t size = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) ||
	    getsockopt(control->listen_fd, SOL_SOCKET, SO_PEERCRED, &owner, &size))
		return false;
	return !who.uid || who.uid == owner.uid;
}

/* Who connected and then had nothing to say for the longest time makes room. */
static bool make_room(struct control *control)
{
	struct control_client *oldest = NULL;

	for (struct control_client *c = control->clients; c; c = c->next) {
		if (!c->busy && !c->hangup && c->fd >= 0)
			oldest = c;
	}
	if (!oldest)
		return false;
	client_cut(oldest);
	reap(control);
	return true;
}

static bool client_add(struct control *control, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct control_client *c;

	if (control->n_clients == CONTROL_CLIENTS_MAX && !make_room(control))
		return false;
	c = calloc(1, sizeof(*c));
	if (!c)
		return false;
	e.data.ptr = c;
	if (epoll_ctl(control->fd, EPOLL_CTL_ADD, fd, &e)) {
		free(c);
		return false;
	}
	c->control = control;
	c->fd = fd;
	c->watched = e.events;
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	return true;
}

static void accept_clients(struct control *control)
{
	static const char full[] = "{\"error\":\"too many connections\"}\n";
	int fd;

	while ((fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (is_owner(control, fd) && client_add(control, fd))
			continue;
		(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
}

void control_serve(struct control *control)
{
	struct epoll_event ready[64];
	bool connections = false;
	int n = epoll_wait(control->fd, ready, sizeof(ready) / sizeof(ready[0]), 0);

	for (int i = 0; i < n; i++) {
		if (ready[i].data.ptr)
			client_serve(ready[i].data.ptr, ready[i].events);
		else
			connections = true;
	}
	/* not before: a client of this round may not be freed in it */
	reap(control);
	if (connections)
		accept_clients(control);
}
