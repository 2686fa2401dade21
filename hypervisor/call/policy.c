/* SPDX-License-Identifier: Apache-2.0 */
#include "call/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "call/policy_names.h"

#define V4_BITS 96

const char *const policy_operation_names[] = { "listen", "connect" };
const char *const policy_protocol_names[] = { "tcp", "udp", "icmp", "raw", "unix" };

static const u8 v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool policy_is_v4(const struct policy_address *address)
{
	return !memcmp(address->b, v4_prefix, sizeof(v4_prefix));
}

/* 0.0.0.0 or ::. */
static bool is_any(const struct policy_address *address)
{
	static const u8 zero[16];
	size_t at = policy_is_v4(address) ? sizeof(v4_prefix) : 0;

	return !memcmp(address->b + at, zero, sizeof(zero) - at);
}

static bool range_is_v4(const struct policy_range *range)
{
	return range->bits >= V4_BITS && policy_is_v4(&range->address);
}

/* A range of IPv6 has no IPv4 addresses in it: ::/0 is not everything. */
static bool in_range(const struct policy_address *address, const struct policy_range *range)
{
	u32 bytes = range->bits / 8, rest = range->bits % 8;
	u8 mask = (u8)(0xff00 >> rest);

	if (range_is_v4(range) != policy_is_v4(address) ||
	    memcmp(address->b, range->address.b, bytes))
		return false;
	return !rest || !((address->b[bytes] ^ range->address.b[bytes]) & mask);
}

/* All of a family: as 0.0.0.0/0, or as the wildcard itself. */
static bool is_whole(const struct policy_range *range)
{
	return is_any(&range->address) &&
	       (range->bits == 128 || range->bits == (range_is_v4(range) ? V4_BITS : 0));
}

/* Where a socket listens on the wildcard: :: takes connections of IPv4, too. */
static bool wildcard_matches(const struct policy_address *address, const struct policy_range *range,
			     bool allow)
{
	if (policy_is_v4(address) && !range_is_v4(range))
		return false;
	if (allow)
		return is_whole(range) && range_is_v4(range) == policy_is_v4(address);
	return true;
}

static bool address_matches(const struct policy_rule *rule, const struct policy_query *q)
{
	bool wildcard = q->operation == POLICY_LISTEN && is_any(&q->address);

	for (size_t i = 0; i < rule->n_ranges; i++) {
		const struct policy_range *range = &rule->ranges[i];

		if (wildcard ? wildcard_matches(&q->address, range, rule->allow) :
			       in_range(&q->address, range))
			return true;
	}
	return !rule->n_ranges;
}

static bool path_matches(const struct policy_rule *rule, const struct policy_query *q)
{
	for (size_t i = 0; i < rule->n_paths; i++)
		if (!fnmatch(rule->paths[i], q->path, FNM_PATHNAME))
			return true;
	return !rule->n_paths;
}

static bool has_ports(enum policy_protocol protocol)
{
	return protocol == POLICY_TCP || protocol == POLICY_UDP;
}

static bool port_matches(const struct policy_rule *rule, const struct policy_query *q)
{
	if (!rule->n_ports)
		return true;
	if (!has_ports(q->protocol))
		return false;
	if (q->operation == POLICY_LISTEN && !q->port)
		return !rule->allow;
	for (size_t i = 0; i < rule->n_ports; i++) {
		if (q->port >= rule->ports[i].first && q->port <= rule->ports[i].last)
			return true;
	}
	return false;
}

static bool file_is(const struct policy_files *want, const struct policy_file *file)
{
	bool here = !want->n_pins, same = !want->n_hashes;

	for (size_t i = 0; i < want->n_pins && !here; i++) {
		const struct policy_pin *pin = &want->pins[i];

		here = file->known && (pin->pinned ? pin->dev == file->dev && pin->ino == file->ino :
						     !strcmp(pin->path, file->path));
	}
	for (size_t i = 0; i < want->n_hashes && !same; i++)
		same = file->hashed && !memcmp(&want->hashes[i], &file->hash, sizeof(file->hash));
	return here && same;
}

static bool same_files(const struct policy_executable *e, const struct policy_program *program)
{
	return file_is(&e->file, &program->file) && file_is(&e->script, &program->script);
}

bool policy_executable_is(const struct policy_executable *e, const struct policy_program *program)
{
	return same_files(e, program) && (e->preload || !program->preloaded);
}

static bool host_matches(const struct policy *policy, const struct policy_rule *rule, const struct policy_query *q)
{
	return !rule->n_hosts ||
	       (q->names && policy_names_match(q->names, policy, rule, &q->address, q->now));
}

/* An address and port, or a path: rules about the one are never about the other (finish_rule() in load.c). */
static bool place_matches(const struct policy *policy, const struct policy_rule *rule, const struct policy_query *q)
{
	if (q->protocol == POLICY_UNIX)
		return path_matches(rule, q);
	return address_matches(rule, q) && port_matches(rule, q) && host_matches(policy, rule, q);
}

/* A program of which nothing is known may be any: what allows some does not allow it, what denies some denies it. */
static bool program_matches(const struct policy *policy, const struct policy_rule *rule,
			    const struct policy_query *q)
{
	if (!rule->n_executables)
		return true;
	if (!q->program || !q->program->file.known)
		return !rule->allow;
	for (size_t i = 0; i < rule->n_executables; i++) {
		const struct policy_executable *e = &policy->executables[rule->executables[i]];

		/* what it preloads makes a program lose rights, not prohibitions */
		if (rule->allow ? policy_executable_is(e, q->program) : same_files(e, q->program))
			return true;
	}
	return false;
}

struct policy_verdict policy_decide(const struct policy *policy, const struct policy_query *q)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->operations & 1u << q->operation && rule->protocols & 1u << q->protocol &&
		    place_matches(policy, rule, q) && program_matches(policy, rule, q))
			return (struct policy_verdict){ rule->allow, rule };
	}
	return (struct policy_verdict){ policy->allow, NULL };
}

bool policy_conceivable(const struct policy *policy, enum policy_operation operation,
			enum policy_protocol protocol)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!(rule->operations & 1u << operation) || !(rule->protocols & 1u << protocol))
			continue;
		if (rule->allow)
			return true;
		if (!rule->n_ranges && !rule->n_ports && !rule->n_executables && !rule->n_hosts)
			return false;
	}
	return policy->allow;
}

int policy_address_of(const void *sockaddr, u32 len, struct policy_address *address, u16 *port)
{
	const struct sockaddr_in *in = sockaddr;
	const struct sockaddr_in6 *in6 = sockaddr;
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, sockaddr, sizeof(family));
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < (family == AF_INET ? sizeof(*in) : offsetof(struct sockaddr_in6, sin6_scope_id)))
		return -EINVAL;
	if (family == AF_INET) {
		memcpy(address->b, v4_prefix, sizeof(v4_prefix));
		memcpy(address->b + sizeof(v4_prefix), &in->sin_addr, sizeof(in->sin_addr));
		*port = ntohs(in->sin_port);
	} else {
		memcpy(address->b, &in6->sin6_addr, sizeof(address->b));
		*port = ntohs(in6->sin6_port);
	}
	return 0;
}

void policy_address_text(const struct policy_address *address, u16 port, char text[POLICY_TEXT_MAX])
{
	bool v4 = policy_is_v4(address);
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, address->b + (v4 ? sizeof(v4_prefix) : 0), host, sizeof(host));
	if (port)
		snprintf(text, POLICY_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", host, port);
	else
		snprintf(text, POLICY_TEXT_MAX, "%s", host);
}
