/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to netlink requests that the guest kernel gives itself: netlink.c, unix_diag.c. */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/unix_diag.h>

#include "list.h"
#include "kernel.h"

#define SOL_NETLINK 270

/* The answer to RTM_GETNSID. */
struct netlink_nsid {
	struct nlmsghdr head;
	struct rtgenmsg family;
	u8 pad[3];
	struct rtattr attr;
	s32 id;
};
static inline struct netlink_nsid netlink_nsid(const struct nlmsghdr *request, u32 port)
{
	return (struct netlink_nsid){
		.head = { .nlmsg_len = sizeof(struct netlink_nsid), .nlmsg_type = RTM_NEWNSID,
			  .nlmsg_seq = request->nlmsg_seq, .nlmsg_pid = port },
		.attr = { RTA_LENGTH(sizeof(s32)), NETNSA_NSID },
		.id = NETNSA_NSID_NOT_ASSIGNED,
	};
}

/* A copy at the end, as one datagram. 0 or -ENOBUFS */
int netlink_answer(struct list_head *to, const void *data, u32 len);

struct unix_diag_request {
	struct nlmsghdr head;
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} q; /* as it was sent */
	u32 port;
};

/* What there is of sockets, as sock_diag(7) tells. 0, -ENOENT (the one that was asked for is not there), -ENOBUFS. */
int unix_diag(const struct unix_diag_request *r, struct list_head *answers);

#endif
