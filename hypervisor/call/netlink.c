/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink requests: the guest may ask for interfaces, addresses and routes (rtnetlink), and for TCP, UDP and raw
 * sockets (sock_diag); it changes none of them. Unix sockets are the guest's own, those that the host's
 * sock_diag would tell of are others: that question is refused, the guest kernel answers it.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "call/sock.h"

/* rtnetlink types come in fours: NEW, DEL, GET, SET. */
#define RTM_KIND(type) (((type)-RTM_BASE) & 3)
#define RTM_KIND_GET 2

/* `family`: the first byte behind the header, -1: there is none. */
static int check_diag(const struct nlmsghdr *m, int family)
{
	if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -EPERM;
	return family == AF_INET || family == AF_INET6 ? 0 : -ENOENT;
}

static int check_one(const struct nlmsghdr *m, int protocol, int family)
{
	if (m->nlmsg_type == NLMSG_NOOP || m->nlmsg_type == NLMSG_DONE)
		return 0;
	if (protocol == NETLINK_SOCK_DIAG)
		return check_diag(m, family);
	if (m->nlmsg_type < RTM_BASE || m->nlmsg_type > RTM_MAX)
		return -EPERM;
	if (m->nlmsg_type == RTM_GETNSID) /* names a process or descriptor, which would be one of ours */
		return -EOPNOTSUPP;
	return RTM_KIND(m->nlmsg_type) == RTM_KIND_GET ? 0 : -EPERM;
}

/* The host kernel walks the messages in the same way: what it would see, is checked here. */
int netlink_check(int protocol, const void *data, size_t len)
{
	const u8 *p = data;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr m;
		size_t step;
		int ret;

		memcpy(&m, p, sizeof(m));
		if (m.nlmsg_len < sizeof(m) || m.nlmsg_len > len)
			return 0; /* the host stops here, too: iproute2 sends zeros behind its
				     request */
		ret = check_one(&m, protocol, m.nlmsg_len > sizeof(m) ? p[sizeof(m)] : -1);
		if (ret < 0)
			return ret;
		step = NLMSG_ALIGN((size_t)m.nlmsg_len);
		if (step >= len)
			return 0;
		p += step;
		len -= step;
	}
	return 0;
}
