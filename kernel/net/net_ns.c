/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces: their life. What there is in one of the guest's own is in isolated.c. */
#include "net_ns.h"

struct net_ns init_net_ns = { .ns = NS_INIT(NS_NET, 4026531840u), .lo_up = true };

struct ns *net_ns_new(struct user_ns *user)
{
	struct net_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_NET, user);
	return &ns->ns;
}

void net_ns_free(struct ns *ns)
{
	kfree(ns);
}
