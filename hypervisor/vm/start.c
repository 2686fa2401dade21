// SPDX-License-Identifier: Apache-2.0
#include "vm/start.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "vm/bootinfo.h"

#define OUTPUT_MAX 400

struct start {
	struct command_ctx *ctx;
	struct control_client *client; /* NULL: has hung up, which changes nothing */
	struct vm_event *event;        /* the hook's process, or PV_EV_START */
	size_t hook;
	int output_fd;                 /* a file: nobody has to read it meanwhile */
	int64_t deadline;              /* of the hook, ms; 0: none */
	bool timed_out;
};

static void next_step(struct start *s);

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static const struct oci_hook_list *hooks_of(const struct start *s)
{
	return &s->ctx->cfg->spec->hooks.start_container;
}

static void hung_up(void *arg)
{
	struct start *s = arg;

	s->client = NULL;
}

/* The client, if it is still there, to be answered by the caller. */
static struct control_client *start_free(struct start *s)
{
	struct control_client *client = s->client;

	if (client)
		control_on_hangup(client, NULL, NULL);
	if (s->output_fd >= 0)
		close(s->output_fd);
	s->ctx->start = NULL;
	free(s);
	return client;
}

static void start_fail(struct start *s, const struct error *err)
{
	struct command_ctx *ctx = s->ctx;
	struct control_client *client = start_free(s);

	if (client)
		control_fail(client, err->code, "%s", err->text);
	ctx->fail(ctx->vm, err->text);
}

/* ---- the program ---- */

static void program_done(void *arg, int result, const char *text)
{
	struct start *s = arg;
	struct control_client *client;

	/* what can't be executed after all says so itself, and powers off */
	s->ctx->has_started(s->ctx->vm);
	client = start_free(s);
	if (!client)
		return;
	if (result < 0)
		control_fail(client, -result, "%s", text[0] ? text : strerror(-result));
	else
		control_answer(client, json_pack("{si}", "result", result));
}

static int start_program(struct start *s, struct error *err)
{
	const struct pv_event event = { .size = sizeof(event), .kind = PV_EV_START };
	struct vm_event_listener listener = { .ctx = s, .done = program_done };
	int ret;

	s->event = vm_events_post(s->ctx->events, &event, sizeof(event), NULL, 0, &listener, &ret);
	return s->event ? 0 : error_errno(err, -ret, "the guest does not take events");
}

/* ---- hooks ---- */

static int hook_error(struct start *s, struct error *err)
{
	return error_wrap(err, "error running hook #%zu: error running startContainer hook", s->hook);
}

static void read_output(const struct start *s, char *text)
{
	ssize_t n = pread(s->output_fd, text, OUTPUT_MAX - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

static void hook_done(void *arg, int result, const char *text)
{
	struct start *s = arg;
	struct error err;

	if (result >= 0)
		return; /* it runs */
	error_set(&err, -result, "%s", text[0] ? text : strerror(-result));
	hook_error(s, &err);
	start_fail(s, &err);
}

static void hook_exited(void *arg, int status)
{
	struct start *s = arg;
	char output[OUTPUT_MAX];
	struct error err;

	s->deadline = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		s->hook++;
		next_step(s);
		return;
	}
	read_output(s, output);
	if (s->timed_out)
		error_set(&err, ETIMEDOUT, "hook ran past its timeout");
	else if (WIFSIGNALED(status))
		error_set(&err, EIO, "signal: %s, stderr: %s", sigdescr_np(WTERMSIG(status)) ?: "unknown", output);
	else
		error_set(&err, EIO, "exit status %d, stderr: %s", WEXITSTATUS(status), output);
	hook_error(s, &err);
	start_fail(s, &err);
}

static int text_file(const char *text)
{
	cleanup_close int fd = memfd_create("callgate-state", MFD_CLOEXEC);

	if (fd < 0 || fs_write_all(fd, text, strlen(text)) || lseek(fd, 0, SEEK_SET))
		return -1;
	return steal_fd(&fd);
}

/*
 * As the container's process, but for what it runs; its output goes to a file. The guest executes
 * what argv[0] names: that is the hook's path here, whatever its args begin with.
 */
static int post_hook(struct start *s, const struct oci_hook *hook, int fds[3], struct error *err)
{
	cleanup_free char **argv = calloc(hook->args.n + 2, sizeof(*argv));
	struct vm_event_listener listener = { .ctx = s, .done = hook_done, .exited = hook_exited };
	struct oci_process process = s->ctx->cfg->spec->process;
	cleanup_free struct pv_event *event = NULL;
	int ret;

	if (!argv)
		return error_errno(err, ENOMEM, "process");
	argv[0] = hook->path;
	for (size_t i = 1; i < hook->args.n; i++)
		argv[i] = hook->args.v[i];
	process.terminal = false;
	process.args = (struct oci_strings){ argv, hook->args.n ? hook->args.n : 1 };
	process.env = hook->env;
	ret = bootinfo_event(&process, 3, &event, err);
	if (ret)
		return ret;
	s->event = vm_events_post(s->ctx->events, event, event->size, fds, 3, &listener, &ret);
	return s->event ? 0 : error_errno(err, -ret, "the guest does not take processes");
}

static int start_hook(struct start *s, struct error *err)
{
	const struct oci_hook *hook = &hooks_of(s)->v[s->hook];
	int fds[3] = { text_file(s->ctx->cfg->hook_state), -1, -1 };
	int ret = 0;

	if (s->output_fd >= 0)
		close(s->output_fd);
	s->output_fd = memfd_create("callgate-hook", MFD_CLOEXEC);
	for (int i = 1; i < 3; i++)
		fds[i] = dup(s->output_fd);
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0)
		ret = error_errno(err, errno, "descriptors");
	if (!ret)
		ret = post_hook(s, hook, fds, err);
	if (!ret)
		s->deadline = hook->timeout.set ? now_ms() + hook->timeout.v * 1000 : 0;
	for (int i = 0; ret && i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ret ? hook_error(s, err) : 0;
}

int start_time_left(const struct command_ctx *ctx)
{
	int64_t left;

	if (!ctx->start || !ctx->start->deadline)
		return -1;
	left = ctx->start->deadline - now_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void start_check_time(struct command_ctx *ctx)
{
	struct pv_event event = { .size = sizeof(event), .kind = PV_EV_SIGNAL, .sig = SIGKILL };
	struct start *s = ctx->start;
	int ignored;

	if (start_time_left(ctx))
		return;
	s->deadline = 0;
	s->timed_out = true;
	event.target = vm_event_number(s->event);
	vm_event_forget(vm_events_post(ctx->events, &event, sizeof(event), NULL, 0, NULL, &ignored));
}

/* ---- from one to the next ---- */

static void next_step(struct start *s)
{
	struct error err;

	if (s->hook < hooks_of(s)->n ? start_hook(s, &err) : start_program(s, &err))
		start_fail(s, &err);
}

void command_start(struct control_client *client, json_t *request)
{
	struct command_ctx *ctx = control_ctx(client);
	struct start *s;

	if (control_engaged(client))
		return;
	if (!ctx->booted) {
		control_fail(client, EAGAIN, "cannot start a container in the creating state");
		return;
	}
	if (ctx->started) {
		control_fail(client, EALREADY, "cannot start an already running container");
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		control_fail(client, ENOMEM, "no memory");
		return;
	}
	*s = (struct start){ .ctx = ctx, .client = client, .output_fd = -1 };
	ctx->start = s;
	ctx->started = true;
	control_on_hangup(client, hung_up, s);
	next_step(s);
}
