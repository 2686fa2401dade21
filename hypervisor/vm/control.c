// SPDX-License-Identifier: Apache-2.0
#include "vm/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

#define REQUEST_MAX     4096
#define CLIENT_TIMEOUT  200000 /* us */
#define CLIENTS_AT_ONCE 8

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
	int ret;

	*control = (struct control){ .fd = -1 };
	if (fd < 0)
		return error_errno(err, errno, "control socket");
	ret = bind_in(fd, state_dir, err);
	if (ret)
		return ret;
	if (listen(fd, CLIENTS_AT_ONCE))
		return error_errno(err, errno, "control socket");
	control->fd = steal_fd(&fd);
	return 0;
}

void control_close(struct control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	control->fd = -1;
}

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static json_t *failure(const char *why)
{
	return json_pack("{ss}", "error", why);
}

static json_t *syscalls(const struct vm_counters *c)
{
	json_t *calls;

	if (!c)
		return failure("this virtual machine keeps no counts");
	calls = json_array();
	for (int nr = 0; nr < VM_COUNTED_SYSCALLS; nr++) {
		json_int_t local = (json_int_t)c->local[nr];
		json_int_t proxied = (json_int_t)c->proxied[nr];
		json_int_t missing = (json_int_t)c->missing[nr];

		if (local || proxied || missing)
			json_array_append_new(calls,
					      json_pack("{sisIsIsI}", "nr", nr, "local", local,
							"proxied", proxied, "missing", missing));
	}
	return json_pack("{sosIsI}", "calls", calls, "hostCalls", (json_int_t)c->host_calls,
			 "pvCalls", (json_int_t)c->pv_calls);
}

static json_t *answer(const struct control *control, const char *line, size_t size)
{
	cleanup(unref_json) json_t *request = json_loadb(line, size, 0, NULL);
	const char *cmd = json_string_value(json_object_get(request, "cmd"));

	if (!cmd)
		return failure("not a request");
	if (!strcmp(cmd, "syscalls"))
		return syscalls(control->counters);
	return failure("unknown command");
}

/* Returns the length of the line, or -1 if there was none in time. */
static ssize_t read_line(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t more = read(fd, buf + n, size - n);
		char *end;

		if (more <= 0)
			return -1;
		end = memchr(buf + n, '\n', (size_t)more);
		if (end)
			return end - buf;
		n += (size_t)more;
	}
	return -1;
}

static void serve_client(const struct control *control, int fd)
{
	const struct timeval limit = { .tv_usec = CLIENT_TIMEOUT };
	cleanup(unref_json) json_t *reply = NULL;
	cleanup_free char *text = NULL;
	char line[REQUEST_MAX];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	n = read_line(fd, line, sizeof(line));
	if (n < 0)
		return;
	reply = answer(control, line, (size_t)n);
	text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	if (!text)
		return;
	/* the client is gone or slow: nothing to be done about it here */
	if (!fs_write_all(fd, text, strlen(text)))
		(void)!write(fd, "\n", 1);
}

void control_serve(struct control *control)
{
	for (int i = 0; i < CLIENTS_AT_ONCE; i++) {
		cleanup_close int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		serve_client(control, fd);
	}
}
