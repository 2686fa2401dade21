/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_names.h: which names the addresses of the world have, as far as answers of DNS have told that came through the
 * hypervisor, from a resolver that a policy believes.
 */
#ifndef CALLGATE_CALL_POLICY_NAMES_H
#define CALLGATE_CALL_POLICY_NAMES_H

#include <pthread.h>

#include "call/policy.h"

#define NAME_MAX_LEN 255
#define NAME_BINDINGS 1024

struct policy_binding {
	struct policy_address address, resolver;
	u64 until; /* seconds of CLOCK_MONOTONIC; 0: not in use */
	char name[NAME_MAX_LEN + 1]; /* in lower case, without a dot at the end */
};

struct policy_names {
	pthread_mutex_t lock;
	u32 next;
	struct policy_binding v[NAME_BINDINGS];
};

struct policy_names *policy_names_new(void); /* NULL: no memory */

/* A datagram from port 53. Private memory: the guest must not be able to change it any more. */
void policy_names_see(struct policy_names *names, const struct policies *policies,
		      const struct policy_address *from, const u8 *message, size_t len, u64 now);

/* Has the address at present a name that the rule is about? */
bool policy_names_match(struct policy_names *names, const struct policy *policy, const struct policy_rule *rule,
			const struct policy_address *address, u64 now);

#endif
