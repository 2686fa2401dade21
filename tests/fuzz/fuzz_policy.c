/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: the file as the administrator writes it, through callgate-toml, which lies beside this program; then what was made
 * of it decides about some connections.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/policy.h"
#include "fuzz.h"
#include "policy/policy.h"

static char path[64];
static int fd = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	strcpy(path, "/tmp/callgate-fuzz-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		abort();
	unlink(path);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	return 0;
}

static void decide(struct policy *policy)
{
	static const char *const sockets[] = { NULL, "/run/a.sock", "/run/b/c" };
	struct policy *all[] = { policy };
	struct policies policies = { .v = all, .n = 1 };

	for (unsigned int i = 0; i < 256; i++) {
		struct policy_query q = {
			.operation = i & 1 ? POLICY_CONNECT : POLICY_LISTEN,
			.protocol = (enum policy_protocol)(i / 2 % POLICY_PROTOCOLS),
			.port = (u16)(i * 131),
		};

		memset(q.address.b, (int)i, sizeof(q.address.b));
		if (q.protocol == POLICY_UNIX)
			q.path = sockets[1 + i % 2];
		policy_decide(policies.v[0], &q);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *policy = NULL;
	struct arena arena = { 0 };
	struct error err = { 0 };

	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (policy_load(path, "fuzz", &policy, &arena, &err)) {
		if (!strstr(err.text, ": "))
			abort(); /* which file, or key? */
	} else {
		decide(policy);
	}
	arena_free(&arena);
	return 0;
}
