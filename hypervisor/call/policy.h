/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: which connections a container may make and take (docs/policy.md). Policies are read
 * by the runtime before the guest exists, and never change afterwards; the matcher has no state.
 *
 * Several may be in force: each of them has to let a connection pass. What a guest kernel says of
 * the executable that asks can only make the answer narrower than policy_ceiling().
 */
#ifndef CALLGATE_CALL_POLICY_H
#define CALLGATE_CALL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "types.h"

enum policy_operation { POLICY_LISTEN, POLICY_CONNECT, POLICY_OPERATIONS };
enum policy_protocol { POLICY_TCP, POLICY_UDP, POLICY_ICMP, POLICY_RAW, POLICY_PROTOCOLS };
enum policy_mode { POLICY_ENFORCE, POLICY_AUDIT };

extern const char *const policy_operation_names[POLICY_OPERATIONS];
extern const char *const policy_protocol_names[POLICY_PROTOCOLS];

/* An address of either family: IPv4 is ::ffff:a.b.c.d, however it was written. */
struct policy_address {
	u8 b[16];
};

struct policy_range {
	struct policy_address address;
	u8 bits; /* of the 128: an IPv4 range has 96 or more */
};

struct policy_ports {
	u16 first, last;
};

struct policy_rule {
	const char *name;    /* for the log: "rule[2]", or what the file calls it */
	bool allow;
	u32 operations; /* bits */
	u32 protocols;  /* bits */
	struct policy_range *ranges; /* none: every address */
	size_t n_ranges;
	struct policy_ports *ports; /* none: every port */
	size_t n_ports;
};

struct policy {
	const char *name;
	enum policy_mode mode;
	bool allow; /* what no rule matches */
	int refuse; /* errno, positive */
	struct policy_rule *rules;
	size_t n_rules;
};

struct policies {
	const struct policy *const *v;
	size_t n;
};

struct policy_query {
	enum policy_operation operation;
	enum policy_protocol protocol;
	struct policy_address address;
	u16 port; /* 0: none, or one that the host will choose */
};

struct policy_verdict {
	bool allow;
	const struct policy_rule *rule; /* NULL: the default */
};

/*
 * The first rule that matches decides. A wildcard address, or a port that is yet to be chosen, stands for
 * all: a rule that denies matches if it has any of these, one that allows only if it has them all.
 */
struct policy_verdict policy_decide(const struct policy *policy, const struct policy_query *query);
/* Is there any address at which this would be allowed? */
bool policy_conceivable(const struct policy *policy, enum policy_operation operation,
			enum policy_protocol protocol);

/* From the socket interface: AF_INET, AF_INET6. 0, -EINVAL (too short), -EAFNOSUPPORT. */
int policy_address_of(const void *sockaddr, u32 len, struct policy_address *address, u16 *port);
bool policy_is_v4(const struct policy_address *address);
/* "10.0.0.1:80", "[::1]:80"; the port is left out if it is 0. */
#define POLICY_TEXT_MAX 64
void policy_address_text(const struct policy_address *address, u16 port, char text[POLICY_TEXT_MAX]);

#endif
