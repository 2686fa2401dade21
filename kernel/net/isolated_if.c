/* SPDX-License-Identifier: Apache-2.0 */
/* The one interface of a network namespace of the guest's own, by ioctl (netdevice(7)) and in /proc/net. */
#include "isolated.h"

#include <linux/in.h>
#include <linux/sockios.h>

#include "user_ns.h"


static s64 list_interfaces(const struct net_ns *net, uaddr_t arg)
{
	struct ifreq lo = { .name = "lo" };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	struct {
		int len;
		u64 buf;
	} c;

	if (mc_copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	memcpy(&lo.addr, &in, sizeof(in));
	if (!net->lo_up)
		c.len = 0;
	else if (c.buf && c.len < (int)sizeof(lo))
		c.len = 0;
	else if (c.buf && mc_copy_to_user(c.buf, &lo, sizeof(lo)))
		return -EFAULT;
	else
		c.len = sizeof(lo);
	return mc_copy_to_user(arg, &c, sizeof(c)) ? -EFAULT : 0;
}

static int set_flags(struct net_ns *net, const struct ifreq *r)
{
	if (!ns_capable(ns_owner(&net->ns), CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(net->lo_up, (r->flags & IFF_UP) != 0);
	return 0;
}

/* What is asked of the loopback interface. */
static int ask(const struct net_ns *net, u32 cmd, struct ifreq *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	switch (cmd) {
	case SIOCGIFINDEX:
		r->value = LO_INDEX;
		return 0;
	case SIOCGIFFLAGS:
		r->flags = (short)(IFF_LOOPBACK | (net->lo_up ? IFF_UP | IFF_RUNNING : 0));
		return 0;
	case SIOCGIFMTU:
		r->value = LO_MTU;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->addr, 0, sizeof(r->addr));
		r->addr.sa_family = ARPHRD_LOOPBACK;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
		if (!net->lo_up)
			return -EADDRNOTAVAIL;
		in.sin_addr.s_addr = cmd == SIOCGIFADDR ? 0x0100007f : 0x000000ff;
		memcpy(&r->addr, &in, sizeof(in));
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

s64 isolated_ioctl(struct net_ns *net, u32 cmd, uaddr_t arg)
{
	struct ifreq r;
	int err;

	if (cmd == SIOCGIFCONF)
		return list_interfaces(net, arg);
	if (cmd < SIOCGIFNAME || cmd > SIOCSIFTXQLEN)
		return -ENOTTY;
	if (mc_copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (cmd == SIOCGIFNAME) {
		if (r.value != LO_INDEX)
			return -ENODEV;
		strlcpy(r.name, "lo", sizeof(r.name));
	} else {
		r.name[IF_NAMESIZE - 1] = '\0';
		if (strcmp(r.name, "lo"))
			return -ENODEV;
		if (cmd == SIOCSIFFLAGS)
			return set_flags(net, &r);
		err = ask(net, cmd, &r);
		if (err)
			return err;
	}
	return mc_copy_to_user(arg, &r, sizeof(r)) ? -EFAULT : 0;
}

/* Whatever the file, there is nothing in it but the names of columns; programs read none from an empty one. */
size_t net_ns_file(const struct net_ns *net, const char *name, char *to, size_t size)
{
	static const char dev[] =
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
		"colls carrier compressed\n"
		"    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0"
		"       0          0\n";

	return strlcpy(to, strcmp(name, "dev") ? "" : dev, size);
}
