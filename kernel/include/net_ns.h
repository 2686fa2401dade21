/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces. The first one is the container's network, at the host. Any other has a loopback interface that
 * is down or up, and no more: nothing of it is known to the hypervisor (net/isolated.c).
 */
#ifndef NET_NS_H
#define NET_NS_H

#include "ns.h"

struct net_ns {
	struct ns ns;
	bool lo_up;
};

extern struct net_ns init_net_ns;
static inline struct net_ns *net_ns_of(struct ns *ns) { return (struct net_ns *)ns; }
/* Text of /proc/net/NAME in one of the guest's own. Its length. */
size_t net_ns_file(const struct net_ns *net, const char *name, char *to, size_t size);
static inline struct net_ns *current_net_ns(void) { return net_ns_of(current_ns(NS_NET)); }

#endif
