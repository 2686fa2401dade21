// SPDX-License-Identifier: Apache-2.0
#include "launch/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define ADDRESSES_MAX 64


/* A request, or one address as the kernel told it and takes it again. */
struct request {
	struct nlmsghdr hdr;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
	char attrs[256];
};

struct addresses {
	struct request v[ADDRESSES_MAX];
	size_t n;
};

static void add_attr(struct request *r, unsigned short type, const void *data, size_t size)
{
	struct rtattr *attr = (void *)((char *)r + NLMSG_ALIGN(r->hdr.nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(attr), data, size);
	r->hdr.nlmsg_len = NLMSG_ALIGN(r->hdr.nlmsg_len) + (unsigned int)RTA_ALIGN(attr->rta_len);
}

/* Sends one request and waits for its acknowledgement. 0 or -errno. */
static int ask(int fd, struct request *r)
{
	struct {
		struct nlmsghdr hdr;
		struct nlmsgerr err;
		char rest[1024];
	} answer;

	r->hdr.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, r, r->hdr.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.hdr.nlmsg_type == NLMSG_ERROR ? answer.err.error : -EPROTO;
}

/* A permanent one of global scope is kept: without its label, which is made of the old name. */
static void keep_address(struct addresses *list, const struct nlmsghdr *msg)
{
	const struct ifaddrmsg *addr = NLMSG_DATA(msg);
	struct request *r = &list->v[list->n];
	int left = (int)IFA_PAYLOAD(msg);

	if (!(addr->ifa_flags & IFA_F_PERMANENT) || addr->ifa_scope != RT_SCOPE_UNIVERSE ||
	    list->n == ADDRESSES_MAX)
		return;
	*r = (struct request){ .hdr = { .nlmsg_len = NLMSG_LENGTH(sizeof(*addr)),
					.nlmsg_type = RTM_NEWADDR,
					.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL },
			       .addr = { .ifa_family = addr->ifa_family,
					 .ifa_prefixlen = addr->ifa_prefixlen,
					 .ifa_scope = addr->ifa_scope } };
	for (const struct rtattr *a = IFA_RTA(addr); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		bool wanted = a->rta_type == IFA_LOCAL || a->rta_type == IFA_ADDRESS ||
			      a->rta_type == IFA_BROADCAST;

		if (wanted && RTA_PAYLOAD(a) <= 16)
			add_attr(r, a->rta_type, RTA_DATA(a), RTA_PAYLOAD(a));
	}
	list->n++;
}

static int read_addresses(int fd, unsigned int index, struct addresses *list)
{
	struct request r = { .hdr = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.addr)),
				      .nlmsg_type = RTM_GETADDR,
				      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	char buf[32768] __attribute__((aligned(8)));

	list->n = 0;
	if (send(fd, &r, r.hdr.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			return n ? -errno : -EPROTO;
		for (struct nlmsghdr *msg = (void *)buf; NLMSG_OK(msg, n); msg = NLMSG_NEXT(msg, n)) {
			if (msg->nlmsg_type == NLMSG_DONE)
				return 0;
			if (msg->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(msg))->error ?: -EPROTO;
			if (((struct ifaddrmsg *)NLMSG_DATA(msg))->ifa_index == index)
				keep_address(list, msg);
		}
	}
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* The kernel keeps the index if it can: a name of the template's cannot tell which one it became. */
static int send_away(int fd, unsigned int index, unsigned int new_index, const char *name, int netns)
{
	struct request r = { .hdr = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)), .nlmsg_type = RTM_NEWLINK },
			     .link = { .ifi_index = (int)index } };

	add_attr(&r, IFLA_NET_NS_FD, &netns, sizeof(netns));
	add_attr(&r, IFLA_IFNAME, name, strlen(name) + 1);
	add_attr(&r, IFLA_NEW_IFINDEX, &new_index, sizeof(new_index));
	return ask(fd, &r);
}

static int set_up(int fd, unsigned int index)
{
	struct request r = { .hdr = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)), .nlmsg_type = RTM_NEWLINK },
			     .link = { .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };

	return ask(fd, &r);
}

static bool index_in_use(int fd, unsigned int index)
{
	struct request r = { .hdr = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)), .nlmsg_type = RTM_GETLINK,
				      .nlmsg_flags = NLM_F_REQUEST },
			     .link = { .ifi_index = (int)index } };
	char answer[16384] __attribute__((aligned(8)));

	if (send(fd, &r, r.hdr.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return false;
	return ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWLINK;
}

struct move {
	int here;  /* rtnetlink of our namespace */
	int there; /* and of the container's */
	int netns;
};

static const char *new_name(const struct oci_net_device *dev)
{
	return dev->name && dev->name[0] ? dev->name : dev->host_name;
}

/* The kernel would move the device first and then fail to rename it. A template is always free. */
static int check_names(const struct oci_linux *l, struct error *err)
{
	for (size_t i = 0; i < l->n_net_devices; i++) {
		const char *name = new_name(&l->net_devices[i]);
		bool taken = !strchr(name, '%') && if_nametoindex(name);

		for (size_t k = 0; k < i && !strchr(name, '%'); k++)
			taken |= !strcmp(name, new_name(&l->net_devices[k]));
		if (taken)
			return error_set(err, EEXIST, "linux.netDevices.%s: there is an interface %s already",
					 l->net_devices[i].host_name, name);
	}
	return 0;
}

static int move_one(const struct move *m, const struct oci_net_device *dev, unsigned int index,
		    struct error *err)
{
	const char *name = new_name(dev);
	unsigned int new_index = index;
	struct addresses list;
	int ret = read_addresses(m->here, index, &list);

	while (index_in_use(m->there, new_index))
		new_index++;
	if (!ret)
		ret = send_away(m->here, index, new_index, name, m->netns);
	if (ret)
		return error_errno(err, -ret, "linux.netDevices.%s: cannot move it to be %s",
				   dev->host_name, name);
	for (size_t i = 0; !ret && i < list.n; i++) {
		list.v[i].addr.ifa_index = new_index;
		ret = ask(m->there, &list.v[i]);
		/* the kernel may keep an IPv6 address by itself */
		ret = ret == -EEXIST ? 0 : ret;
	}
	if (!ret)
		ret = set_up(m->there, new_index);
	return ret ? error_errno(err, -ret, "linux.netDevices.%s: in the container", dev->host_name) : 0;
}

/* In a child, as it enters the container's network namespace. All devices are looked for before one is moved. */
static int move_all(const struct oci_linux *l, int netns, struct error *err)
{
	struct move m = { .here = open_netlink(), .netns = netns };
	unsigned int *index = calloc(l->n_net_devices, sizeof(*index)); /* freed by _exit() */
	int ret;

	if (!index)
		return error_errno(err, ENOMEM, "linux.netDevices");
	for (size_t i = 0; i < l->n_net_devices; i++) {
		index[i] = if_nametoindex(l->net_devices[i].host_name);
		if (!index[i])
			return error_errno(err, ENODEV, "linux.netDevices.%s", l->net_devices[i].host_name);
	}
	if (setns(netns, CLONE_NEWNET))
		return error_errno(err, errno, "linux.netDevices: the container's network namespace");
	m.there = open_netlink();
	if (m.here < 0 || m.there < 0)
		return error_errno(err, errno, "linux.netDevices: rtnetlink");
	ret = check_names(l, err);
	for (size_t i = 0; !ret && i < l->n_net_devices; i++)
		ret = move_one(&m, &l->net_devices[i], index[i], err);
	return ret;
}

int netdev_move_all(const struct oci_linux *l, pid_t pid, struct error *err)
{
	cleanup_close int netns = -1;
	struct error *shared;
	char path[64];
	int status;
	pid_t child;

	if (!l->n_net_devices)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (netns < 0 || shared == MAP_FAILED)
		return error_errno(err, errno, "linux.netDevices: the container's network namespace");
	error_set(shared, ECHILD, "linux.netDevices: whoever moves them died");
	child = fork();
	if (!child)
		_exit(move_all(l, netns, shared) ? 1 : 0);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
		*err = *shared;
	else
		shared->code = 0;
	status = shared->code;
	munmap(shared, sizeof(*shared));
	return -status;
}
