// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/net: the files of the container's network namespace, read by the hypervisor. What the host
 * has is there; whether it has one file is asked when its name is looked up.
 */
#include "net_ns.h"
#include "proc.h"
#include "socket.h"

#include "ring.h"

/* Text of /proc/net/NAME from offset off into `to`, RING_BUF_SIZE bytes. Bytes or -errno. */
static s64 read_netfile(const char *name, u64 off, u8 *to)
{
	struct pv_slot s;
	size_t len = strlen(name);
	s64 ret;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_NETFILE;
	s.req.u.ctl.arg = off;
	s.req.u.ctl.len = (u32)len;
	s.req.u.ctl.pid = current->proc->pid;
	memcpy(s.buf, name, len);
	ret = mc_pv_call(&s);
	if (ret > 0) {
		ret = min(ret, (s64)RING_BUF_SIZE);
		memcpy(to, s.buf, (size_t)ret);
	}
	mc_pv_put(&s);
	return ret;
}

int netfile_read(struct seq *m, const char *name)
{
	u8 *buf __kfree = kmalloc(RING_BUF_SIZE);
	u64 off = 0;
	s64 n;

	if (!buf)
		return -ENOMEM;
	if (current_net_ns() != &init_net_ns) {
		seq_write(m, buf, net_ns_file(current_net_ns(), name, (char *)buf, RING_BUF_SIZE));
		return 0;
	}
	while ((n = read_netfile(name, off, buf)) > 0) {
		seq_write(m, buf, (size_t)n);
		off += (u64)n;
	}
	return (int)(off ? 0 : n);
}

static int net_show(struct seq *m, const struct pseudo_ctx *c)
{
	return netfile_read(m, c->e->name);
}

/* AF_UNIX is the guest's own: the host's list would be of other sockets. */
static int net_unix(struct seq *m, const struct pseudo_ctx *c)
{
	char line[256];
	size_t n;

	seq_puts(m, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	for (u32 i = 0; (n = unix_proc_line(i, line, sizeof(line))); i++)
		seq_write(m, line, n);
	return 0;
}

#define NET(n) PSEUDO_FILE(n, 0444, .show = net_show)

const struct pseudo_entry net_entries[] = {
	NET("anycast6"),
	NET("arp"),
	NET("dev"),
	NET("dev_mcast"),
	NET("fib_trie"),
	NET("fib_triestat"),
	NET("icmp"),
	NET("icmp6"),
	NET("if_inet6"),
	NET("igmp"),
	NET("igmp6"),
	NET("ipv6_route"),
	NET("mcfilter"),
	NET("mcfilter6"),
	NET("netstat"),
	PSEUDO_TEXT("packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	NET("protocols"),
	NET("raw"),
	NET("raw6"),
	NET("route"),
	NET("rt6_stats"),
	NET("snmp"),
	NET("snmp6"),
	NET("softnet_stat"),
	NET("sockstat"),
	NET("sockstat6"),
	NET("tcp"),
	NET("tcp6"),
	NET("udp"),
	NET("udp6"),
	NET("udplite"),
	NET("udplite6"),
	PSEUDO_FILE("unix", 0444, .show = net_unix),
	PSEUDO_TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks"
			       "    Drops    Inode\n"),
	PSEUDO_TEXT("psched", "000003e8 00000040 000f4240 3b9aca00\n"),
	PSEUDO_TEXT("wireless", "Inter-| sta-|   Quality        |   Discarded packets               "
				"| Missed | WE\n"
				" face | tus | link level noise |  nwid  crypt   frag  retry   misc "
				"| beacon | 22\n"),
	{ 0 },
};
