// SPDX-License-Identifier: Apache-2.0
/* callgate debug: questions to a running hypervisor. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/syscall_names.h"

static long long number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_syscalls(json_t *reply)
{
	long long sum[3] = { 0 };
	long long calls;
	size_t i;
	json_t *call;

	printf("%-24s %12s %12s %12s\n", "system call", "local", "proxied", "missing");
	json_array_foreach(json_object_get(reply, "calls"), i, call) {
		long long n[3] = { number(call, "local"), number(call, "proxied"),
				   number(call, "missing") };
		int nr = (int)number(call, "nr");

		printf("%-24s %12lld %12lld %12lld\n", syscall_name(nr), n[0], n[1], n[2]);
		for (int k = 0; k < 3; k++)
			sum[k] += n[k];
	}
	printf("%-24s %12lld %12lld %12lld\n", "all", sum[0], sum[1], sum[2]);
	calls = sum[0] + sum[1] + sum[2];
	printf("\nhost calls: %lld (%.2f per guest call)\nPV calls: %lld (%.2f per guest call)\n",
	       number(reply, "hostCalls"),
	       calls ? (double)number(reply, "hostCalls") / (double)calls : 0,
	       number(reply, "pvCalls"),
	       calls ? (double)number(reply, "pvCalls") / (double)calls : 0);
	printf("cpuid: %lld answered, %lld executed\n", number(reply, "cpuidServed"), number(reply, "cpuidExecuted"));
}

static int debug_syscalls(const struct globals *globals, const char *id, struct error *err)
{
	cleanup(control_unref) json_t *reply =
		control_ask(globals->root, id, json_pack("{ss}", "cmd", "syscalls"), err);

	if (!reply)
		return -err->code;
	print_syscalls(reply);
	return 0;
}

/* {"call":{"pv":3}}: "call.pv 3" */
static void print_numbers(const char *prefix, json_t *object)
{
	char name[80];
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_is_object(value))
			print_numbers(name, value);
		else if (json_is_integer(value))
			printf("%-24s %12lld\n", name, (long long)json_integer_value(value));
	}
}

static int debug_exits(const struct globals *globals, const char *id, struct error *err)
{
	cleanup(control_unref) json_t *reply = control_ask(globals->root, id, json_pack("{ss}", "cmd", "exits"), err);

	if (!reply)
		return -err->code;
	json_object_del(reply, "ok");
	print_numbers("", reply);
	return 0;
}

static int debug_cpus(const struct globals *globals, const char *id, struct error *err)
{
	cleanup(control_unref) json_t *reply = control_ask(globals->root, id, json_pack("{ss}", "cmd", "cpus"), err);

	if (!reply)
		return -err->code;
	fputs(json_string_value(json_object_get(reply, "text")) ?: "", stdout);
	return 0;
}

int cmd_debug(const struct globals *globals, int argc, char **argv, struct error *err)
{
	if (argc == 3 && !strcmp(argv[1], "syscalls"))
		return debug_syscalls(globals, argv[2], err);
	if (argc == 3 && !strcmp(argv[1], "exits"))
		return debug_exits(globals, argv[2], err);
	if (argc == 3 && !strcmp(argv[1], "cpus"))
		return debug_cpus(globals, argv[2], err);
	return error_set(err, EINVAL, "usage: callgate debug syscalls|exits|cpus ID");
}
