// SPDX-License-Identifier: Apache-2.0
/*
 * /sys/class/net: the container's interfaces. Their names are those of /proc/net/dev, the
 * index of an object is its line there; the rest is asked of rtnetlink.
 */
#include "sysfs.h"

#include "../proc/proc.h"
#include "link.h"

#define HEADER_LINES 2
#define IFACE_RUNNING 0x40 /* IFF_RUNNING, which the file does not show */

struct iface {
	char name[16];
};

static bool parse_line(const char *line, struct iface *i)
{
	const char *colon = strchr(line, ':');
	size_t len;

	while (*line == ' ')
		line++;
	len = colon ? (size_t)(colon - line) : 0;
	if (!len || len >= sizeof(i->name))
		return false;
	memset(i, 0, sizeof(*i));
	memcpy(i->name, line, len);
	return true;
}

/* Interface number n, or the one called `name` if that is not NULL. Its number, or -ENOENT. */
static int find(int n, const char *name, size_t len, struct iface *out)
{
	struct seq m = { 0 };
	int at = 0, found = -ENOENT;
	char *line;

	if (netfile_read(&m, "dev")) {
		seq_free(&m);
		return -ENOENT;
	}
	seq_putc(&m, '\0');
	line = m.failed ? NULL : m.buf;
	for (int skip = HEADER_LINES; line && skip; skip--) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	while (line && *line && parse_line(line, out)) {
		if (name ? strlen(out->name) == len && !strncmp(out->name, name, len) : at == n) {
			found = at;
			break;
		}
		at++;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	seq_free(&m);
	return found;
}

/* ---- attributes ---- */

static bool find_link(const struct pseudo_ctx *c, struct iface *i, struct link *l)
{
	return find(c->n, NULL, 0, i) >= 0 && link_read(i->name, l);
}

static int show_counter(struct seq *m, const struct pseudo_ctx *c)
{
	struct iface i;
	struct link l;

	if (!find_link(c, &i, &l))
		return -ENOENT;
	seq_printf(m, "%lu\n", l.stats[(u64)c->e->arg]);
	return 0;
}

static const char *operstate_name(u8 state)
{
	static const char *const names[] = { "unknown", "notpresent", "down", "lowerlayerdown",
					     "testing", "dormant", "up" };

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static void show_address(struct seq *m, const u8 *address, u32 len)
{
	for (u32 i = 0; i < len; i++)
		seq_printf(m, i ? ":%02x" : "%02x", address[i]);
	seq_putc(m, '\n');
}

enum attribute { ADDRESS, ADDRESS_LEN, BROADCAST, CARRIER, FLAGS, INDEX, LINK, MTU, OPERSTATE, QUEUE, TYPE, UEVENT };

static void show_value(struct seq *m, enum attribute which, const struct iface *i, const struct link *l)
{
	const u32 values[] = { [ADDRESS_LEN] = l->address_len, [CARRIER] = l->carrier, [INDEX] = l->index,
			       [LINK] = l->peer, [MTU] = l->mtu, [QUEUE] = l->queue, [TYPE] = l->type };

	if (which == ADDRESS || which == BROADCAST)
		show_address(m, which == ADDRESS ? l->address : l->broadcast, l->address_len);
	else if (which == OPERSTATE)
		seq_printf(m, "%s\n", operstate_name(l->operstate));
	else if (which == FLAGS)
		seq_printf(m, "0x%x\n", l->flags & 0xffff & ~(u32)IFACE_RUNNING);
	else if (which == UEVENT)
		seq_printf(m, "INTERFACE=%s\nIFINDEX=%u\n", i->name, l->index);
	else
		seq_printf(m, "%u\n", values[which]);
}

static int show_attribute(struct seq *m, const struct pseudo_ctx *c)
{
	struct iface i;
	struct link l;

	if (!find_link(c, &i, &l))
		return -ENOENT;
	show_value(m, (enum attribute)(u64)c->e->arg, &i, &l);
	return 0;
}

/* By their place in struct rtnl_link_stats64; sorted, as all entries are. */
#define COUNTER(name, place) PSEUDO_FILE(name, 0444, .show = show_counter, .arg = (void *)(place))
static const struct pseudo_entry statistics_entries[] = {
	COUNTER("collisions", 9UL),
	COUNTER("multicast", 8UL),
	COUNTER("rx_bytes", 2UL),
	COUNTER("rx_compressed", 21UL),
	COUNTER("rx_crc_errors", 12UL),
	COUNTER("rx_dropped", 6UL),
	COUNTER("rx_errors", 4UL),
	COUNTER("rx_fifo_errors", 14UL),
	COUNTER("rx_frame_errors", 13UL),
	COUNTER("rx_length_errors", 10UL),
	COUNTER("rx_missed_errors", 15UL),
	COUNTER("rx_nohandler", 23UL),
	COUNTER("rx_over_errors", 11UL),
	COUNTER("rx_packets", 0UL),
	COUNTER("tx_aborted_errors", 16UL),
	COUNTER("tx_bytes", 3UL),
	COUNTER("tx_carrier_errors", 17UL),
	COUNTER("tx_compressed", 22UL),
	COUNTER("tx_dropped", 7UL),
	COUNTER("tx_errors", 5UL),
	COUNTER("tx_fifo_errors", 18UL),
	COUNTER("tx_heartbeat_errors", 19UL),
	COUNTER("tx_packets", 1UL),
	COUNTER("tx_window_errors", 20UL),
	{ 0 },
};

#define ATTR(n, which) PSEUDO_FILE(n, 0444, .show = show_attribute, .arg = (void *)(u64)(which))
static const struct pseudo_entry iface_entries[] = {
	ATTR("addr_len", ADDRESS_LEN),
	ATTR("address", ADDRESS),
	ATTR("broadcast", BROADCAST),
	ATTR("carrier", CARRIER),
	ATTR("flags", FLAGS),
	ATTR("ifindex", INDEX),
	ATTR("iflink", LINK),
	ATTR("mtu", MTU),
	ATTR("operstate", OPERSTATE),
	PSEUDO_DIR("statistics", .children = statistics_entries),
	ATTR("tx_queue_len", QUEUE),
	ATTR("type", TYPE),
	ATTR("uevent", UEVENT),
	{ 0 },
};
static const struct pseudo_entry iface_entry = PSEUDO_DIR("iface", .children = iface_entries);

static int show_target(struct seq *m, const struct pseudo_ctx *c)
{
	struct iface i;

	if (find(c->n, NULL, 0, &i) < 0)
		return -ENOENT;
	seq_printf(m, "../../devices/virtual/net/%s", i.name);
	return 0;
}
static const struct pseudo_entry link_entry = PSEUDO_LINK("iface", .show = show_target);

/* ---- the two directories ---- */

static int lookup(const struct pseudo_entry *e, const char *name, size_t len, struct pseudo_ctx *child)
{
	struct iface i;
	int n = find(-1, name, len, &i);

	if (n < 0)
		return n;
	child->e = e;
	child->n = n;
	return 0;
}

static bool next(const struct pseudo_entry *e, const u64 *cookie, char *name, struct pseudo_ctx *child)
{
	struct iface i;

	if (find((int)*cookie, NULL, 0, &i) < 0)
		return false;
	strlcpy(name, i.name, sizeof(i.name));
	child->e = e;
	child->n = (int)*cookie;
	return true;
}

static int dev_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		      struct pseudo_ctx *child)
{
	return lookup(&iface_entry, name, len, child);
}

static bool dev_next(const struct pseudo_ctx *dir, u64 *cookie, char name[64], struct pseudo_ctx *child)
{
	return next(&iface_entry, cookie, name, child);
}

static int link_lookup(const struct pseudo_ctx *dir, const char *name, size_t len,
		       struct pseudo_ctx *child)
{
	return lookup(&link_entry, name, len, child);
}

static bool link_next(const struct pseudo_ctx *dir, u64 *cookie, char name[64], struct pseudo_ctx *child)
{
	return next(&link_entry, cookie, name, child);
}

const struct pseudo_dir sysfs_net_dir = { dev_lookup, dev_next };
const struct pseudo_dir sysfs_net_link_dir = { link_lookup, link_next };
