// SPDX-License-Identifier: Apache-2.0
/* What cgroups made inside use of memory, CPU time and processes, and the files that a guest-made cgroup has. */
#include "../sysfs/sysfs.h"
#include "impl.h"
#include "ring.h"

#define NS_USEC 1000

/* ---- sums ---- */

struct use {
	u64 resident, shared;
	u64 user, sys;
};

static int add_memory(struct process *p, void *arg)
{
	struct pv_proc_stat st = { 0 };
	struct use *sum = arg;

	if (p->leader && !mc_usage(p->leader, &st)) {
		sum->resident += st.resident;
		sum->shared += min(st.shared, st.resident);
	}
	return 0;
}

/* Pages that several processes have count for each of them. */
static struct use memory_of(const struct pseudo_ctx *ctx)
{
	struct use sum = { 0 };

	guard(&tasklist_lock);
	cgroup_for_each(ctx->cg, add_memory, &sum);
	return sum;
}

int cg_memory_current(struct seq *m, const struct pseudo_ctx *ctx)
{
	seq_printf(m, "%llu\n", (unsigned long long)memory_of(ctx).resident);
	return 0;
}

int cg_memory_stat(struct seq *m, const struct pseudo_ctx *ctx)
{
	struct use u = memory_of(ctx);

	seq_printf(m, "anon %llu\nfile %llu\n", (unsigned long long)(u.resident - u.shared), (unsigned long long)u.shared);
	return 0;
}

static int add_cpu(struct process *p, void *arg)
{
	u64 user = 0, sys = 0;
	struct use *sum = arg;

	if (p->leader) /* else it is a zombie, and among those that have ended */
		mc_cpu_time(p->leader, true, &user, &sys);
	sum->user += user;
	sum->sys += sys;
	return 0;
}

/* Of those that have ended, in c and below. */
static void add_ended(const struct cgroup *c, struct use *sum)
{
	const struct cgroup *top = c;

	for (;;) {
		sum->user += c->utime;
		sum->sys += c->stime;
		if (!list_empty(&c->children)) {
			c = list_first(&c->children, struct cgroup, sibling);
			continue;
		}
		while (c != top && c->sibling.next == &c->parent->children)
			c = c->parent;
		if (c == top)
			return;
		c = list_entry(c->sibling.next, struct cgroup, sibling);
	}
}

int cg_cpu_stat(struct seq *m, const struct pseudo_ctx *ctx)
{
	struct use u = { 0 };

	guard(&tasklist_lock);
	cgroup_for_each(ctx->cg, add_cpu, &u);
	add_ended(ctx->cg, &u);
	seq_printf(m, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n",
		   (unsigned long long)((u.user + u.sys) / NS_USEC), (unsigned long long)(u.user / NS_USEC),
		   (unsigned long long)(u.sys / NS_USEC));
	return 0;
}

int cg_cpu_weight(struct seq *m, const struct pseudo_ctx *ctx)
{
	seq_printf(m, "%u\n", READ_ONCE(ctx->cg->weight));
	return 0;
}

/* Kept and reported: the host schedules. */
s64 cg_cpu_weight_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	const char *end;
	u64 n;

	if (!parse_u64(text, &end, 0, &n) || (*end && strcmp(end, "\n")))
		return -EINVAL;
	if (n < 1 || n > 10000)
		return -ERANGE;
	WRITE_ONCE(ctx->cg->weight, (u32)n);
	return (s64)len;
}

int cg_pids_current(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	seq_printf(m, "%u\n", cgroup_tasks(ctx->cg));
	return 0;
}

int cg_pids_events(struct seq *m, const struct pseudo_ctx *ctx)
{
	seq_printf(m, "max %llu\n", (unsigned long long)READ_ONCE(ctx->cg->pids_refused));
	return 0;
}

/* ---- the files ---- */

#define FILE(controller, n, mode, ...) { PSEUDO_FILE(n, mode, __VA_ARGS__), controller }
#define TEXT(controller, n, text) { PSEUDO_TEXT(n, text), controller }
#define LIMIT(controller, n, text, how) \
	{ PSEUDO_FILE(n, 0644, .show = pseudo_show_text, .arg = (text), .store = how), controller }

/* cgroup.procs is the first one: control.c asks for it. */
const struct cgroup_entry cgroup_entries[] = {
	FILE(0, "cgroup.procs", 0644, .show = cg_procs, .store = cg_procs_store),
	FILE(0, "cgroup.controllers", 0444, .show = cg_controllers),
	FILE(0, "cgroup.events", 0444, .show = cg_events, .poll = cg_events_poll),
	FILE(0, "cgroup.freeze", 0644, .show = cg_freeze, .store = cg_freeze_store),
	FILE(0, "cgroup.kill", 0200, .store = cg_kill),
	FILE(0, "cgroup.max.depth", 0644, .show = cg_max_depth, .store = cg_max_depth_store),
	FILE(0, "cgroup.max.descendants", 0644, .show = cg_max_descendants, .store = cg_max_descendants_store),
	FILE(0, "cgroup.stat", 0444, .show = cg_stat),
	FILE(0, "cgroup.subtree_control", 0644, .show = cg_subtree, .store = cg_subtree_store),
	FILE(0, "cgroup.threads", 0644, .show = cg_threads, .store = cg_threads_store),
	LIMIT(0, "cgroup.type", "domain\n", cg_type_store),
	FILE(0, "cpu.stat", 0444, .show = cg_cpu_stat),
	LIMIT(CG_CPU, "cpu.max", "max 100000\n", cg_no_cpu_max_store),
	FILE(CG_CPU, "cpu.weight", 0644, .show = cg_cpu_weight, .store = cg_cpu_weight_store),
	FILE(CG_MEMORY, "memory.current", 0444, .show = cg_memory_current),
	TEXT(CG_MEMORY, "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"),
	LIMIT(CG_MEMORY, "memory.high", "max\n", cg_no_limit_store),
	LIMIT(CG_MEMORY, "memory.low", "0\n", cg_zero_store),
	LIMIT(CG_MEMORY, "memory.max", "max\n", cg_no_limit_store),
	LIMIT(CG_MEMORY, "memory.min", "0\n", cg_zero_store),
	LIMIT(CG_MEMORY, "memory.oom.group", "0\n", cg_zero_store),
	FILE(CG_MEMORY, "memory.stat", 0444, .show = cg_memory_stat),
	TEXT(CG_MEMORY, "memory.swap.current", "0\n"),
	LIMIT(CG_MEMORY, "memory.swap.max", "max\n", cg_no_limit_store),
	FILE(CG_PIDS, "pids.current", 0444, .show = cg_pids_current),
	FILE(CG_PIDS, "pids.events", 0444, .show = cg_pids_events),
	FILE(CG_PIDS, "pids.max", 0644, .show = cg_pids_max, .store = cg_pids_max_store),
	{ { 0 }, 0 },
};
