// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/control_client.h"
#include "launch/exec.h"
#include "launch/launch.h"
#include "lib/cleanup.h"

#define EXIT_EXEC_FAILED 255
#define EXIT_KILLED      (128 + SIGKILL)

/* Everything that can be caught is for the process in the guest. */
static int watch_signals(struct exec_launch *x, struct error *err)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	x->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return x->signal_fd < 0 ? error_errno(err, errno, "signalfd") : 0;
}

/* Whoever reads our output waits for its end: that is the guest's to decide. */
static void drop_fds(const struct exec_launch *x)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	close(null);
	if (x->preserve_fds)
		close_range(STDERR_FILENO + 1, STDERR_FILENO + x->preserve_fds, 0);
}

/* Asks for the process; the connection, on which the answer will come. */
static int request(struct exec_launch *x, struct error *err)
{
	cleanup_close int sock = control_connect(x->globals->root, x->id, err);
	int fds[3 + EXEC_PRESERVE_MAX], ret;

	if (sock < 0)
		return sock;
	for (unsigned int i = 0; i < 3 + x->preserve_fds; i++)
		fds[i] = (int)i;
	ret = control_request(sock, steal_pointer(&x->request), fds, 3 + x->preserve_fds, err);
	return ret ? ret : steal_fd(&sock);
}

/* From here on it only talks to the hypervisor: it needs no authority, and holds no folder of the caller's. */
static void drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	(void)!chdir("/");
	syscall(SYS_capset, &header, none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int start(struct exec_launch *x, struct error *err)
{
	json_t *reply;
	int sock, ret;

	/* keys at our caller's terminal are not for us; at the container's they are, for the guest */
	setsid();
	ret = watch_signals(x, err);
	if (!ret && x->console.used)
		ret = console_attach(&x->console, err);
	if (!ret)
		ret = exec_join_cgroups(x->state.init.pid, err);
	if (ret)
		return ret;
	sock = request(x, err);
	drop_fds(x);
	drop_privileges();
	if (sock < 0)
		return sock;
	reply = control_reply(sock, err);
	if (!reply) {
		close(sock);
		return -err->code;
	}
	json_decref(reply);
	return sock;
}

/* A key at the terminal, its new size or its end come from the host's kernel; all else was sent by somebody. */
static bool of_terminal(const struct exec_launch *x, const struct signalfd_siginfo *info)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (info->ssi_signo == (unsigned int)signals[i])
			return x->process.terminal && info->ssi_code == SI_KERNEL;
	}
	return false;
}

static void forward_signals(const struct exec_launch *x, int sock)
{
	struct signalfd_siginfo info;
	struct error ignored;

	while (read(x->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		json_t *message = json_pack("{sssisb}", "cmd", "signal", "signal", (int)info.ssi_signo, "terminal",
					    (int)of_terminal(x, &info));

		/* a hypervisor that is gone is noticed as the end of its answers */
		(void)!control_request(sock, message, NULL, 0, &ignored);
	}
}

/* The next message. True: the process has ended, or its hypervisor has, which kills it. */
static bool read_message(int sock, int *status)
{
	struct error why = { 0 };
	cleanup(control_unref) json_t *message = control_reply(sock, &why);
	json_t *exit = json_object_get(message, "exit");
	int wait_status = (int)json_integer_value(exit);

	if (!message) {
		*status = EXIT_KILLED;
		/* a signal for a process that has just ended is refused, and no end */
		return why.code == ECONNRESET || why.code == EPROTO;
	}
	if (!exit)
		return false;
	*status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	return true;
}

static int stay(const struct exec_launch *x, int sock)
{
	struct pollfd fds[] = {
		{ .fd = x->signal_fd, .events = POLLIN },
		{ .fd = sock, .events = POLLIN },
	};
	int status = 0;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			forward_signals(x, sock);
		if (fds[1].revents && read_message(sock, &status))
			return status;
	}
}

void exec_proxy(struct exec_launch *x, int ready_fd)
{
	struct launch_message message = { .kind = LAUNCH_FAILED };
	int sock = start(x, &message.error);

	if (sock < 0) {
		(void)!send(ready_fd, &message, sizeof(message), MSG_NOSIGNAL);
		_exit(EXIT_EXEC_FAILED);
	}
	message.kind = LAUNCH_READY;
	(void)!send(ready_fd, &message, 1, MSG_NOSIGNAL);
	close(ready_fd);
	_exit(stay(x, sock));
}
