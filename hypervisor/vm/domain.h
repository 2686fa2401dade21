/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's Landlock domain, where the host has Landlock: for the case that a guest takes over one of its threads. Guest
 * processes are born in the same domain: a thread in one may look into the memory of its own domain's processes only.
 */
#ifndef CALLGATE_VM_DOMAIN_H
#define CALLGATE_VM_DOMAIN_H

#include "call/policy.h"
#include "lib/error.h"

/*
 * From here on, for the caller and all that it starts: no signals to and no memory of processes outside, no abstract sockets of
 * theirs, and no TCP port that a policy in force allows nowhere. 0, also where the host has none of this, or -errno.
 */
int domain_enter(const struct policies *policies, struct error *err) __attribute__((warn_unused_result));

/*
 * The ports that such a policy leaves for TCP: in ports, each once, as many as are returned; -1: all, or more than max. 0 stands for one that
 * the host chooses.
 */
int domain_tcp_ports(const struct policy *policy, enum policy_operation operation, u16 *ports, int max);

#endif
