/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest may read of the host's /proc: network files, net.* values, and the machine's
 * memory and load.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/control.h"
#include "call/server_impl.h"
#include "lib/cleanup.h"

int name_in_buffer_decode(struct call *c)
{
	if (c->req.u.ctl.len > PV_PATH_MAX)
		return violation(c, "len", "name too long");
	return fetch_string(c, "name", 0, c->req.u.ctl.len, c->path[0]);
}

static int open_beneath(int dirfd, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int info_procfd(const struct pv_server_config *cfg)
{
	return cfg->infofd > 0 ? cfg->infofd : cfg->procfd;
}

/* A regular file below a directory of a procfs, from an offset to the shared buffer. */
static int read_file(struct call *c, int procfd, const char *dir, const char *name, off_t off)
{
	int dirfd = openat(procfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;
	int fd;

	if (dirfd < 0)
		return -errno;
	fd = open_beneath(dirfd, name);
	close(dirfd);
	if (fd < 0)
		return fd;
	n = pread(fd, c->buf, RING_BUF_SIZE, off);
	n = n < 0 ? -errno : n;
	close(fd);
	return (int)n;
}

static bool is_net_file(const char *name)
{
	static const char *const names[] = {
		"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6",
		"raw", "raw6", "icmp", "icmp6", "dev", "dev_mcast",
		"route", "ipv6_route", "if_inet6", "snmp", "snmp6", "netstat",
		"sockstat", "sockstat6", "arp", "igmp", "igmp6", "wireless",
		"fib_trie", "softnet_stat", "protocols", "fib_triestat", "rt6_stats", "ptype",
		"packet", "mcfilter", "mcfilter6", "anycast6",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

int netfile_read(struct call *c)
{
	if (!is_net_file(c->path[0]))
		return -ENOENT;
	/* The thread's network namespace is the container's. */
	return read_file(c, c->srv->cfg.procfd, "thread-self/net", c->path[0],
			 (off_t)c->req.u.ctl.arg);
}

int sysctl_decode(struct call *c)
{
	u32 len = c->req.u.ctl.len;

	if (len > PV_PATH_MAX)
		return violation(c, "len", "name too long");
	fetch(c->path[0], c->buf, len);
	c->path[0][len] = '\0';
	/* A NUL is followed by a value to write. */
	return strlen(c->path[0]) < len ? -EPERM : 0;
}

/* "net.ipv4.ip_forward" or "net/ipv4/ip_forward"; these belong to the network namespace. */
int sysctl_read(struct call *c)
{
	char *name = c->path[0];

	if (strncmp(name, "net", 3) || (name[3] != '.' && name[3] != '/'))
		return -ENOENT;
	for (char *p = name; name[3] == '.' && *p; p++) {
		/* As sysctl(8) has it: where dots separate, a slash stands for a dot in a name. */
		if (p > name + 3 && *p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return read_file(c, info_procfd(&c->srv->cfg), "sys/net", name + 4, 0);
}

static ssize_t slurp(int dirfd, const char *name, char *to, size_t room)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	to[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, to, room - 1);
	close(fd);
	if (n >= 0)
		to[n] = '\0';
	return n;
}

static u64 number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

static void memory_of_host(int procfd, struct pv_host_stat *s)
{
	char text[4096];

	slurp(procfd, "meminfo", text, sizeof(text));
	s->mem_total = number_after(text, "MemTotal:") << 10;
	s->mem_free = number_after(text, "MemFree:") << 10;
	s->mem_available = number_after(text, "MemAvailable:") << 10;
	s->swap_total = number_after(text, "SwapTotal:") << 10;
	s->swap_free = number_after(text, "SwapFree:") << 10;
}

/* cgroup version 2, or 1 */
static u64 memory_charged(int cgroupfd)
{
	char text[32];

	if (cgroupfd < 0)
		return 0;
	if (slurp(cgroupfd, "memory.current", text, sizeof(text)) <= 0 &&
	    slurp(cgroupfd, "memory.usage_in_bytes", text, sizeof(text)) <= 0)
		return 0;
	return strtoull(text, NULL, 10);
}

#define STAT_MAX 32768

int host_stat(struct call *c)
{
	cleanup_free char *text = malloc(STAT_MAX);
	const struct pv_server_config *cfg = &c->srv->cfg;
	struct pv_host_stat s = { 0 };
	double load[3] = { 0 };

	if (!text)
		return -ENOMEM;
	memory_of_host(info_procfd(cfg), &s);
	slurp(info_procfd(cfg), "loadavg", text, STAT_MAX);
	if (sscanf(text, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3) {
		for (int i = 0; i < 3; i++)
			s.load[i] = (u64)(load[i] * 65536.0);
	}
	slurp(info_procfd(cfg), "stat", text, STAT_MAX);
	s.boot_time = number_after(text, "btime ");
	s.cgroup_mem_current = memory_charged(cfg->cgroup[PV_DIR_MEMORY]);
	memcpy(c->buf, &s, sizeof(s));
	return 0;
}
