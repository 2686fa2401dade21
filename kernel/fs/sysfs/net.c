// SPDX-License-Identifier: Apache-2.0
/*
 * /sys/class/net: the container's interfaces. Names and statistics are those of /proc/net/dev; the
 * index of an object is its line there.
 */
#include "sysfs.h"

#include "../proc/proc.h"

#define HEADER_LINES 2
#define N_COUNTERS 16

struct iface {
	char name[16];
	u64 counters[N_COUNTERS]; /* the columns of the file */
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
	line = colon + 1;
	for (int n = 0; n < N_COUNTERS; n++) {
		while (*line == ' ')
			line++;
		if (!parse_u64(line, &line, 10, &i->counters[n]))
			break;
	}
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

static int show_counter(struct seq *m, const struct pseudo_ctx *c)
{
	struct iface i;

	if (find(c->n, NULL, 0, &i) < 0)
		return -ENOENT;
	seq_printf(m, "%lu\n", i.counters[(u64)c->e->arg]);
	return 0;
}

/* arg: the text for the loopback interface, a NUL, and that for others. */
static int show_kind(struct seq *m, const struct pseudo_ctx *c)
{
	const char *text = c->e->arg;
	struct iface i;

	if (find(c->n, NULL, 0, &i) < 0)
		return -ENOENT;
	seq_puts(m, strcmp(i.name, "lo") ? text + strlen(text) + 1 : text);
	return 0;
}

static int show_index(struct seq *m, const struct pseudo_ctx *c)
{
	seq_printf(m, "%d\n", c->n + 1);
	return 0;
}

#define COUNTER(name, column) PSEUDO_FILE(name, 0444, .show = show_counter, .arg = (void *)(column))
static const struct pseudo_entry statistics_entries[] = {
	COUNTER("rx_bytes", 0UL),
	COUNTER("rx_packets", 1UL),
	COUNTER("rx_errors", 2UL),
	COUNTER("rx_dropped", 3UL),
	COUNTER("rx_fifo_errors", 4UL),
	COUNTER("rx_frame_errors", 5UL),
	COUNTER("rx_compressed", 6UL),
	COUNTER("multicast", 7UL),
	COUNTER("tx_bytes", 8UL),
	COUNTER("tx_packets", 9UL),
	COUNTER("tx_errors", 10UL),
	COUNTER("tx_dropped", 11UL),
	COUNTER("tx_fifo_errors", 12UL),
	COUNTER("collisions", 13UL),
	COUNTER("tx_carrier_errors", 14UL),
	COUNTER("tx_compressed", 15UL),
	{ 0 },
};

#define KIND(n, lo, other) PSEUDO_FILE(n, 0444, .show = show_kind, .arg = lo "\0" other)
static const struct pseudo_entry iface_entries[] = {
	KIND("addr_len", "6\n", "6\n"),
	KIND("carrier", "1\n", "1\n"),
	KIND("dormant", "0\n", "0\n"),
	PSEUDO_FILE("ifindex", 0444, .show = show_index),
	PSEUDO_FILE("iflink", 0444, .show = show_index),
	KIND("operstate", "unknown\n", "up\n"),
	PSEUDO_DIR("statistics", .children = statistics_entries),
	KIND("type", "772\n", "1\n"),
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
