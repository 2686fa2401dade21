/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of netlink messages. What passes it is walked again as the host kernel's netlink_rcv_skb() does, written
 * here from its documentation (netlink(7)): the kernel must find nothing in it but questions.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "call/sock.h"
#include "fuzz.h"

static void kernel_sees(const struct nlmsghdr *m)
{
	bool control = m->nlmsg_type < NLMSG_MIN_TYPE; /* the kernel skips these */
	bool question = m->nlmsg_type >= RTM_BASE && (m->nlmsg_type & 3) == (RTM_GETLINK & 3);

	if (!control && !question)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *copy = malloc(size ? size : 1); /* of its exact size, for ASan */
	size_t at = 0;

	memcpy(copy, data, size);
	if (netlink_check(copy, size) == 0) {
		while (size - at >= NLMSG_HDRLEN) {
			struct nlmsghdr m;
			size_t step;

			memcpy(&m, copy + at, sizeof(m));
			if (m.nlmsg_len < NLMSG_HDRLEN || size - at < m.nlmsg_len)
				break;
			kernel_sees(&m);
			step = NLMSG_ALIGN((size_t)m.nlmsg_len);
			at += step < size - at ? step : size - at;
		}
	}
	free(copy);
	return 0;
}
