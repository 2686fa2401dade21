// SPDX-License-Identifier: Apache-2.0
/* From a specification to a hypervisor process: a fork of ourselves, without an exec. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "vm/vm.h"

void launch_signals(sigset_t *set)
{
	static const int list[] = { SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
				    SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(set, list[i]);
}

void launch_close_inherited(void)
{
	close_range(STDERR_FILENO + 1, ~0u, 0);
}

/* Our parent may be gone, or may not be told any more: then we have to say it ourselves. */
static void report_failure(int ready_fd, const struct error *err)
{
	struct launch_message message = { .kind = LAUNCH_FAILED, .error = *err };

	if (send(ready_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		log_error(err->text);
}

static int run_hypervisor(struct launch *l, struct vm_config *cfg, struct error *err)
{
	int ret;

	/* keys meant for us, at a terminal, are not for the hypervisor as well */
	setsid();
	l->pid = getpid();
	ret = launch_announce(l, err);
	if (ret)
		return ret;
	if (l->console.used && l->console.slave >= 0) {
		ret = console_attach(&l->console, err);
		if (ret)
			return ret;
	}
	cfg->state_fd = open(l->globals->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cfg->state_fd < 0)
		return error_errno(err, errno, "%s", l->globals->root);
	return hypervisor_main(cfg, err);
}

static void __attribute__((noreturn)) child(struct launch *l, int life_fd, int ready_fd)
{
	struct error err = { 0 };
	const char *id = l->spec->id;
	char *state_dir = arena_printf(&l->spec->arena, "%s/%s", l->globals->root, id);
	struct vm_config cfg = {
		.spec = l->spec,
		.id = id,
		.bundle = l->spec->bundle,
		.state_dir = state_dir,
		.state_fd = -1,
		.stdio = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
		.log_fd = log_open(),
		.debug = l->globals->debug,
		.keep = l->keep,
		.life_fd = life_fd,
		.ready_fd = ready_fd,
	};
	int status;

	close(l->life_fd);
	close(l->ready_fd);
	close(l->signal_fd);
	status = run_hypervisor(l, &cfg, &err);
	if (status < 0) {
		report_failure(ready_fd, &err);
		status = EXIT_FAILURE;
	}
	_exit(status);
}

static int watch_signals(struct launch *l, struct error *err)
{
	sigset_t set;

	/*
	 * A reader of our output may go away: that must cost neither us nor the hypervisor the
	 * clean-up, and the guest has to hear of it from its own kernel.
	 */
	signal(SIGPIPE, SIG_IGN);
	launch_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &l->old_mask);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signal_fd < 0 ? error_errno(err, errno, "signalfd") : 0;
}

int launch_start(struct launch *l, struct error *err)
{
	int life[2] = { -1, -1 };
	int ready[2];
	int ret = watch_signals(l, err);

	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready))
		return error_errno(err, errno, "socketpair");
	cleanup_close int ready_theirs = ready[1];
	l->ready_fd = ready[0];
	if (!l->detach && pipe2(life, O_CLOEXEC))
		return error_errno(err, errno, "pipe");
	cleanup_close int life_theirs = life[0];
	l->life_fd = life[1];
	fflush(NULL);
	l->pid = fork();
	if (l->pid < 0)
		return error_errno(err, errno, "cannot start the hypervisor");
	if (!l->pid)
		child(l, life_theirs, ready_theirs);
	return 0;
}
