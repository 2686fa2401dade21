// SPDX-License-Identifier: Apache-2.0
/* /proc/sys/net: the container's network namespace answers, through the hypervisor. Read only. */
#include "sysctl.h"

#include "ring.h"

/* arg is the name below /proc/sys. */
static int net_sysctl_show(struct seq *m, const struct pseudo_ctx *c)
{
	const char *name = c->e->arg;
	size_t len = strlen(name);
	struct pv_slot s;
	s64 ret;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_SYSCTL;
	s.req.u.ctl.len = (u32)len;
	s.req.u.ctl.pid = current->proc->pid;
	memcpy(s.buf, name, len);
	ret = mc_pv_call(&s);
	if (ret > 0)
		seq_write(m, s.buf, min((size_t)ret, (size_t)RING_BUF_SIZE));
	mc_pv_put(&s);
	return ret < 0 ? (int)ret : 0;
}

#define NET(dir, n) PSEUDO_FILE(n, 0444, .show = net_sysctl_show, .arg = "net/" dir "/" n)

static const struct pseudo_entry core_entries[] = {
	NET("core", "busy_poll"),
	NET("core", "default_qdisc"),
	NET("core", "netdev_max_backlog"),
	NET("core", "optmem_max"),
	NET("core", "rmem_default"),
	NET("core", "rmem_max"),
	NET("core", "somaxconn"),
	NET("core", "wmem_default"),
	NET("core", "wmem_max"),
	{ 0 },
};

#define CONF(proto, which)                                                                         \
	NET(proto "/conf/" which, "accept_redirects"), NET(proto "/conf/" which, "forwarding"),    \
		NET(proto "/conf/" which, "mtu")
static const struct pseudo_entry conf4_all[] = {
	CONF("ipv4", "all"), NET("ipv4/conf/all", "rp_filter"), { 0 },
};
static const struct pseudo_entry conf4_default[] = {
	CONF("ipv4", "default"), NET("ipv4/conf/default", "rp_filter"), { 0 },
};
static const struct pseudo_entry conf4[] = {
	PSEUDO_DIR("all", .children = conf4_all),
	PSEUDO_DIR("default", .children = conf4_default),
	{ 0 },
};

static const struct pseudo_entry ipv4_entries[] = {
	PSEUDO_DIR("conf", .children = conf4),
	NET("ipv4", "icmp_echo_ignore_all"),
	NET("ipv4", "ip_default_ttl"),
	NET("ipv4", "ip_forward"),
	NET("ipv4", "ip_local_port_range"),
	NET("ipv4", "ip_local_reserved_ports"),
	NET("ipv4", "ip_nonlocal_bind"),
	NET("ipv4", "ip_unprivileged_port_start"),
	NET("ipv4", "ping_group_range"),
	NET("ipv4", "tcp_allowed_congestion_control"),
	NET("ipv4", "tcp_available_congestion_control"),
	NET("ipv4", "tcp_congestion_control"),
	NET("ipv4", "tcp_ecn"),
	NET("ipv4", "tcp_fastopen"),
	NET("ipv4", "tcp_fin_timeout"),
	NET("ipv4", "tcp_keepalive_intvl"),
	NET("ipv4", "tcp_keepalive_probes"),
	NET("ipv4", "tcp_keepalive_time"),
	NET("ipv4", "tcp_max_syn_backlog"),
	NET("ipv4", "tcp_max_tw_buckets"),
	NET("ipv4", "tcp_mem"),
	NET("ipv4", "tcp_moderate_rcvbuf"),
	NET("ipv4", "tcp_no_metrics_save"),
	NET("ipv4", "tcp_retries1"),
	NET("ipv4", "tcp_retries2"),
	NET("ipv4", "tcp_rmem"),
	NET("ipv4", "tcp_sack"),
	NET("ipv4", "tcp_slow_start_after_idle"),
	NET("ipv4", "tcp_syn_retries"),
	NET("ipv4", "tcp_synack_retries"),
	NET("ipv4", "tcp_syncookies"),
	NET("ipv4", "tcp_timestamps"),
	NET("ipv4", "tcp_tw_reuse"),
	NET("ipv4", "tcp_window_scaling"),
	NET("ipv4", "tcp_wmem"),
	NET("ipv4", "udp_mem"),
	NET("ipv4", "udp_rmem_min"),
	NET("ipv4", "udp_wmem_min"),
	{ 0 },
};

static const struct pseudo_entry conf6_all[] = {
	CONF("ipv6", "all"), NET("ipv6/conf/all", "disable_ipv6"), { 0 },
};
static const struct pseudo_entry conf6_default[] = {
	CONF("ipv6", "default"), NET("ipv6/conf/default", "disable_ipv6"), { 0 },
};
static const struct pseudo_entry conf6_lo[] = {
	CONF("ipv6", "lo"), NET("ipv6/conf/lo", "disable_ipv6"), { 0 },
};
static const struct pseudo_entry conf6[] = {
	PSEUDO_DIR("all", .children = conf6_all),
	PSEUDO_DIR("default", .children = conf6_default),
	PSEUDO_DIR("lo", .children = conf6_lo),
	{ 0 },
};

static const struct pseudo_entry ipv6_entries[] = {
	NET("ipv6", "bindv6only"),
	PSEUDO_DIR("conf", .children = conf6),
	NET("ipv6", "ip_nonlocal_bind"),
	{ 0 },
};

/* The guest's own sockets. */
static const struct pseudo_entry unix_entries[] = {
	PSEUDO_TEXT("max_dgram_qlen", "512\n"),
	{ 0 },
};

const struct pseudo_entry sys_net_entries[] = {
	PSEUDO_DIR("core", .children = core_entries),
	PSEUDO_DIR("ipv4", .children = ipv4_entries),
	PSEUDO_DIR("ipv6", .children = ipv6_entries),
	PSEUDO_DIR("unix", .children = unix_entries),
	{ 0 },
};
