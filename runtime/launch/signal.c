// SPDX-License-Identifier: Apache-2.0
#include "launch/signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "vm/container.h"

#define KILL_TIMEOUT_MS 10000

/* A descriptor of that very process, or -1: it is dead. */
static int open_process(const struct state_process *p)
{
	int fd;

	if (p->pid <= 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd >= 0 && !state_process_alive(p)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int send_signal(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) ? -errno : 0;
}

/* What would stop the hypervisor itself, and what it can't know from its own signals. */
static int ask_hypervisor(const char *root, const char *id, int sig, bool all, struct error *err)
{
	cleanup(control_unref) json_t *reply =
		control_ask_for(root, id, json_pack("{sssisb}", "cmd", "signal", "signal", sig, "all", all),
				CONTROL_GUEST_MS, err);

	/* no answer: the signal has ended the container */
	return reply || err->code == ECONNRESET ? 0 : -err->code;
}

int container_signal(const char *root, const struct container_state *state, int sig, bool all,
		     struct error *err)
{
	cleanup_close int fd = open_process(&state->init);
	int ret;

	if (fd < 0)
		return error_set(err, ESRCH, "container not running");
	if (sig != SIGKILL && (all || sig == SIGSTOP || sig == SIGCONT))
		return ask_hypervisor(root, state->id, sig, all, err);
	ret = send_signal(fd, sig);
	if (ret == -ESRCH)
		return error_set(err, ESRCH, "container not running");
	if (ret)
		return error_errno(err, -ret, "cannot send signal %d to container %s", sig, state->id);
	/* what is frozen dies when it goes on */
	if (sig == SIGKILL)
		container_thaw(state->cgroups_path);
	return 0;
}

static int kill_and_wait(const struct state_process *p, const char *cgroups_path)
{
	cleanup_close int fd = open_process(p);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return 0;
	if (send_signal(fd, SIGKILL))
		return 0;
	container_thaw(cgroups_path);
	return poll(&poll_fd, 1, KILL_TIMEOUT_MS) > 0 ? 0 : -ETIMEDOUT;
}

int container_kill(const struct container_state *state, struct error *err)
{
	int ret = kill_and_wait(&state->init, state->cgroups_path);

	if (ret)
		return error_set(err, -ret, "container init still running");
	return 0;
}
