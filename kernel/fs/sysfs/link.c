// SPDX-License-Identifier: Apache-2.0
/* One question to the host's rtnetlink, in the container's network namespace: RTM_GETLINK by name. */
#include "link.h"

#include <linux/if_link.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <linux/socket.h>

#include "cred.h"
#include "ring.h"

#define AF_NETLINK 16
#define SOCK_RAW 3
#define ANSWER_ROOM 16384

struct question {
	struct nlmsghdr head;
	struct ifinfomsg info;
	struct rtattr name_attr;
	char name[16];
};

static s64 open_socket(u32 handle)
{
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_SOCKET;
	s.req.u.socket = (struct pv_req_xen_socket){ .id = handle, .domain = AF_NETLINK,
						     .type = SOCK_RAW, .protocol = NETLINK_ROUTE,
						     .cred = cred_pv_id() };
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}

static s64 ask(u32 handle, const char *name)
{
	struct question q = {
		.head = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		.name_attr = { .rta_len = RTA_LENGTH(sizeof(q.name)), .rta_type = IFLA_IFNAME },
	};
	struct pv_slot s;
	s64 ret;

	strlcpy(q.name, name, sizeof(q.name));
	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_SENDTO;
	s.req.u.sock.id = handle;
	s.req.u.sock.len = sizeof(q);
	s.req.u.sock.cred = cred_pv_id();
	memcpy(s.buf, &q, sizeof(q));
	ret = mc_pv_call(&s);
	mc_pv_put(&s);
	return ret;
}

/* An attribute of the answer; what is longer than its place is cut. */
static void take(struct link *l, const struct rtattr *a)
{
	const void *data = RTA_DATA(a);
	size_t len = RTA_PAYLOAD(a);

	switch (a->rta_type) {
	case IFLA_MTU:
		memcpy(&l->mtu, data, min(len, sizeof(l->mtu)));
		break;
	case IFLA_STATS64:
		memcpy(l->stats, data, min(len, sizeof(l->stats)));
		break;
	case IFLA_LINK:
		memcpy(&l->peer, data, min(len, sizeof(l->peer)));
		break;
	case IFLA_TXQLEN:
		memcpy(&l->queue, data, min(len, sizeof(l->queue)));
		break;
	case IFLA_OPERSTATE:
		memcpy(&l->operstate, data, min(len, (size_t)1));
		break;
	case IFLA_CARRIER:
		memcpy(&l->carrier, data, min(len, (size_t)1));
		break;
	case IFLA_ADDRESS:
		l->address_len = (u8)min(len, sizeof(l->address));
		memcpy(l->address, data, l->address_len);
		break;
	case IFLA_BROADCAST:
		memcpy(l->broadcast, data, min(len, sizeof(l->broadcast)));
		break;
	}
}

static bool parse(const u8 *p, size_t n, struct link *l)
{
	const struct nlmsghdr *h = (const void *)p;
	const struct ifinfomsg *info = NLMSG_DATA(h);
	const struct rtattr *a = (const void *)(p + NLMSG_LENGTH(sizeof(*info)));
	long left;

	if (n < NLMSG_LENGTH(sizeof(*info)) || h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len > n)
		return false;
	l->index = l->peer = (u32)info->ifi_index;
	l->flags = info->ifi_flags;
	l->type = info->ifi_type;
	left = (long)h->nlmsg_len - (long)NLMSG_LENGTH(sizeof(*info));
	while (left >= (long)sizeof(*a) && a->rta_len >= sizeof(*a) && a->rta_len <= left) {
		take(l, a);
		left -= RTA_ALIGN(a->rta_len);
		a = (const void *)((const u8 *)a + RTA_ALIGN(a->rta_len));
	}
	return true;
}

static bool take_answer(u32 handle, struct link *l)
{
	struct pv_slot s;
	bool good = false;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_RECVFROM;
	s.req.u.sock.id = handle;
	s.req.u.sock.len = ANSWER_ROOM;
	s.req.u.sock.cred = cred_pv_id();
	if (mc_pv_call(&s) >= 0) {
		struct pv_recv r;

		memcpy(&r, s.buf, sizeof(r));
		good = parse(s.buf + PV_RECV_CTL_OFF, min(r.data_len, (u32)ANSWER_ROOM), l);
	}
	mc_pv_put(&s);
	return good;
}

bool link_read(const char *name, struct link *out)
{
	u32 handle = mc_handle_alloc();
	bool good = false;

	memset(out, 0, sizeof(*out));
	if (!handle)
		return false;
	if (open_socket(handle) >= 0)
		good = ask(handle, name) >= 0 && take_answer(handle, out);
	mc_handle_release(handle);
	return good;
}
