/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: an input is what a client sends, in pieces (each of them a byte of length and the bytes; with
 * the highest bit, descriptors come along). The guest is a post function that answers, or lets wait.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "vm/commands.h"

#define FDS 3

static struct world {
	char dir[64];
	struct control control;
	struct vm_events events;
	struct command_ctx ctx;
	unsigned int posted;
} w;

static int post(void *server, const struct pv_event *event, size_t size, const int *fds, unsigned int nfds)
{
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
	return (int)++w.posted;
}

static int null_fd = -1;

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static void fail(void *vm, const char *why)
{
}

static void has_started(void *vm)
{
}

static void limits(void *vm, struct pv_event *event)
{
	event->ncpus = 1;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	strcpy(w.dir, "/tmp/callgate-fuzz-XXXXXX");
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	must(null_fd >= 0 && mkdtemp(w.dir) != NULL, "mkdtemp");
	return 0;
}

static void set_up(void)
{
	static struct vm_config cfg;
	struct error err;
	char path[128];

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, w.dir);
	unlink(path);
	must(control_listen(&w.control, w.dir, &err) == 0, "control_listen");
	memset(&w.events, 0, sizeof(w.events));
	must(vm_events_init(&w.events) == 0, "vm_events_init");
	w.events.post = post;
	w.events.booted = true;
	w.ctx = (struct command_ctx){ .events = &w.events, .booted = true, .started = true, .cfg = &cfg,
				      .fail = fail, .has_started = has_started, .limits = limits };
	w.control.ctx = &w.ctx;
	w.control.commands = vm_commands;
	w.posted = 0;
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CONTROL_SOCKET, w.dir);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	return fd;
}

static void serve(int fd)
{
	char answer[4096];

	for (int i = 0; i < 4; i++) {
		control_serve(&w.control);
		vm_events_take(&w.events);
	}
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static void say(int fd, const u8 *data, size_t len, bool with_fds)
{
	union {
		char room[CMSG_SPACE(FDS * sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { .cmsg_len = CMSG_LEN(FDS * sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	/* not the client's own end: who sends that keeps the connection for as long as it is not taken */
	int fds[FDS] = { null_fd, null_fd, null_fd };

	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	if (with_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	int fd;

	set_up();
	fd = dial();
	while (size > 1) {
		size_t len = data[0] & 0x7f;
		bool with_fds = data[0] & 0x80;

		len = len < size - 1 ? len : size - 1;
		if (len)
			say(fd, data + 1, len, with_fds);
		serve(fd);
		data += 1 + len;
		size -= 1 + len;
	}
	/* the first half of what was asked has happened, well or not */
	for (unsigned int n = 1; n <= w.posted / 2; n++)
		vm_events_done(&w.events, n, n & 1 ? (int)n : -2, "");
	serve(fd);
	close(fd);
	serve(-1);
	if (w.control.n_clients)
		abort();
	for (unsigned int n = 1; n <= w.posted; n++) {
		vm_events_done(&w.events, n, (int)n, "");
		vm_events_exited(&w.events, n, 0);
	}
	vm_events_take(&w.events);
	control_close(&w.control);
	close(w.events.fd);
	return 0;
}
