// SPDX-License-Identifier: Apache-2.0
/* /proc/sys but for kernel/ and net/: values that software asks for. Few of them steer anything here. */
#include "sysctl.h"

#include "ipc_limits.h"
#include "leases.h"
#include "ns.h"

int sysctl_show_ints(struct seq *m, const struct pseudo_ctx *c)
{
	const struct sysctl_ints *s = c->e->arg;

	for (u32 i = 0; i < s->n; i++)
		seq_printf(m, i ? "\t%ld" : "%ld", READ_ONCE(s->v[i]));
	seq_putc(m, '\n');
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static const char *skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static bool parse_s64(const char *p, const char **end, s64 *value)
{
	bool minus = *p == '-';
	u64 n;

	if (!parse_u64(p + minus, end, 10, &n) || (s64)n < 0 || (**end && !is_blank(**end)))
		return false;
	*value = minus ? -(s64)n : (s64)n;
	return true;
}

/* As proc_dointvec(): of several, those that are left out stay; none is set unless all of them can be. */
s64 sysctl_store_ints(const struct pseudo_ctx *c, char *text, size_t len)
{
	const struct sysctl_ints *s = c->e->arg;
	const char *p = skip_blanks(text);
	s64 value[SYSCTL_MAX_INTS];
	u32 n = 0;

	for (; n < s->n && *p; n++) {
		if (!parse_s64(p, &p, &value[n]) || value[n] < s->low || value[n] > s->high)
			return -EINVAL;
		p = skip_blanks(p);
	}
	if (!n)
		return -EINVAL;
	for (u32 i = 0; i < n; i++)
		WRITE_ONCE(s->v[i], value[i]);
	if (s->changed)
		s->changed();
	return (s64)len;
}

int sysctl_show_ulong(struct seq *m, const struct pseudo_ctx *c)
{
	seq_printf(m, "%lu\n", READ_ONCE(*(const u64 *)c->e->arg));
	return 0;
}

s64 sysctl_store_ulong(const struct pseudo_ctx *c, char *text, size_t len)
{
	const char *end;
	u64 n;

	if (!parse_u64(skip_blanks(text), &end, 10, &n) || (*end && !is_blank(*end)))
		return -EINVAL;
	WRITE_ONCE(*(u64 *)(u64)c->e->arg, n);
	return (s64)len;
}

const struct pseudo_entry sys_vm_entries[] = {
	PSEUDO_TEXT("admin_reserve_kbytes", "8192\n"),
	SYSCTL_ANY("dirty_background_bytes", 0),
	SYSCTL_INT("dirty_background_ratio", 10, 0, 100),
	SYSCTL_ANY("dirty_bytes", 0),
	SYSCTL_ANY("dirty_expire_centisecs", 3000),
	SYSCTL_INT("dirty_ratio", 20, 0, 100),
	SYSCTL_ANY("dirty_writeback_centisecs", 500),
	SYSCTL_INT("drop_caches", 0, 0, 4),
	PSEUDO_TEXT("hugetlb_shm_group", "0\n"),
	PSEUDO_TEXT("legacy_va_layout", "0\n"),
	PSEUDO_TEXT("max_map_count", "65530\n"),
	PSEUDO_TEXT("min_free_kbytes", "67584\n"),
	PSEUDO_TEXT("mmap_min_addr", "65536\n"),
	PSEUDO_TEXT("mmap_rnd_bits", "28\n"),
	PSEUDO_TEXT("nr_hugepages", "0\n"),
	PSEUDO_TEXT("nr_overcommit_hugepages", "0\n"),
	SYSCTL_BOOL("oom_kill_allocating_task", 0),
	SYSCTL_ANY("overcommit_kbytes", 0),
	SYSCTL_INT("overcommit_memory", 0, 0, 2),
	SYSCTL_ANY("overcommit_ratio", 50),
	PSEUDO_TEXT("page-cluster", "3\n"),
	SYSCTL_INT("panic_on_oom", 0, 0, 2),
	SYSCTL_INT("swappiness", 60, 0, 200),
	PSEUDO_TEXT("unprivileged_userfaultfd", "0\n"),
	PSEUDO_TEXT("user_reserve_kbytes", "131072\n"),
	SYSCTL_ANY("vfs_cache_pressure", 100),
	PSEUDO_TEXT("zone_reclaim_mode", "0\n"),
	{ 0 },
};

static const struct pseudo_entry inotify_entries[] = {
	SYSCTL_ANY("max_queued_events", 16384),
	SYSCTL_ANY("max_user_instances", 128),
	SYSCTL_ANY("max_user_watches", 65536),
	{ 0 },
};

static const struct pseudo_entry epoll_entries[] = {
	SYSCTL_ANY("max_user_watches", 3300000),
	{ 0 },
};

static const struct pseudo_entry mqueue_entries[] = {
	SYSCTL_INTS("msg_default", &ipc_limits.mq_count_default, 1, 1, MQ_COUNT_HARD, NULL),
	SYSCTL_INTS("msg_max", &ipc_limits.mq_count_max, 1, 1, MQ_COUNT_HARD, NULL),
	SYSCTL_INTS("msgsize_default", &ipc_limits.mq_size_default, 1, 128, MQ_SIZE_HARD, NULL),
	SYSCTL_INTS("msgsize_max", &ipc_limits.mq_size_max, 1, 128, MQ_SIZE_HARD, NULL),
	SYSCTL_INTS("queues_max", &ipc_limits.mq_queues_max, 1, 0, 0x7fffffff, NULL),
	{ 0 },
};

const struct pseudo_entry sys_fs_entries[] = {
	SYSCTL_ANY("aio-max-nr", 65536),
	PSEUDO_TEXT("aio-nr", "0\n"),
	PSEUDO_DIR("binfmt_misc"),
	PSEUDO_TEXT("dentry-state", "0\t0\t45\t0\t0\t0\n"),
	PSEUDO_TEXT("dir-notify-enable", "1\n"),
	PSEUDO_DIR("epoll", .children = epoll_entries),
	PSEUDO_TEXT("file-max", "9223372036854775807\n"),
	PSEUDO_TEXT("file-nr", "1024\t0\t9223372036854775807\n"),
	PSEUDO_TEXT("inode-nr", "1024\t0\n"),
	PSEUDO_TEXT("inode-state", "1024\t0\t0\t0\t0\t0\t0\n"),
	PSEUDO_DIR("inotify", .children = inotify_entries),
	SYSCTL_INTS("lease-break-time", &lease_break_time, 1, 0, 0x7fffffff, NULL),
	PSEUDO_TEXT("leases-enable", "1\n"),
	PSEUDO_TEXT("mount-max", "100000\n"),
	PSEUDO_DIR("mqueue", .children = mqueue_entries),
	PSEUDO_TEXT("nr_open", "1048576\n"),
	PSEUDO_TEXT("overflowgid", "65534\n"),
	PSEUDO_TEXT("overflowuid", "65534\n"),
	SYSCTL_ANY("pipe-max-size", 1048576),
	PSEUDO_TEXT("pipe-user-pages-hard", "0\n"),
	PSEUDO_TEXT("pipe-user-pages-soft", "16384\n"),
	PSEUDO_TEXT("protected_fifos", "0\n"),
	PSEUDO_TEXT("protected_hardlinks", "1\n"),
	PSEUDO_TEXT("protected_regular", "0\n"),
	PSEUDO_TEXT("protected_symlinks", "1\n"),
	PSEUDO_TEXT("suid_dumpable", "0\n"),
	{ 0 },
};

#define MAX_NS(n, kind) SYSCTL_INTS("max_" n "_namespaces", &ns_limits[kind], 1, 0, 0x7fffffff, NULL)
static const struct pseudo_entry user_entries[] = {
	MAX_NS("cgroup", NS_CGROUP), MAX_NS("ipc", NS_IPC), MAX_NS("mnt", NS_MNT), MAX_NS("net", NS_NET),
	MAX_NS("pid", NS_PID), MAX_NS("time", NS_TIME), MAX_NS("user", NS_USER),
	MAX_NS("uts", NS_UTS), { 0 },
};

const struct pseudo_entry sys_entries[] = {
	PSEUDO_DIR("abi"),
	PSEUDO_DIR("debug"),
	PSEUDO_DIR("dev"),
	PSEUDO_DIR("fs", .children = sys_fs_entries),
	PSEUDO_DIR("kernel", .children = sys_kernel_entries),
	PSEUDO_DIR("net", .children = sys_net_entries),
	PSEUDO_DIR("user", .children = user_entries),
	PSEUDO_DIR("vm", .children = sys_vm_entries),
	{ 0 },
};

/* ---- linux.sysctl ---- */

static const struct pseudo_entry *member(const struct pseudo_entry *e, const char *name, size_t len)
{
	for (; e && e->name; e++)
		if (strlen(e->name) == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

/* A dot separates, or a slash if there is one: then a dot is part of a name. sysctl(8) */
static const struct pseudo_entry *find_key(const char *key)
{
	char by = strchr(key, '/') ? '/' : '.';
	const struct pseudo_entry *dir = sys_entries, *e;

	for (;;) {
		const char *end = strchr(key, by);
		size_t len = end ? (size_t)(end - key) : strlen(key);

		e = member(dir, key, len);
		if (!e || !end)
			return e;
		dir = e->children;
		key = end + 1;
	}
}

int sysctl_set(const char *key, const char *value)
{
	struct pseudo_ctx c = { .e = find_key(key) };
	char *text __kfree = kstrdup(value);
	s64 ret;

	if (!text)
		return -ENOMEM;
	if (!c.e)
		return -ENOENT;
	if (!c.e->store)
		return -EACCES;
	ret = c.e->store(&c, text, strlen(text));
	return ret < 0 ? (int)ret : 0;
}
