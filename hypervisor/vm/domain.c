// SPDX-License-Identifier: Apache-2.0
#include "vm/domain.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* linux/landlock.h, of which the C library's headers may be older than the host. */
struct ruleset {
	uint64_t fs, net, scoped;
};
struct port_rule {
	uint64_t allowed, port;
};
#define CREATE_VERSION 1u
#define RULE_NET_PORT 2
#define NET_BIND_TCP (1u << 0)
#define NET_CONNECT_TCP (1u << 1)
#define SCOPE_ABSTRACT_UNIX (1u << 0)
#define SCOPE_SIGNAL (1u << 1)
#define VERSION_NET 4
#define VERSION_SCOPE 6

#define LAYERS_MAX 8  /* of the host's 16: others may have begun */
#define PORTS_MAX 256 /* each is a host call when a container starts */

static const uint64_t net_access[POLICY_OPERATIONS] = {
	[POLICY_LISTEN] = NET_BIND_TCP,
	[POLICY_CONNECT] = NET_CONNECT_TCP,
};

/* What is allowed somewhere: which address, name or executable it is for the policy looks at each time. */
static bool about_tcp(const struct policy_rule *rule, enum policy_operation operation)
{
	return rule->allow && rule->operations & 1u << operation && rule->protocols & 1u << POLICY_TCP;
}

static int add_port(u16 *ports, int n, int max, u16 port)
{
	for (int i = 0; i < n; i++)
		if (ports[i] == port)
			return n;
	if (n == max)
		return -1;
	ports[n] = port;
	return n + 1;
}

static int add_ranges(const struct policy_rule *rule, u16 *ports, int n, int max)
{
	if (!rule->n_ports)
		return -1;
	for (size_t i = 0; i < rule->n_ports; i++)
		for (u32 port = rule->ports[i].first; n >= 0 && port <= rule->ports[i].last; port++)
			n = add_port(ports, n, max, (u16)port);
	return n;
}

int domain_tcp_ports(const struct policy *policy, enum policy_operation operation, u16 *ports, int max)
{
	int n = 0;

	if (policy->mode != POLICY_ENFORCE || policy->allow)
		return -1;
	/* sockets that connect may be bound, too; what listens there is seen by the policy again */
	if (operation == POLICY_LISTEN)
		n = add_port(ports, n, max, 0);
	for (size_t i = 0; n >= 0 && i < policy->n_rules; i++)
		if (about_tcp(&policy->rules[i], operation))
			n = add_ranges(&policy->rules[i], ports, n, max);
	return n;
}

static int allow_ports(int ruleset, uint64_t access, const u16 *ports, int n)
{
	for (int i = 0; i < n; i++) {
		const struct port_rule rule = { access, ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0))
			return -errno;
	}
	return 0;
}

/* Landlock forbids who it restricts in any way all mounts if files are among it: vm0 has its own to make yet. */
static int enter_layer(uint64_t scoped, const struct policy *policy)
{
	u16 ports[POLICY_OPERATIONS][PORTS_MAX];
	struct ruleset set = { .scoped = scoped };
	cleanup_close int fd = -1;
	int n[POLICY_OPERATIONS], ret = 0;

	for (int i = 0; i < POLICY_OPERATIONS; i++) {
		n[i] = policy ? domain_tcp_ports(policy, (enum policy_operation)i, ports[i], PORTS_MAX) : -1;
		set.net |= n[i] < 0 ? 0 : net_access[i];
	}
	if (!set.net && !set.scoped)
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, scoped ? sizeof(set) : sizeof(set) - sizeof(set.scoped), 0);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < POLICY_OPERATIONS && !ret; i++)
		ret = allow_ports(fd, net_access[i], ports[i], n[i]);
	if (!ret && syscall(SYS_landlock_restrict_self, fd, 0))
		ret = -errno;
	return ret;
}

int domain_enter(const struct policies *policies, struct error *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	size_t layers = policies && policies->n ? policies->n : 1;
	int ret = 0;

	if (version < VERSION_NET)
		return 0;
	for (size_t i = 0; !ret && i < layers && i < LAYERS_MAX; i++)
		ret = enter_layer(version >= VERSION_SCOPE && !i ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0,
				  policies && policies->n ? policies->v[i] : NULL);
	if (ret == -E2BIG) /* whoever started us is in as many as the host has */
		ret = 0;
	return ret ? error_errno(err, -ret, "Landlock domain of the hypervisor") : 0;
}
