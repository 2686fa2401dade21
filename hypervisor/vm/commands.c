// SPDX-License-Identifier: Apache-2.0
#include "vm/commands.h"
#include "vm/start.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void syscalls(struct control_client *client, json_t *request)
{
	struct command_ctx *ctx = control_ctx(client);
	const struct vm_counters *c = ctx->counters ? ctx->counters(ctx->vm) : NULL;
	json_t *calls;

	if (!c) {
		control_fail(client, ENOENT, "this virtual machine keeps no counts");
		return;
	}
	calls = json_array();
	for (int nr = 0; nr < VM_COUNTED_SYSCALLS; nr++) {
		json_int_t local = (json_int_t)c->local[nr];
		json_int_t proxied = (json_int_t)c->proxied[nr];
		json_int_t missing = (json_int_t)c->missing[nr];

		if (local || proxied || missing)
			json_array_append_new(calls, json_pack("{sisIsIsI}", "nr", nr, "local", local, "proxied",
							       proxied, "missing", missing));
	}
	control_answer(client, json_pack("{sosIsIsIsI}", "calls", calls, "hostCalls", (json_int_t)c->host_calls,
					 "pvCalls", (json_int_t)c->pv_calls, "cpuidServed", (json_int_t)c->cpuid_served,
					 "cpuidExecuted", (json_int_t)c->cpuid_executed));
}

static void answer_of_cpus(struct control_client *client, json_t *answer)
{
	if (answer)
		control_answer(client, answer);
	else
		control_fail(client, ENOENT, "this virtual machine has no virtual CPUs");
}

static void exits(struct control_client *client, json_t *request)
{
	struct command_ctx *ctx = control_ctx(client);

	answer_of_cpus(client, ctx->exits ? ctx->exits(ctx->vm) : NULL);
}

static void cpus(struct control_client *client, json_t *request)
{
	struct command_ctx *ctx = control_ctx(client);

	answer_of_cpus(client, ctx->cpus ? ctx->cpus(ctx->vm) : NULL);
}

static void status(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);

	control_answer(client, json_pack("{sssi}", "status", ctx->started ? "running" : "created", "execs",
					 (int)ctx->execs));
}

static void answered(void *arg, int result, const char *text)
{
	struct control_client *client = arg;

	control_on_hangup(client, NULL, NULL);
	if (result < 0)
		control_fail(client, -result, "%s", text[0] ? text : strerror(-result));
	else
		control_answer(client, json_pack("{si}", "result", result));
}

static void processes_listed(void *arg, int result, const char *text)
{
	struct control_client *client = arg;
	json_t *reply = json_pack("{siss}", "next", result, "text", text);

	if (result < 0 || !reply) {
		answered(client, result < 0 ? result : -EPROTO, "");
		json_decref(reply);
		return;
	}
	control_on_hangup(client, NULL, NULL);
	control_answer(client, reply);
}

static void hung_up(void *event)
{
	vm_event_forget(event);
}

static void post(struct control_client *client, const struct pv_event *event,
		 void (*done)(void *ctx, int result, const char *text))
{
	struct command_ctx *ctx = control_ctx(client);
	struct vm_event_listener listener = { .ctx = client, .done = done };
	struct vm_event *e;
	int ret;

	if (control_engaged(client))
		return;
	e = vm_events_post(ctx->events, event, sizeof(*event), NULL, 0, &listener, &ret);
	if (e)
		control_on_hangup(client, hung_up, e);
	else
		control_fail(client, -ret, "the guest does not take events: %s", strerror(-ret));
}

void command_post(struct control_client *client, const struct pv_event *event)
{
	post(client, event, answered);
}

/* {"cmd":"signal","signal":15,"all":true}; on the connection of an exec also "terminal":true */
static void send_signal(struct control_client *client, json_t *request)
{
	json_int_t sig = json_integer_value(json_object_get(request, "signal"));
	struct pv_event event = { .size = sizeof(event), .kind = PV_EV_SIGNAL, .sig = (u32)sig };

	if (sig < 1 || sig > SIGRTMAX) {
		control_fail(client, EINVAL, "signal: not a signal's number");
		return;
	}
	if (exec_signal(client, (int)sig, json_is_true(json_object_get(request, "terminal"))))
		return;
	if (json_is_true(json_object_get(request, "all")))
		event.target = PV_TO_ALL;
	command_post(client, &event);
}

/* The container's limits have been changed: tells the guest. */
static void limits(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);
	struct pv_event event = { .size = sizeof(event), .kind = PV_EV_LIMITS };

	ctx->limits(ctx->vm, &event);
	command_post(client, &event);
}

/* {"cmd":"processes","after":0}: lines of text, and `next` to ask for what follows; 0: nothing does */
static void list_processes(struct control_client *client, json_t *request)
{
	json_int_t after = json_integer_value(json_object_get(request, "after"));
	struct pv_event event = { .size = sizeof(event), .kind = PV_EV_PROCESSES, .target = (u32)after };

	post(client, &event, processes_listed);
}

static void trace(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);

	if (ctx->trace)
		trace_start(ctx->trace, client, request);
	else
		control_fail(client, ENOENT, "this virtual machine can't be traced");
}

static void stop_trace(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);

	if (ctx->trace)
		trace_stop(ctx->trace, client);
	else
		control_fail(client, ENOENT, "this virtual machine can't be traced");
}

static void list_connections(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);

	if (ctx->connections)
		connections_list(ctx->connections, client, request);
	else
		control_fail(client, ENOENT, "nothing is known of this virtual machine's connections");
}

static void watch_connections(struct control_client *client, json_t *request)
{
	const struct command_ctx *ctx = control_ctx(client);

	if (ctx->connections)
		connections_watch(ctx->connections, client);
	else
		control_fail(client, ENOENT, "nothing is known of this virtual machine's connections");
}

const struct control_command vm_commands[] = {
	{ "connections", list_connections },
	{ "connection-events", watch_connections },
	{ "trace", trace },
	{ "trace-stop", stop_trace },
	{ "limits", limits },
	{ "processes", list_processes },
	{ "syscalls", syscalls },
	{ "exits", exits },
	{ "cpus", cpus },
	{ "start", command_start },
	{ "status", status },
	{ "signal", send_signal },
	{ "exec", command_exec },
	{ 0 },
};
