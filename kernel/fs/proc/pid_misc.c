// SPDX-License-Identifier: Apache-2.0
/* The small files of /proc/PID. */
#include "cgroup.h"
#include "proc.h"
#include "user_map.h"

#include "ring.h"

/* ---- limits ---- */

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", "" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void show_limit(struct seq *m, u64 value)
{
	if (value == (u64)RLIM_INFINITY)
		seq_printf(m, "%-20s ", "unlimited");
	else
		seq_printf(m, "%-20lu ", value);
}

int pid_limits(struct seq *m, const struct pseudo_ctx *c)
{
	struct rlimit rlim[RLIM_NLIMITS];
	struct process *p;
	struct task *t;

	mutex_lock(&tasklist_lock);
	p = proc_find(c, &t);
	if (p)
		memcpy(rlim, p->rlim, sizeof(rlim));
	mutex_unlock(&tasklist_lock);
	if (!p)
		return -ESRCH;
	seq_printf(m, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(m, "%-25s ", limit_names[i].name);
		show_limit(m, rlim[i].rlim_cur);
		show_limit(m, rlim[i].rlim_max);
		if (limit_names[i].unit[0])
			seq_printf(m, "%-10s", limit_names[i].unit);
		seq_putc(m, '\n');
	}
	return 0;
}

int pid_cgroup(struct seq *m, const struct pseudo_ctx *c)
{
	struct process *p;
	struct task *t;

	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ESRCH;
	seq_puts(m, "0::");
	cgroup_path(m, p);
	seq_putc(m, '\n');
	return 0;
}

/* ---- fixed answers about a process that must exist ---- */

/* Not counted: the kernel would pay for it in each read and write. */
int pid_io(struct seq *m, const struct pseudo_ctx *c)
{
	seq_puts(m, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
		    "cancelled_write_bytes: 0\n");
	return proc_may_access(c);
}

int pid_wchan(struct seq *m, const struct pseudo_ctx *c)
{
	seq_putc(m, '0');
	return proc_find_gone(c);
}

/* With a reference, or ERR_PTR(-ESRCH). */
static struct user_ns *user_ns_of_ctx(const struct pseudo_ctx *c)
{
	struct task *t;

	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t || !t->cred)
		return ERR_PTR(-ESRCH);
	return user_ns_of(ns_get(&t->cred->user_ns->ns));
}

static int show_map(struct seq *m, const struct pseudo_ctx *c, bool group)
{
	struct user_ns *u = user_ns_of_ctx(c);

	if (IS_ERR(u))
		return (int)PTR_ERR(u);
	user_map_show(m, u, group);
	ns_put(&u->ns);
	return 0;
}

/* Who writes is no more than who opened: a set-user-ID program writes what it is told, to where it is told (CVE-2013-1959). */
static bool as_opened(const struct pseudo_ctx *c)
{
	const struct cred *now = current->cred;

	return c->by == now || (c->by->user_ns == now->user_ns && c->by->euid == now->euid &&
				!(now->cap_effective & ~c->by->cap_effective));
}

static s64 store_map(const struct pseudo_ctx *c, char *text, size_t len, bool group)
{
	struct user_ns *u;
	int err;

	if (len >= PAGE_SIZE)
		return -EINVAL;
	if (!as_opened(c))
		return -EPERM;
	u = user_ns_of_ctx(c);
	if (IS_ERR(u))
		return PTR_ERR(u);
	err = user_map_write(u, text, group);
	ns_put(&u->ns);
	return err ? err : (s64)len;
}

int pid_uid_map(struct seq *m, const struct pseudo_ctx *c)
{
	return show_map(m, c, false);
}

s64 pid_uid_map_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	return store_map(c, text, len, false);
}

int pid_gid_map(struct seq *m, const struct pseudo_ctx *c)
{
	return show_map(m, c, true);
}

s64 pid_gid_map_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	return store_map(c, text, len, true);
}

/* Projects have no mappings in any namespace but the host's first. */
int pid_projid_map(struct seq *m, const struct pseudo_ctx *c)
{
	if (!((const struct boot_info *)mc_boot_info())->nuid_map)
		seq_printf(m, "%10u %10u %10u\n", 0u, 0u, 4294967295u);
	return proc_find_gone(c);
}

int pid_setgroups(struct seq *m, const struct pseudo_ctx *c)
{
	struct user_ns *u = user_ns_of_ctx(c);

	if (IS_ERR(u))
		return (int)PTR_ERR(u);
	seq_puts(m, user_map_setgroups(u) ? "allow\n" : "deny\n");
	ns_put(&u->ns);
	return 0;
}

s64 pid_setgroups_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	struct user_ns *u;
	char *end = text + len;
	int err;

	while (end > text && (end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (strcmp(text, "allow") && strcmp(text, "deny"))
		return -EINVAL;
	u = user_ns_of_ctx(c);
	if (IS_ERR(u))
		return PTR_ERR(u);
	err = user_map_set_setgroups(u, *text == 'a');
	ns_put(&u->ns);
	return err ? err : (s64)len;
}

/* What a debugger would see of a running call; for a thread that runs, "running". */
int pid_syscall(struct seq *m, const struct pseudo_ctx *c)
{
	int err = proc_may_access(c);

	if (!err)
		seq_puts(m, "running\n");
	return err;
}

int pid_sched(struct seq *m, const struct pseudo_ctx *c)
{
	struct snap s;
	int err = snap_take(c, &s);

	if (err)
		return err;
	seq_printf(m, "%s (%d, #threads: %d)\n", s.comm, s.tid, s.nthreads);
	seq_puts(m, "-------------------------------------------------------------------\n");
	seq_printf(m, "%-45s:%21lu.%06lu\n", "se.sum_exec_runtime",
		   (u64)((s.utime + s.stime) / NSEC_PER_MSEC), (u64)((s.utime + s.stime) % NSEC_PER_MSEC));
	seq_printf(m, "%-45s:%21lu\n", "nr_voluntary_switches", s.switches);
	seq_printf(m, "%-45s:%21d\n", "policy", s.sched.policy);
	seq_printf(m, "%-45s:%21d\n", "prio", 120 + s.sched.nice);
	snap_drop(&s);
	return 0;
}

/* Time on a CPU, time waiting for one, turns: only the first is known. */
int pid_schedstat(struct seq *m, const struct pseudo_ctx *c)
{
	struct snap s;
	int err = snap_take(c, &s);

	if (err)
		return err;
	seq_printf(m, "%lu 0 %lu\n", s.utime + s.stime, s.switches);
	snap_drop(&s);
	return 0;
}

/* Links are between processes: all children are shown as the first thread's. */
int pid_children(struct seq *m, const struct pseudo_ctx *c)
{
	struct process *p, *child;
	struct task *t;

	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ESRCH;
	if (!c->tid || c->tid == p->pid)
		list_for_each(child, &p->children, sibling)
			seq_printf(m, "%d ", process_nr(child, proc_pids(c)));
	return 0;
}

/* ---- values of the process ---- */

enum value { V_COREDUMP, V_OOM_ADJ, V_PERSONALITY, V_SLACK };

static int get_value(const struct pseudo_ctx *c, enum value which, u64 *value)
{
	guard(&tasklist_lock);
	struct task *t;
	struct process *p = proc_find(c, &t);

	if (!p)
		return -ESRCH;
	if (which == V_COREDUMP)
		*value = p->coredump_filter;
	else if (which == V_OOM_ADJ)
		*value = (u64)(s64)p->oom_score_adj;
	else if (which == V_SLACK && p != current->proc && !capable(CAP_SYS_NICE))
		return -EPERM;
	else if (which == V_PERSONALITY)
		*value = p->personality;
	else
		*value = t ? t->timer_slack : 0;
	return 0;
}

int pid_oom_score_adj(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_OOM_ADJ, &value);

	if (!err)
		seq_printf(m, "%d\n", (int)value);
	return err;
}

/* The old scale, -17 to 15. */
int pid_oom_adj(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_OOM_ADJ, &value);

	if (!err)
		seq_printf(m, "%d\n", (int)value == 1000 ? 15 : (int)value * 17 / 1000);
	return err;
}

int pid_oom_score(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_OOM_ADJ, &value);

	if (!err)
		seq_printf(m, "%d\n", max((int)value * 2 / 3 + 666, 0));
	return err;
}

static bool parse_int(const char *text, int *value)
{
	bool minus = *text == '-';
	const char *end;
	u64 n;

	if (!parse_u64(text + minus, &end, 10, &n) || n > 0x7fffffff || (*end && *end != '\n'))
		return false;
	*value = minus ? -(int)n : (int)n;
	return true;
}

/* Kept and shown. Whom the host kills when memory is short is decided for the VM as a whole. */
s64 pid_oom_score_adj_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	struct process *p;
	struct task *t;
	int value;

	if (!parse_int(text, &value) || value < -1000 || value > 1000)
		return -EINVAL;
	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ESRCH;
	if (value < p->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	p->oom_score_adj = value;
	return (s64)len;
}

int pid_coredump_filter(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_COREDUMP, &value);

	if (!err)
		seq_printf(m, "%08x\n", (u32)value);
	return err;
}

#define COREDUMP_BITS 0x1ffu

s64 pid_coredump_filter_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	struct process *p;
	struct task *t;
	const char *end;
	u64 value;

	if (!parse_u64(text, &end, 0, &value) || (*end && *end != '\n'))
		return -EINVAL;
	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return -ESRCH;
	p->coredump_filter = (u32)value & COREDUMP_BITS;
	return (s64)len;
}

int pid_personality(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_PERSONALITY, &value);

	if (!err)
		seq_printf(m, "%08x\n", (u32)value);
	return err;
}

int pid_timerslack(struct seq *m, const struct pseudo_ctx *c)
{
	u64 value;
	int err = get_value(c, V_SLACK, &value);

	if (!err)
		seq_printf(m, "%lu\n", value ? value : 50000);
	return err;
}

s64 pid_timerslack_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	const char *end;
	struct task *t;
	u64 value;

	if (!parse_u64(text, &end, 10, &value))
		return -EINVAL;
	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t)
		return -ESRCH;
	if (t->proc != current->proc && !capable(CAP_SYS_NICE))
		return -EPERM;
	t->timer_slack = value ? value : 50000;
	return (s64)len;
}
