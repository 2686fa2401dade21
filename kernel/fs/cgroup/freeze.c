// SPDX-License-Identifier: Apache-2.0
/*
 * cgroup.freeze. A task whose cgroup, or one above that, is to be frozen gets WORK_FREEZE: a call that waits is interrupted, as
 * by a signal without a handler, and on its way to user mode the task parks here until that has changed or it is killed.
 */
#include "impl.h"

static bool is_freezing(const struct cgroup *c)
{
	while (c && !c->freeze)
		c = c->parent;
	return c;
}

static bool freezing(const struct process *p)
{
	return is_freezing(p->cgroup);
}

/* Nonzero: one of its threads may still run. Who has stopped, or waits for a vfork child, does not. */
static int runs(struct process *p, void *arg)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (!t->frozen && t->state == TASK_RUNNING && !t->waits_vfork)
			return 1;
	return 0;
}

bool cgroup_is_frozen(struct cgroup *c)
{
	return is_freezing(c) && !cgroup_for_each(c, runs, NULL);
}

static void look(struct cgroup *c)
{
	bool now = cgroup_is_frozen(c);

	if (now == c->frozen)
		return;
	c->frozen = now;
	cgroup_changed(c);
}

void cgroup_look_frozen(struct cgroup *c)
{
	if (likely(!is_freezing(c)) && !c->frozen)
		return;
	for (; c->parent; c = c->parent)
		look(c);
}

/* ---- tasks ---- */

static bool stays(struct task *t)
{
	bool stay;

	guard(&tasklist_lock);
	stay = freezing(t->proc) && !(READ_ONCE(t->mc.work) & WORK_EXIT);
	if (!stay)
		__atomic_fetch_and(&t->mc.work, ~WORK_FREEZE, __ATOMIC_SEQ_CST);
	if (stay != t->frozen) {
		t->frozen = stay;
		if (t->proc->cgroup)
			cgroup_look_frozen(t->proc->cgroup);
	}
	return stay;
}

/* Signals, stops and tracers find it when it goes on; only its end is not put off. */
void cgroup_freeze_wait(void)
{
	while (stays(current)) {
		cgroup_tell();
		mc_park_killable(MC_FOREVER);
	}
}

void cgroup_freeze_task(struct task *t)
{
	if (freezing(t->proc))
		__atomic_fetch_or(&t->mc.work, WORK_FREEZE, __ATOMIC_SEQ_CST);
}

int cgroup_freeze_process(struct process *p, void *arg)
{
	bool freeze = freezing(p);
	struct task *t;

	list_for_each(t, &p->threads, thread_node) {
		cgroup_freeze_task(t);
		if (!freeze && t->frozen)
			wake_task(t);
		else if (freeze && t != current)
			kick_task(t);
	}
	return 0;
}

/* ---- the file ---- */

int cg_freeze(struct seq *m, const struct pseudo_ctx *ctx)
{
	seq_puts(m, READ_ONCE(ctx->cg->freeze) ? "1\n" : "0\n");
	return 0;
}

static int parse(char *text, bool *freeze)
{
	const char *end;
	u64 n;

	text = cg_strip(text);
	if (!parse_u64(text, &end, 0, &n) || *end)
		return -EINVAL;
	*freeze = n;
	return n > 1 ? -ERANGE : 0;
}

static int set(struct cgroup *top, bool freeze)
{
	struct cgroup *c = top;

	defer_wakes();
	guard(&tasklist_lock);
	if (top->dead)
		return -ENODEV;
	top->freeze = freeze;
	cgroup_for_each(top, cgroup_freeze_process, NULL);
	/* Those below without processes are frozen now, or no more. */
	while ((c = cgroup_next(top, c)))
		look(c);
	cgroup_look_frozen(top);
	return 0;
}

s64 cg_freeze_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	bool freeze;
	int r = parse(text, &freeze);

	if (!r)
		r = set(ctx->cg, freeze);
	cgroup_tell();
	return r ? r : (s64)len;
}

/* The container's own is its engine's to freeze. */
s64 cg_top_freeze_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	bool freeze;
	int r = parse(text, &freeze);

	if (r)
		return r;
	return freeze ? -EOPNOTSUPP : (s64)len;
}
