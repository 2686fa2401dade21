/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of netlink messages. What passes it is walked again as the host kernel's netlink_rcv_skb() does, written
 * here from its documentation (netlink(7)): the kernel must find nothing in it but questions.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "call/sock.h"
#include "fuzz.h"

static bool is_question(int protocol, const struct nlmsghdr *m, const u8 *body)
{
	if (m->nlmsg_type < NLMSG_MIN_TYPE) /* control: the kernel skips these */
		return true;
	if (protocol == NETLINK_ROUTE)
		return m->nlmsg_type >= RTM_BASE && (m->nlmsg_type & 3) == (RTM_GETLINK & 3);
	return m->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->nlmsg_len > NLMSG_HDRLEN &&
	       (*body == AF_INET || *body == AF_INET6);
}

static void kernel_walks(int protocol, const u8 *data, size_t size)
{
	size_t at = 0;

	while (size - at >= NLMSG_HDRLEN) {
		struct nlmsghdr m;
		size_t step;

		memcpy(&m, data + at, sizeof(m));
		if (m.nlmsg_len < NLMSG_HDRLEN || size - at < m.nlmsg_len)
			break;
		if (!is_question(protocol, &m, data + at + NLMSG_HDRLEN))
			abort();
		step = NLMSG_ALIGN((size_t)m.nlmsg_len);
		at += step < size - at ? step : size - at;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const int protocols[] = { NETLINK_ROUTE, NETLINK_SOCK_DIAG };
	u8 *copy = malloc(size ? size : 1); /* of its exact size, for ASan */

	memcpy(copy, data, size);
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (netlink_check(protocols[i], copy, size) == 0)
			kernel_walks(protocols[i], copy, size);
	}
	free(copy);
	return 0;
}
