// SPDX-License-Identifier: Apache-2.0
/* Beside a running hypervisor: signals in, terminal through, exit status out. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "vm/container.h"

enum { POLL_SIGNALS, POLL_READY, POLL_CONSOLE, POLL_MAX = POLL_CONSOLE + 2 };

struct watch {
	struct launch *l;
	bool ended;
	int wait_status;
	bool failed; /* the hypervisor sent an error */
};

/* Takes whatever has arrived. Between ready and the end there is nothing. */
static void read_messages(struct watch *w, struct error *err)
{
	struct launch_message message;
	ssize_t n;

	while (w->l->ready_fd >= 0) {
		n = recv(w->l->ready_fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0)
			return;
		if (!n) {
			close(w->l->ready_fd);
			w->l->ready_fd = -1;
		} else if (message.kind == LAUNCH_READY) {
			w->l->ready = true;
		} else if (n == sizeof(message) && message.kind == LAUNCH_FAILED) {
			message.error.text[ERROR_TEXT_MAX - 1] = '\0';
			*err = message.error;
			w->failed = true;
		}
	}
}

static void read_signals(struct watch *w)
{
	struct signalfd_siginfo info;

	while (read(w->l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD) {
			if (!w->ended && waitpid(w->l->pid, &w->wait_status, WNOHANG) == w->l->pid)
				w->ended = true;
			continue;
		}
		if (signo == SIGWINCH && w->l->console.used)
			console_resize(&w->l->console);
		if (!w->ended)
			kill(w->l->pid, signo);
	}
}

static void wait_once(struct watch *w, struct error *err)
{
	struct pollfd fds[POLL_MAX] = {
		[POLL_SIGNALS] = { .fd = w->l->signal_fd, .events = POLLIN },
		[POLL_READY] = { .fd = w->l->ready_fd, .events = POLLIN },
	};
	unsigned int n = console_poll(&w->l->console, &fds[POLL_CONSOLE]);

	if (poll(fds, POLL_CONSOLE + n, -1) < 0)
		return;
	if (fds[POLL_READY].revents)
		read_messages(w, err);
	console_relay(&w->l->console, &fds[POLL_CONSOLE], n);
	if (fds[POLL_SIGNALS].revents)
		read_signals(w);
}

static int killed_error(const struct launch *l, int signo, struct error *err)
{
	const char *path = l->spec->linux_.cgroups_path;

	if (signo == SIGKILL && container_oom_kills(path))
		return error_set(err, ENOMEM, "container %s: its virtual machine was killed, as "
				 "the container ran out of memory", l->spec->id);
	return error_set(err, EIO, "container %s: its hypervisor was killed by signal %d (%s)",
			 l->spec->id, signo, sigdescr_np(signo) ?: "unknown");
}

static int result(const struct watch *w, struct error *err)
{
	const struct launch *l = w->l;

	if (w->failed)
		return -err->code;
	if (WIFSIGNALED(w->wait_status))
		return killed_error(l, WTERMSIG(w->wait_status), err);
	if (!l->ready)
		return error_set(err, EIO,
				 "container %s: its hypervisor ended with status %d before "
				 "anything ran in it",
				 l->spec->id, WEXITSTATUS(w->wait_status));
	return WEXITSTATUS(w->wait_status);
}

int launch_supervise(struct launch *l, struct error *err)
{
	struct watch w = { .l = l };

	while (!w.ended) {
		wait_once(&w, err);
		if (l->ready && l->detach)
			return 0;
	}
	read_messages(&w, err);
	return result(&w, err);
}
