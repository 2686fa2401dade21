// SPDX-License-Identifier: Apache-2.0
#include "launch/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

#define END_OF_INPUT "\x04" /* ^D */

void console_resize(struct console *c)
{
	struct winsize size;

	if (c->master >= 0 && !ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		ioctl(c->master, TIOCSWINSZ, &size);
}

static void set_configured_size(struct console *c, const struct oci_process *p)
{
	struct winsize size = {
		.ws_row = (unsigned short)p->console_height.v,
		.ws_col = (unsigned short)p->console_width.v,
	};

	if (p->console_height.set && p->console_width.set && (size.ws_row || size.ws_col))
		ioctl(c->master, TIOCSWINSZ, &size);
	else
		console_resize(c);
}

int console_open(struct console *c, const struct oci_process *process, struct error *err)
{
	c->slave = -1;
	c->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->master < 0 || unlockpt(c->master))
		return error_errno(err, errno, "cannot make a terminal");
	c->slave = ioctl(c->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->slave < 0)
		return error_errno(err, errno, "cannot make a terminal");
	/* its owner can use it by name, which matters to programs that look for it; only root may give it away */
	if (fchown(c->slave, process->user.uid, (gid_t)-1) && errno != EPERM)
		return error_errno(err, errno, "cannot give the terminal to its user");
	set_configured_size(c, process);
	c->used = true;
	return 0;
}

int console_attach(struct console *c, struct error *err)
{
	if (ioctl(c->slave, TIOCSCTTY, 0))
		return error_errno(err, errno, "cannot control the terminal");
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (dup2(c->slave, fd) < 0)
			return error_errno(err, errno, "cannot use the terminal");
	}
	close(c->slave);
	close(c->master);
	c->slave = -1;
	c->master = -1;
	return 0;
}

/* The name must not be empty: receivers take that for the end. */
static int send_fd(int sock, const char *name, int fd)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name) };
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int socket_send_fd(const char *path, const char *option, const char *name, int fd,
		   struct error *err)
{
	cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return error_errno(err, ENAMETOOLONG, "%s %s", option, path);
	strcpy(addr.sun_path, path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return error_errno(err, errno, "%s %s", option, path);
	ret = send_fd(sock, name, fd);
	return ret ? error_errno(err, -ret, "%s %s", option, path) : 0;
}

int console_send(struct console *c, const char *path, struct error *err)
{
	int ret = socket_send_fd(path, "--console-socket", "/dev/ptmx", c->master, err);

	if (ret)
		return ret;
	/* from here on it is theirs: our copies would hide the hang-up from either side */
	close(c->master);
	close(c->slave);
	*c = (struct console){ .master = -1, .slave = -1 };
	return 0;
}

void console_start(struct console *c)
{
	struct termios raw;

	close(c->slave);
	c->slave = -1;
	fcntl(c->master, F_SETFL, O_NONBLOCK);
	if (tcgetattr(STDIN_FILENO, &c->saved))
		return;
	raw = c->saved;
	cfmakeraw(&raw);
	c->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

unsigned int console_poll(const struct console *c, struct pollfd *fds)
{
	unsigned int n = 0;

	if (!c->used || c->master < 0)
		return 0;
	fds[n++] = (struct pollfd){ .fd = c->master,
				    .events = (short)(POLLIN | (c->pending ? POLLOUT : 0)) };
	/* nothing more is read before the last is delivered */
	if (!c->pending && !c->input_ended)
		fds[n++] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	return n;
}

static void read_input(struct console *c)
{
	ssize_t n = read(STDIN_FILENO, c->buf, sizeof(c->buf));

	if (n > 0) {
		c->pending = (size_t)n;
	} else if (!n || (errno != EINTR && errno != EAGAIN)) {
		c->input_ended = true;
		memcpy(c->buf, END_OF_INPUT, 1);
		c->pending = 1;
	}
}

static void write_pending(struct console *c)
{
	ssize_t n = write(c->master, c->buf, c->pending);

	if (n <= 0)
		return;
	c->pending -= (size_t)n;
	memmove(c->buf, c->buf + n, c->pending);
}

/* Returns false when there is no more for now, or ever: EIO is the last slave's end. */
static bool read_output(struct console *c)
{
	char buf[4096];
	ssize_t n = read(c->master, buf, sizeof(buf));

	if (n > 0)
		return !fs_write_all(STDOUT_FILENO, buf, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	close(c->master);
	c->master = -1;
	return false;
}

void console_relay(struct console *c, const struct pollfd *fds, unsigned int n)
{
	if (n > 1 && fds[1].revents)
		read_input(c);
	if (c->pending)
		write_pending(c);
	if (n && fds[0].revents & (POLLIN | POLLHUP | POLLERR))
		read_output(c);
}

void console_close(struct console *c)
{
	if (!c->used)
		return;
	if (c->slave >= 0)
		close(c->slave);
	if (c->master >= 0 && c->slave < 0) {
		while (read_output(c))
			;
	}
	if (c->master >= 0)
		close(c->master);
	if (c->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
	*c = (struct console){ .master = -1, .slave = -1 };
}
