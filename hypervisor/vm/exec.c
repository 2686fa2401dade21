// SPDX-License-Identifier: Apache-2.0
/*
 * {"cmd":"exec","process":{OCI process}} with its descriptors from 0 on: a further process of the guest. The
 * connection is its life line: {"pid":N} when its program runs, {"exit":WAIT_STATUS} at its end; who hangs up
 * kills it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "oci/parts.h"
#include "oci/bytes.h"
#include "vm/bootinfo.h"
#include "vm/commands.h"

#define EXECS_MAX 512

struct exec {
	struct command_ctx *ctx;
	struct control_client *client; /* NULL: has hung up */
	struct vm_event *event;
	struct vm_event *signal; /* that has not been answered */
	bool runs;
};

static void exec_free(struct exec *x)
{
	vm_event_forget(x->signal);
	if (x->client)
		control_on_hangup(x->client, NULL, NULL);
	x->ctx->execs--;
	free(x);
}

static struct vm_event *post_signal(struct exec *x, u32 kind, int sig, const struct vm_event_listener *listener,
				    int *error)
{
	struct pv_event event = {
		.size = sizeof(event),
		.kind = kind,
		.target = vm_event_number(x->event),
		.sig = (u32)sig,
	};

	return vm_events_post(x->ctx->events, &event, sizeof(event), NULL, 0, listener, error);
}

/* There is room for it: VM_EVENTS_MAX counts one for each process. That it has ended meanwhile is no harm. */
static void exec_kill(struct exec *x)
{
	int ignored;

	vm_event_forget(post_signal(x, PV_EV_SIGNAL, SIGKILL, NULL, &ignored));
}

static void hung_up(void *arg)
{
	struct exec *x = arg;

	x->client = NULL;
	if (x->runs)
		exec_kill(x);
}

static void done(void *arg, int result, const char *text)
{
	struct exec *x = arg;
	struct control_client *client = x->client;

	if (result < 0) {
		exec_free(x);
		if (client)
			control_fail(client, -result, "%s", text[0] ? text : strerror(-result));
		return;
	}
	x->runs = true;
	if (client)
		control_answer(client, json_pack("{si}", "pid", result));
	else
		exec_kill(x);
}

static void exited(void *arg, int wait_status)
{
	struct exec *x = arg;
	struct control_client *client = x->client;

	exec_free(x);
	if (!client)
		return;
	control_send(client, json_pack("{si}", "exit", wait_status));
	control_finish(client);
}

/* ---- the request ---- */

/* A directory, or a name of one, leads by ".." to all of the file system that it is in: the host's. */
static int check_fds(const int *fds, unsigned int n, struct error *err)
{
	struct stat st;

	if (n < 3)
		return error_set(err, EINVAL, "descriptors 0, 1 and 2 are needed");
	for (unsigned int i = 0; i < n; i++) {
		if (fstat(fds[i], &st))
			return error_errno(err, errno, "descriptor %u", i);
		if (S_ISDIR(st.st_mode))
			return error_set(err, EISDIR,
					 "descriptor %u is a directory of the host: a container can not have it", i);
		if (fcntl(fds[i], F_GETFL) & O_PATH)
			return error_set(err, EINVAL, "descriptor %u is only a name (O_PATH)", i);
	}
	return 0;
}

/* What the command line had; a file of JSON has text. */
static void restore_bytes(struct oci_process *p)
{
	for (size_t i = 0; i < p->args.n; i++)
		bytes_restore(p->args.v[i]);
	for (size_t i = 0; i < p->env.n; i++)
		bytes_restore(p->env.v[i]);
}

static int post(struct exec *x, json_t *request, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	cleanup_free struct pv_event *event = NULL;
	struct json_at root = { .value = request };
	struct json_at at = { &root, "process", 0, json_object_get(request, "process") };
	struct vm_event_listener listener = { .ctx = x, .done = done, .exited = exited };
	struct oci_process process = { 0 };
	unsigned int nfds;
	const int *fds = control_fds(x->client, &nfds);
	int ret = check_fds(fds, nfds, err);

	if (!ret)
		ret = json_fields(&at, oci_process_fields, &process, &arena, err);
	if (!ret)
		restore_bytes(&process);
	if (!ret)
		ret = bootinfo_event(&process, nfds, &event, err);
	if (ret)
		return ret;
	x->event = vm_events_post(x->ctx->events, event, event->size, fds, nfds, &listener, &ret);
	if (!x->event)
		return error_errno(err, -ret, "the guest does not take processes");
	control_fds_taken(x->client);
	return 0;
}

void command_exec(struct control_client *client, json_t *request)
{
	struct command_ctx *ctx = control_ctx(client);
	struct error err;
	struct exec *x;

	if (control_engaged(client))
		return;
	x = ctx->execs < EXECS_MAX ? calloc(1, sizeof(*x)) : NULL;
	if (!x) {
		control_fail(client, EAGAIN, "%d processes have been started by exec and run", EXECS_MAX);
		return;
	}
	ctx->execs++;
	*x = (struct exec){ .ctx = ctx, .client = client };
	if (post(x, request, &err)) {
		exec_free(x);
		control_fail(client, err.code, "%s", err.text);
		return;
	}
	control_on_hangup(client, hung_up, x);
}

/* ---- its signals ---- */

static void signal_done(void *arg, int result, const char *text)
{
	struct exec *x = arg;

	x->signal = NULL;
	if (!x->client)
		return;
	if (result < 0)
		control_fail(x->client, -result, "%s", text[0] ? text : strerror(-result));
	else
		control_answer(x->client, json_pack("{si}", "result", result));
}

bool exec_signal(struct control_client *client, int sig, bool terminal)
{
	struct exec *x = control_hangup_arg(client, hung_up);
	struct vm_event_listener listener = { .ctx = x, .done = signal_done };
	int ret;

	if (!x)
		return false;
	x->signal = post_signal(x, terminal ? PV_EV_TTY_SIGNAL : PV_EV_SIGNAL, sig, &listener, &ret);
	if (!x->signal)
		control_fail(client, -ret, "the guest does not take events: %s", strerror(-ret));
	return true;
}
