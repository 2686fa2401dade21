/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets whose kernel is the guest's: isolated_netlink.c, and the families of NETLINK_GENERIC in netlink_generic.c. */
#ifndef NET_ISOLATED_NETLINK_H
#define NET_ISOLATED_NETLINK_H

#include <linux/netlink.h>

#include "isolated.h"
#include "list.h"

#define REPLY_MAX 1024u

struct reply {
	struct list_head node;
	u32 len;
	u8 data[REPLY_MAX] __attribute__((aligned(8)));
};

struct nl_sock {
	struct socket sk;
	struct net_ns *net; /* counted */
	struct mutex lock;
	struct waitq wait;
	struct list_head replies;
	u32 nreplies, port;
};

/* ---- making replies; the lock is held ---- */

/* NULL: there is no room for more. */
struct reply *reply_new(struct nl_sock *n, const struct nlmsghdr *to, u16 type, u16 flags);

/* What is put into a reply is never more than REPLY_MAX, all in all: callers know their sizes. */
void reply_put(struct reply *r, const void *data, u32 len);
void reply_put_attr(struct reply *r, u16 type, const void *data, u16 len);

void reply_send(struct nl_sock *n, struct reply *r);

/* 0 or -ENOBUFS */
int tell_error(struct nl_sock *n, const struct nlmsghdr *to, int error);
int tell_done(struct nl_sock *n, const struct nlmsghdr *to);

/* A request of NETLINK_GENERIC, with what follows its head. 0 or -ENOBUFS: other errors are told. */
int netlink_generic(struct nl_sock *n, const struct nlmsghdr *h, const u8 *body, u32 len);

#endif
