// SPDX-License-Identifier: Apache-2.0
#include "oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"

#define OUTPUT_MAX 400

/* The first bytes of what a hook wrote. */
struct output {
	int fd;
	size_t n;
	char text[OUTPUT_MAX];
};

struct hook_run {
	pid_t pid;
	int pidfd;
	struct output out, err;
};

static void run_free(struct hook_run *r)
{
	const int fds[] = { r->pidfd, r->out.fd, r->err.fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* A file rather than a pipe: a hook need not read it. */
static int state_file(const char *state)
{
	cleanup_close int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0 || fs_write_all(fd, state, strlen(state)) || lseek(fd, 0, SEEK_SET))
		return -1;
	return steal_fd(&fd);
}

/* Nothing of ours is inherited: no descriptors, no signal mask, no environment. */
static int spawn_with(pid_t *pid, const struct oci_hook *hook, const int fds[3], const char *cwd)
{
	static char *nothing[] = { NULL };
	char *only_path[] = { hook->path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (cwd)
		posix_spawn_file_actions_addchdir_np(&actions, cwd);
	ret = posix_spawn(pid, hook->path, &actions, &attr, hook->args.n ? hook->args.v : only_path,
			  hook->env.n ? hook->env.v : nothing);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return ret;
}

static int start_hook(struct hook_run *r, const struct oci_hook *hook, const char *state,
		      const char *cwd, struct error *err)
{
	cleanup_close int in = state_file(state);
	int out[2], errs[2];
	int ret;

	if (in < 0 || pipe2(out, O_CLOEXEC))
		return error_errno(err, errno, "%s", hook->path);
	r->out.fd = out[0];
	cleanup_close int out_end = out[1];
	if (pipe2(errs, O_CLOEXEC))
		return error_errno(err, errno, "%s", hook->path);
	r->err.fd = errs[0];
	cleanup_close int err_end = errs[1];
	/* numbers above 2: nothing is overwritten before it has been duplicated */
	const int fds[3] = { in, out_end, err_end };

	ret = spawn_with(&r->pid, hook, fds, cwd);
	if (ret)
		return error_errno(err, ret, "fork/exec %s", hook->path);
	fcntl(r->out.fd, F_SETFL, O_NONBLOCK);
	fcntl(r->err.fd, F_SETFL, O_NONBLOCK);
	r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	return r->pidfd < 0 ? error_errno(err, errno, "pidfd_open") : 0;
}

/* False at the end. Bytes beyond the room are read and dropped. */
static bool take_output(struct output *o)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(o->fd, buf, sizeof(buf))) > 0) {
		size_t room = OUTPUT_MAX - 1 - o->n;
		size_t take = (size_t)n < room ? (size_t)n : room;

		memcpy(o->text + o->n, buf, take);
		o->n += take;
	}
	return n < 0 && errno == EAGAIN;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Until it has ended: children of it may go on, and keep the pipes. False: the time is up. */
static bool watch_hook(struct hook_run *r, const struct oci_hook *hook)
{
	int64_t end = hook->timeout.set ? now_ms() + hook->timeout.v * 1000 : -1;
	struct pollfd fds[] = {
		{ .fd = r->pidfd, .events = POLLIN },
		{ .fd = r->out.fd, .events = POLLIN },
		{ .fd = r->err.fd, .events = POLLIN },
	};

	for (;;) {
		int64_t left = end < 0 ? -1 : end - now_ms();

		if (end >= 0 && left <= 0)
			return false;
		if (poll(fds, 3, left > INT32_MAX ? INT32_MAX : (int)left) < 0)
			continue;
		if (fds[1].revents && !take_output(&r->out))
			fds[1].fd = -1;
		if (fds[2].revents && !take_output(&r->err))
			fds[2].fd = -1;
		if (fds[0].revents)
			return true;
	}
}

static int hook_result(struct hook_run *r, int status, struct error *err)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	take_output(&r->out);
	take_output(&r->err);
	if (WIFSIGNALED(status))
		return error_set(err, EIO, "signal: %s, stdout: %s, stderr: %s",
				 sigdescr_np(WTERMSIG(status)) ?: "unknown", r->out.text,
				 r->err.text);
	return error_set(err, EIO, "exit status %d, stdout: %s, stderr: %s", WEXITSTATUS(status),
			 r->out.text, r->err.text);
}

static int run_hook(const struct oci_hook *hook, const char *state, const char *cwd,
		    struct error *err)
{
	cleanup(run_free) struct hook_run r = { .pid = -1, .pidfd = -1, .out.fd = -1, .err.fd = -1 };
	int ret = start_hook(&r, hook, state, cwd, err);
	bool in_time = true;
	int status;

	if (r.pid <= 0)
		return ret;
	if (!ret)
		in_time = watch_hook(&r, hook);
	if (ret || !in_time)
		kill(-r.pid, SIGKILL);
	while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		return error_set(err, ETIMEDOUT, "hook ran past specified timeout of %lld s",
				 (long long)hook->timeout.v);
	return ret ? ret : hook_result(&r, status, err);
}

int hooks_run(const struct oci_hook_list *list, const char *name, const char *state,
	      const char *cwd, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		if (run_hook(&list->v[i], state, cwd, err))
			return error_wrap(err, "error running hook #%zu: error running %s hook", i,
					  name);
	}
	return 0;
}

void hooks_run_all(const struct oci_hook_list *list, const char *name, const char *state,
		   const char *cwd)
{
	struct error err;

	for (size_t i = 0; i < list->n; i++) {
		if (!run_hook(&list->v[i], state, cwd, &err))
			continue;
		(void)error_wrap(&err, "error running hook #%zu: error running %s hook", i, name);
		log_error(err.text);
	}
}
