// SPDX-License-Identifier: Apache-2.0
/* callgate debug: questions to a running hypervisor. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/syscall_names.h"
#include "oci/state.h"
#include "vm/control.h"

#define REPLY_MAX (1u << 20)

static void unref_json(json_t **value)
{
	json_decref(*value);
}

static int connect_to(const char *root, const char *id, struct error *err)
{
	cleanup_close int dir = -1;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int ret = state_check_id(id, err);

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/%s", root, id);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? error_set(err, ENOENT, "container does not exist: %s", id)
				       : error_errno(err, errno, "%s", path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return error_errno(err, errno, "container not running: %s", id);
	return steal_fd(&fd);
}

static json_t *ask(int fd, const char *request, struct error *err)
{
	json_error_t why;
	json_t *reply;

	if (fs_write_all(fd, request, strlen(request))) {
		error_set(err, EIO, "the hypervisor does not listen");
		return NULL;
	}
	reply = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, &why);
	if (!reply)
		error_set(err, EPROTO, "the hypervisor's answer: %s", why.text);
	return reply;
}

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
}

static int debug_syscalls(const struct globals *globals, const char *id, struct error *err)
{
	cleanup(unref_json) json_t *reply = NULL;
	cleanup_close int fd = connect_to(globals->root, id, err);
	const char *error;

	if (fd < 0)
		return fd;
	reply = ask(fd, "{\"cmd\":\"syscalls\"}\n", err);
	if (!reply)
		return -err->code;
	error = json_string_value(json_object_get(reply, "error"));
	if (error)
		return error_set(err, EIO, "%s: %s", id, error);
	print_syscalls(reply);
	return 0;
}

int cmd_debug(const struct globals *globals, int argc, char **argv, struct error *err)
{
	if (argc != 3 || strcmp(argv[1], "syscalls"))
		return error_set(err, EINVAL, "usage: callgate debug syscalls ID");
	return debug_syscalls(globals, argv[2], err);
}
