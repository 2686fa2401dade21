// SPDX-License-Identifier: Apache-2.0
/* Beside a hypervisor: hooks, signals in, terminal through, exit status out. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/launch.h"
#include "launch/netdev.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "oci/hooks.h"
#include "vm/container.h"

enum { POLL_SIGNALS, POLL_READY, POLL_CONSOLE, POLL_MAX = POLL_CONSOLE + 2 };

static int run_hooks(struct launch *l, struct error *err)
{
	const struct oci_hooks *hooks = &l->spec->hooks;
	cleanup_free char *state = NULL;
	int ret;

	if (!hooks->prestart.n && !hooks->create_runtime.n)
		return 0;
	state = launch_hook_state(&l->state, STATUS_CREATING, l->spec);
	ret = hooks_run(&hooks->prestart, "prestart", state, l->spec->bundle, err);
	if (!ret)
		ret = hooks_run(&hooks->create_runtime, "createRuntime", state, l->spec->bundle,
				err);
	return ret;
}

/* The hypervisor waits for this. */
static void namespaces_made(struct launch *l, struct error *err)
{
	char word = LAUNCH_GO;

	if (netdev_move_all(&l->spec->linux_, l->pid, err) || run_hooks(l, err)) {
		l->failed = true;
		kill(l->pid, SIGKILL);
	} else {
		send(l->ready_fd, &word, 1, MSG_NOSIGNAL);
	}
}

/* Takes whatever has arrived. The first failure is the one that counts. */
static void read_messages(struct launch *l, struct error *err)
{
	struct launch_message message;
	ssize_t n;

	while (l->ready_fd >= 0) {
		n = recv(l->ready_fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0)
			return;
		if (!n) {
			close(l->ready_fd);
			l->ready_fd = -1;
		} else if (message.kind == LAUNCH_NAMESPACES) {
			namespaces_made(l, err);
		} else if (message.kind == LAUNCH_READY) {
			l->ready = true;
		} else if (n == sizeof(message) && message.kind == LAUNCH_FAILED && !l->failed) {
			message.error.text[ERROR_TEXT_MAX - 1] = '\0';
			*err = message.error;
			l->failed = true;
			l->ready |= message.created;
		}
	}
}

/* Who creates a container may be told to give up; who runs one passes it on. */
static void take_signal(struct launch *l, int signo, struct error *err)
{
	bool end = signo == SIGTERM || signo == SIGINT || signo == SIGHUP || signo == SIGQUIT;

	if (l->ended)
		return;
	if (!l->detach) {
		kill(l->pid, signo);
	} else if (end && !l->ready && !l->failed) {
		error_set(err, EINTR, "interrupted by signal %d (%s)", signo, sigdescr_np(signo));
		l->failed = true;
		kill(l->pid, SIGKILL);
	}
}

static void read_signals(struct launch *l, struct error *err)
{
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD) {
			if (!l->ended && waitpid(l->pid, &l->wait_status, WNOHANG) == l->pid)
				l->ended = true;
			continue;
		}
		if (signo == SIGWINCH && l->console.used)
			console_resize(&l->console);
		take_signal(l, signo, err);
	}
}

static void wait_once(struct launch *l, struct error *err)
{
	struct pollfd fds[POLL_MAX] = {
		[POLL_SIGNALS] = { .fd = l->signal_fd, .events = POLLIN },
		[POLL_READY] = { .fd = l->ready_fd, .events = POLLIN },
	};
	unsigned int n = console_poll(&l->console, &fds[POLL_CONSOLE]);
	int ready = poll(fds, POLL_CONSOLE + n, l->rests ? -1 : PAGES_REST_MS);

	if (!ready) {
		l->rests = true;
		pages_rest();
	}
	if (ready <= 0)
		return;
	if (fds[POLL_READY].revents)
		read_messages(l, err);
	console_relay(&l->console, &fds[POLL_CONSOLE], n);
	if (fds[POLL_SIGNALS].revents)
		read_signals(l, err);
}

void launch_kill(struct launch *l)
{
	if (l->pid <= 0 || l->ended)
		return;
	kill(l->pid, SIGKILL);
	while (waitpid(l->pid, &l->wait_status, 0) < 0 && errno == EINTR)
		;
	l->ended = true;
}

static int killed(const struct launch *l, int signo)
{
	struct error err;

	if (signo == SIGKILL && container_oom_kills(l->spec->linux_.cgroups_path))
		error_set(&err, ENOMEM, "container %s: its hypervisor was killed, as the container "
			  "ran out of memory", l->spec->id);
	else
		error_set(&err, EIO, "container %s: its hypervisor was killed by signal %d (%s)",
			  l->spec->id, signo, sigdescr_np(signo) ?: "unknown");
	log_error(err.text);
	return 128 + signo;
}

int launch_wait_ready(struct launch *l, struct error *err)
{
	while (!l->ready && !l->ended)
		wait_once(l, err);
	if (l->ended)
		read_messages(l, err);
	if (l->failed)
		return -err->code;
	if (l->ready)
		return 0;
	if (WIFSIGNALED(l->wait_status)) {
		killed(l, WTERMSIG(l->wait_status));
		return error_set(err, EIO, "container %s could not be created", l->spec->id);
	}
	return error_set(err, EIO, "container %s: its hypervisor ended with status %d before it "
			 "was ready", l->spec->id, WEXITSTATUS(l->wait_status));
}

int launch_supervise(struct launch *l, struct error *err)
{
	while (!l->ended)
		wait_once(l, err);
	read_messages(l, err);
	if (WIFSIGNALED(l->wait_status))
		return killed(l, WTERMSIG(l->wait_status));
	if (l->failed && !l->ready)
		return -err->code;
	if (l->failed)
		log_error(err->text);
	return WEXITSTATUS(l->wait_status);
}
