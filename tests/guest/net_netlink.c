/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink beyond routes: families of generic netlink, uevents; protocols and families of sockets that there are not. */
#include "check.h"
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	struct nlattr attr;
	char name[16];
};

static union {
	struct nlmsghdr head;
	char buf[16384];
} answer;

static struct nlmsghdr *ask(int fd, struct request *r)
{
	r->head.nlmsg_seq++;
	CHECK(send(fd, r, r->head.nlmsg_len, 0) == (ssize_t)r->head.nlmsg_len);
	CHECK(recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.head));
	CHECK(answer.head.nlmsg_seq == r->head.nlmsg_seq);
	return &answer.head;
}

static int error_of(int fd, struct request *r)
{
	struct nlmsghdr *h = ask(fd, r);

	CHECK(h->nlmsg_type == NLMSG_ERROR);
	return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static struct request family(const char *name)
{
	struct request r = { .head = { .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST },
			     .generic = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 } };

	r.attr.nla_type = CTRL_ATTR_FAMILY_NAME;
	r.attr.nla_len = (unsigned short)(NLA_HDRLEN + strlen(name) + 1);
	strcpy(r.name, name);
	r.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN + NLA_ALIGN(r.attr.nla_len));
	return r;
}

static void test_generic(void)
{
	int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	struct request r = family("nlctrl");
	struct nlmsghdr *h;
	struct nlattr *a;

	OK(bind(fd, (struct sockaddr *)&nl, sizeof(nl)));
	h = ask(fd, &r);
	CHECK(h->nlmsg_type == GENL_ID_CTRL);
	CHECK(((struct genlmsghdr *)NLMSG_DATA(h))->cmd == CTRL_CMD_NEWFAMILY);
	a = (struct nlattr *)((char *)NLMSG_DATA(h) + GENL_HDRLEN);
	CHECK(a->nla_type == CTRL_ATTR_FAMILY_NAME && !strcmp((char *)(a + 1), "nlctrl"));
	r = family("TASKSTATS");
	h = ask(fd, &r);
	CHECK(h->nlmsg_type == GENL_ID_CTRL);
	a = (struct nlattr *)((char *)NLMSG_DATA(h) + GENL_HDRLEN);
	CHECK(a->nla_type == CTRL_ATTR_FAMILY_NAME && !strcmp((char *)(a + 1), "TASKSTATS"));
	a = (struct nlattr *)((char *)a + NLA_ALIGN(a->nla_len));
	CHECK(a->nla_type == CTRL_ATTR_FAMILY_ID && a->nla_len == NLA_HDRLEN + 2);
	memcpy(&r.head.nlmsg_type, a + 1, 2);
	r.generic.cmd = 200;
	CHECK(error_of(fd, &r) == EOPNOTSUPP);
	r.generic.cmd = 1; /* TASKSTATS_CMD_GET: not for an ordinary user */
	IN_CHILD({
		if (!getuid())
			OK(setresuid(65534, 65534, 65534));
		CHECK(error_of(fd, &r) == EPERM);
	});
	r = family("no-such-one");
	CHECK(error_of(fd, &r) == ENOENT);
	r = family("nlctrl");
	r.generic.cmd = 200;
	CHECK(error_of(fd, &r) == EOPNOTSUPP);
	r = family("nlctrl");
	r.head.nlmsg_type = 0x3ff;
	CHECK(error_of(fd, &r) == ENOENT);
	r = family("nlctrl");
	r.head.nlmsg_flags |= NLM_F_DUMP;
	CHECK(ask(fd, &r)->nlmsg_type == GENL_ID_CTRL);
	close(fd);
}

/* Events of processes are told in the first network namespace only: in others nobody listens. */
static void test_connector(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	struct nlmsghdr h = { .nlmsg_len = sizeof(h), .nlmsg_type = NLMSG_DONE };
	int fd;

	IN_CHILD({
		OK(unshare(CLONE_NEWUSER | CLONE_NEWNET));
		fd = OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR));
		OK(bind(fd, (struct sockaddr *)&nl, sizeof(nl)));
		FAILS(ECONNREFUSED, send(fd, &h, sizeof(h), 0));
	});
}

static void test_uevents(void)
{
	int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)), on = 1;
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct pollfd p = { fd, POLLIN, 0 };
	socklen_t len = sizeof(nl);
	char buf[64];

	OK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	OK(bind(fd, (struct sockaddr *)&nl, sizeof(nl)));
	OK(getsockname(fd, (struct sockaddr *)&nl, &len));
	CHECK(nl.nl_family == AF_NETLINK && nl.nl_pid);
	if (poll(&p, 1, 0) == 0)
		FAILS(EAGAIN, recv(fd, buf, sizeof(buf), 0));
	close(fd);
}

/* Of the socket itself: what is set is read back, and groups are listed. */
static void test_options(void)
{
	static const int names[] = { NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK,
				     NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK };
	int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), value, group = RTNLGRP_LINK;
	unsigned int groups[2] = { 0 };
	socklen_t len;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int on = 1; on >= 0; on--) {
			OK(setsockopt(fd, SOL_NETLINK, names[i], &on, sizeof(on)));
			len = sizeof(value);
			OK(getsockopt(fd, SOL_NETLINK, names[i], &value, &len));
			CHECK(value == on);
		}
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	len = sizeof(groups);
	OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len));
	CHECK(groups[0] == 1u << (RTNLGRP_LINK - 1));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
	len = sizeof(groups);
	OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len));
	CHECK(!groups[0]);
	close(fd);
}

static void test_refusals(void)
{
	FAILS(EPROTONOSUPPORT, socket(AF_NETLINK, SOCK_RAW, 31));
	FAILS(ESOCKTNOSUPPORT, socket(AF_NETLINK, SOCK_STREAM, NETLINK_GENERIC));
	FAILS(EAFNOSUPPORT, socket(AF_MAX + 1, SOCK_RAW, 0));
}

int main(void)
{
	test_generic();
	test_connector();
	test_uevents();
	test_options();
	test_refusals();
	return 0;
}
