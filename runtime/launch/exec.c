// SPDX-License-Identifier: Apache-2.0
#include "launch/exec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "vm/cgroup.h"

static int check_options(const struct exec_launch *x, struct error *err)
{
	if (x->detach && x->process.terminal && !x->console_socket)
		return error_set(err, EINVAL,
				 "cannot allocate tty if callgate will detach without setting console socket");
	if (x->console_socket && !(x->detach || x->process.terminal))
		return error_set(err, EINVAL, "cannot use console socket if callgate will not detach or allocate tty");
	return 0;
}

static bool is_paused(const struct exec_launch *x)
{
	struct cgroup_tree tree;
	struct error ignored;
	bool frozen;

	if (cgroup_open(&tree, false, &ignored))
		return false;
	frozen = cgroup_frozen(&tree, x->state.cgroups_path);
	cgroup_close(&tree);
	return frozen;
}

static int check_container(struct exec_launch *x, struct arena *arena, struct error *err)
{
	int ret = state_check_id(x->id, err);

	if (!ret)
		ret = state_read(x->globals->root, x->id, arena, &x->state, err);
	if (ret == -ENOENT)
		return error_set(err, ENOENT, "container does not exist");
	if (!ret && !state_alive(&x->state))
		ret = error_set(err, ESRCH, "cannot exec in a stopped container");
	if (!ret && !x->ignore_paused && is_paused(x))
		ret = error_set(err, EBUSY, "cannot exec in a paused container (use --ignore-paused to override)");
	return ret;
}

static int load_process(struct exec_launch *x, struct arena *arena, struct error *err)
{
	const char *config = arena_printf(arena, "%s/%s/config.json", x->globals->root, x->id);
	json_t *process = exec_process(&x->options, config, arena, &x->process, err);

	if (!process)
		return -err->code;
	for (size_t i = 0; i < x->process.unknown_capabilities.n; i++)
		log_warn("process.capabilities: unknown capability '%s' is ignored",
			 x->process.unknown_capabilities.v[i]);
	x->request = json_pack("{ssso}", "cmd", "exec", "process", process);
	return x->request ? 0 : error_errno(err, ENOMEM, "exec");
}

/* ---- the proxy, from its parent's side ---- */

static int spawn(struct exec_launch *x, struct error *err)
{
	int ready[2];
	sigset_t all;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready))
		return error_errno(err, errno, "socketpair");
	cleanup_close int theirs = ready[1];
	x->ready_fd = ready[0];
	fflush(NULL);
	x->pid = exec_fork(x->state.init.pid);
	if (x->pid < 0)
		return error_errno(err, errno, "cannot start a process");
	if (!x->pid) {
		close(x->ready_fd);
		exec_proxy(x, theirs);
	}
	x->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return x->signal_fd < 0 ? error_errno(err, errno, "signalfd") : 0;
}

/* It says so itself when the program runs, or why it does not. */
static int await_ready(struct exec_launch *x, struct error *err)
{
	struct launch_message message;
	ssize_t n;

	do
		n = recv(x->ready_fd, &message, sizeof(message), 0);
	while (n < 0 && errno == EINTR);
	if (n > 0 && message.kind == LAUNCH_READY)
		return 0;
	if (n != sizeof(message))
		return error_set(err, EIO, "the process that stands for it was killed");
	message.error.text[ERROR_TEXT_MAX - 1] = '\0';
	*err = message.error;
	return -err->code;
}

static int send_pidfd(const struct exec_launch *x, struct error *err)
{
	cleanup_close int fd = (int)syscall(SYS_pidfd_open, x->pid, 0);

	if (fd < 0)
		return error_errno(err, errno, "--pidfd-socket");
	return socket_send_fd(x->pidfd_socket, "--pidfd-socket", "setns", fd, err);
}

static int announce(const struct exec_launch *x, struct error *err)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d", x->pid);
	int ret = x->pidfd_socket ? send_pidfd(x, err) : 0;

	if (!ret && x->pid_file)
		ret = fs_write_file(x->pid_file, pid, (size_t)n, 0644, err);
	return ret;
}

static int start(struct exec_launch *x, struct error *err)
{
	int ret = x->process.terminal ? console_open(&x->console, &x->process, err) : 0;

	if (!ret)
		ret = spawn(x, err);
	if (!ret && x->console.used && x->console_socket)
		ret = console_send(&x->console, x->console_socket, err);
	else if (!ret && x->console.used)
		console_start(&x->console);
	if (ret)
		return ret;
	ret = await_ready(x, err);
	if (ret)
		return error_wrap(err, "unable to start container process");
	return announce(x, err);
}

/* ---- attached ---- */

static void forward_signals(struct exec_launch *x, bool *ended, int *wait_status)
{
	struct signalfd_siginfo info;

	while (read(x->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD)
			*ended = waitpid(x->pid, wait_status, WNOHANG) == x->pid;
		else if (signo == SIGWINCH && x->console.used)
			console_resize(&x->console); /* which tells the guest */
		if (*ended)
			return;
		if (signo != SIGCHLD && signo != SIGWINCH)
			kill(x->pid, signo);
	}
}

static int supervise(struct exec_launch *x)
{
	bool ended = false;
	int wait_status = 0;

	while (!ended) {
		struct pollfd fds[3] = { { .fd = x->signal_fd, .events = POLLIN } };
		unsigned int n = console_poll(&x->console, &fds[1]);

		if (poll(fds, 1 + n, -1) < 0)
			continue;
		console_relay(&x->console, &fds[1], n);
		if (fds[0].revents)
			forward_signals(x, &ended, &wait_status);
	}
	x->pid = 0;
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* A caller that is a subreaper must not be given a child that it knows nothing of. */
static void give_up(struct exec_launch *x)
{
	if (x->pid <= 0)
		return;
	kill(x->pid, SIGKILL);
	while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int exec_run(struct exec_launch *x, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	int ret = check_container(x, &arena, err);

	x->console = (struct console){ .master = -1, .slave = -1 };
	x->ready_fd = x->signal_fd = -1;
	if (!ret)
		ret = load_process(x, &arena, err);
	if (!ret)
		ret = check_options(x, err);
	if (!ret)
		ret = start(x, err);
	if (ret)
		give_up(x);
	else if (!x->detach)
		ret = supervise(x);
	console_close(&x->console);
	json_decref(x->request);
	return ret;
}
