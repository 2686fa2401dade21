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
enum policy_protocol { POLICY_TCP, POLICY_UDP, POLICY_ICMP, POLICY_RAW, POLICY_UNIX, POLICY_PROTOCOLS };
enum policy_mode { POLICY_ENFORCE, POLICY_AUDIT, POLICY_LEARN };

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

/* A file: as a policy names it, by what was there when the container was made. */
struct policy_pin {
	const char *path;
	bool pinned; /* else there was nothing: the path itself counts */
	u64 dev, ino;
};

struct policy_hash {
	u8 b[32]; /* SHA-256 */
};

struct policy_files {
	struct policy_pin *pins; /* any of them; none: every file */
	size_t n_pins;
	struct policy_hash *hashes; /* and any of them; none: whatever is in it */
	size_t n_hashes;
};

struct policy_executable {
	const char *name;
	struct policy_files file, script;
	bool preload; /* also if its environment makes the dynamic linker load more */
};

/* A file as it was executed. */
struct policy_file {
	bool known;
	u64 dev, ino;
	const char *path;
	bool hashed;
	struct policy_hash hash;
};

/* What a process runs, by the guest kernel's word: which file; of the file itself, by our own look. */
struct policy_program {
	struct policy_file file, script;
	bool preloaded;
	const char *lineage; /* paths of what was run before, the latest first */
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
	u32 *executables; /* in the policy's; none: every one */
	size_t n_executables;
	char **paths; /* of unix sockets, patterns of fnmatch(); none: every one */
	size_t n_paths;
	char **hosts; /* names, or "*.example.org"; none: every address */
	size_t n_hosts;
};

struct policy {
	const char *name;
	enum policy_mode mode;
	bool allow; /* what no rule matches */
	int refuse; /* errno, positive */
	struct policy_rule *rules;
	size_t n_rules;
	struct policy_executable *executables;
	size_t n_executables;
	struct policy_address *resolvers; /* whose answers are believed */
	size_t n_resolvers;
};

struct policies {
	struct policy **v;
	size_t n;
	bool want_datagrams; /* policies_want_datagrams() */
};

struct policy_names;

struct policy_query {
	enum policy_operation operation;
	enum policy_protocol protocol;
	struct policy_address address;
	u16 port; /* 0: none, or one that the host will choose */
	const struct policy_program *program; /* NULL: not known */
	struct policy_names *names; /* NULL: no address has a name */
	u64 now; /* seconds of CLOCK_MONOTONIC */
	const char *path; /* POLICY_UNIX: in the place of an address, as the container names it; else NULL */
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

bool policy_executable_is(const struct policy_executable *executable, const struct policy_program *program);
/* Looks what is at the paths in the container, before anything runs in it. */
void policies_pin(const struct policies *policies, int rootfd);
/* Does any of them name a hash? */
bool policies_want_hashes(const struct policies *policies);

/* Is any rule about names? */
bool policies_want_names(const struct policies *policies);
/* Is there more about datagrams than their destination: names in them, or servers that may answer who has asked? */
bool policies_want_datagrams(const struct policies *policies);

/* From the socket interface: AF_INET, AF_INET6. 0, -EINVAL (too short), -EAFNOSUPPORT. */
int policy_address_of(const void *sockaddr, u32 len, struct policy_address *address, u16 *port);
bool policy_is_v4(const struct policy_address *address);
/* "10.0.0.1:80", "[::1]:80"; the port is left out if it is 0. */
#define POLICY_TEXT_MAX 64
void policy_address_text(const struct policy_address *address, u16 port, char text[POLICY_TEXT_MAX]);

#endif
