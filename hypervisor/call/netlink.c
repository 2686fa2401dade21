/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rtnetlink requests: the guest may ask for interfaces, addresses and routes; it changes none of
 * them.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "call/sock.h"

/* rtnetlink types come in fours: NEW, DEL, GET, SET. */
#define RTM_KIND(type) (((type)-RTM_BASE) & 3)
#define RTM_KIND_GET 2

static int check_one(const struct nlmsghdr *m)
{
	if (m->nlmsg_type == NLMSG_NOOP || m->nlmsg_type == NLMSG_DONE)
		return 0;
	if (m->nlmsg_type < RTM_BASE || m->nlmsg_type > RTM_MAX)
		return -EPERM;
	return RTM_KIND(m->nlmsg_type) == RTM_KIND_GET ? 0 : -EPERM;
}

/* The host kernel walks the messages in the same way: what it would see, is checked here. */
int netlink_check(const void *data, size_t len)
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
		ret = check_one(&m);
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
