// SPDX-License-Identifier: Apache-2.0
/* pid namespaces: numbers by level, and the end of a namespace with its first process. */
#include "pid_ns.h"

#include "user_ns.h"

#define HASH_SIZE 256u

struct pid_ns init_pid_ns = { .ns = NS_INIT(NS_PID, 4026531836u) };

static struct list_head table[HASH_SIZE];

static struct list_head *bucket(const struct pid_ns *ns, int nr)
{
	struct list_head *b = &table[((u32)nr + ns->ns.inum * 31) % HASH_SIZE];

	if (!b->next)
		list_init(b);
	return b;
}

/* ---- namespaces ---- */

struct ns *pid_ns_new(struct ns *old, struct user_ns *user)
{
	struct pid_ns *parent = pid_ns_of(old), *ns;

	/* After unshare or setns the children are elsewhere: only they can go deeper. */
	if (parent != task_pid_ns(current))
		return ERR_PTR(-EINVAL);
	if (!user_ns_within(user, ns_owner(&parent->ns)))
		return ERR_PTR(-EINVAL);
	if (parent->level >= PID_NS_DEPTH)
		return ERR_PTR(-ENOSPC);
	ns = kzalloc(sizeof(*ns));
	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_PID, user);
	ns_get(&parent->ns);
	ns->parent = parent;
	ns->level = parent->level + 1;
	return &ns->ns;
}

void pid_ns_free(struct ns *ns)
{
	struct pid_ns *p = pid_ns_of(ns);

	ns_put(&p->parent->ns); /* PID_NS_DEPTH at most */
	kfree(p);
}

/* ---- numbers ---- */

static struct pid_level *find(const struct pid_ns *ns, int nr)
{
	struct pid_level *l;

	list_for_each(l, bucket(ns, nr), node)
		if (l->nr == nr && l->ns == ns)
			return l;
	return NULL;
}

static int choose(struct pid_ns *ns)
{
	int nr = ns->last;

	for (int i = 0; i < PID_MAX; i++) {
		if (++nr >= PID_MAX)
			nr = ns->last >= 300 ? 300 : 1;
		if (!find(ns, nr))
			return nr;
	}
	return -EAGAIN;
}

static int take(struct pid_numbers *n, struct pid_ns *ns, int wanted)
{
	struct pid_level *l = &n->at[ns->level - 1];
	int nr = wanted ? wanted : choose(ns);

	if (nr < 0)
		return nr;
	if (wanted && find(ns, wanted))
		return -EEXIST;
	l->nr = nr;
	l->ns = ns;
	l->of = n;
	list_add(&l->node, bucket(ns, nr));
	if (!wanted)
		ns->last = nr;
	ns->top = max(ns->top, nr);
	return 0;
}

static void drop_levels(struct pid_numbers *n)
{
	for (int i = 0; i < n->ns->level; i++)
		if (n->at[i].ns)
			list_del(&n->at[i].node);
}

struct pid_numbers *pid_numbers_new(struct pid_ns *ns, int global, const int *wanted, u32 nwanted)
{
	struct pid_numbers *n;
	u32 i = 0;
	int err;

	if (ns->ended)
		return ERR_PTR(-ENOMEM);
	n = kzalloc(sizeof(*n) + (size_t)ns->level * sizeof(n->at[0]));
	if (!n)
		return ERR_PTR(-ENOMEM);
	ref_init(&n->ref);
	n->global = global;
	n->ns = ns;
	for (struct pid_ns *at = ns; at->parent; at = at->parent, i++) {
		err = take(n, at, i < nwanted ? wanted[i] : 0);
		if (err) {
			drop_levels(n);
			kfree(n);
			return ERR_PTR(err);
		}
	}
	ns_get(&ns->ns);
	return n;
}

struct pid_numbers *pid_numbers_get(struct pid_numbers *n)
{
	if (n)
		ref_get(&n->ref);
	return n;
}

void pid_numbers_put(struct pid_numbers *n)
{
	if (!n || !ref_put(&n->ref))
		return;
	drop_levels(n);
	ns_put(&n->ns->ns);
	kfree(n);
}

int pid_number_in(const struct pid_numbers *n, int global, const struct pid_ns *ns)
{
	if (likely(!ns->level))
		return global;
	if (!n || n->ns->level < ns->level || n->at[ns->level - 1].ns != ns)
		return 0;
	return n->at[ns->level - 1].nr;
}

int task_nr(const struct task *t, const struct pid_ns *ns)
{
	return pid_number_in(t->numbers, t->tid, ns);
}

int process_nr(const struct process *p, const struct pid_ns *ns)
{
	return pid_number_in(p->numbers, p->pid, ns);
}

int pgrp_nr(const struct pgrp *g, const struct pid_ns *ns)
{
	return pid_number_in(g->numbers, g->id, ns);
}

int session_nr(const struct session *s, const struct pid_ns *ns)
{
	return pid_number_in(s->numbers, s->id, ns);
}

int pid_global_in(const struct pid_ns *ns, int nr)
{
	struct pid_level *l;

	if (likely(!ns->level))
		return nr;
	l = nr > 0 ? find(ns, nr) : NULL;
	return l ? l->of->global : 0;
}

int pid_next_in(const struct pid_ns *ns, int after)
{
	if (!ns->level)
		return next_pid(after);
	for (int nr = max(after, 0) + 1; nr <= ns->top; nr++)
		if (find_process(pid_global_in(ns, nr)))
			return nr;
	return 0;
}

/* ---- as current calls them ---- */

int pid_global(int nr)
{
	return likely(!current->numbers) ? nr : pid_global_in(current->numbers->ns, nr);
}

struct process *find_vprocess(int nr)
{
	return find_process(pid_global(nr));
}

struct task *find_vtask(int nr)
{
	return find_task(pid_global(nr));
}

struct pgrp *find_vpgrp(int nr)
{
	int id = pid_global(nr);

	return id ? find_pgrp(id) : NULL;
}

static int shown_locked(int global, const struct pid_ns *ns)
{
	struct task *t = find_task(global);
	struct process *p = t ? NULL : find_process(global);
	struct pgrp *g = t || p ? NULL : find_pgrp(global);

	if (t)
		return task_nr(t, ns);
	if (p)
		return process_nr(p, ns);
	return g ? pgrp_nr(g, ns) : 0;
}

int pid_shown_in(int global, const struct pid_ns *ns)
{
	if (likely(!ns->level) || global <= 0)
		return global;
	guard(&tasklist_lock);
	return shown_locked(global, ns);
}

int pid_shown(int global)
{
	return pid_shown_in(global, task_pid_ns(current));
}

int pid_unshown(int nr)
{
	if (likely(!current->numbers) || nr <= 0)
		return nr;
	guard(&tasklist_lock);
	return pid_global(nr);
}

struct process *process_vget(int nr)
{
	struct process *p;

	guard(&tasklist_lock);
	p = find_vprocess(nr);
	if (p)
		ref_get(&p->ref);
	return p;
}

/* ---- the first process of a namespace ---- */

struct process *pid_ns_reaper(struct pid_ns *ns, const struct process *leaving)
{
	for (; ns->parent; ns = ns->parent)
		if (ns->reaper && ns->reaper != leaving)
			return ns->reaper;
	return init_process;
}

struct ending {
	const struct pid_ns *ns;
	const struct process *first;
	bool kill;
	u32 alive;
};

static int end_one(struct process *p, void *arg)
{
	struct ending *e = arg;

	if (p == e->first || !process_nr(p, e->ns) || p->state == TASK_ZOMBIE)
		return 0;
	e->alive++;
	if (e->kill)
		send_signal_outside_locked(p, SIGKILL);
	return 0;
}

static u32 end_all(struct ending *e)
{
	defer_wakes();
	guard(&tasklist_lock);

	for_each_process(end_one, e);
	return e->alive;
}

/* The children of the first process: nobody waits for them any more. */
static void reap_children(struct process *p)
{
	struct process *c, *tmp;

	guard(&tasklist_lock);
	list_for_each_safe(c, tmp, &p->children, sibling)
		if (c->state == TASK_ZOMBIE)
			process_release(c);
}

void pid_ns_reboot(int sig)
{
	struct pid_ns *ns = task_pid_ns(current);

	if (!ns->parent)
		mc_poweroff(sig);
	defer_wakes();
	guard(&tasklist_lock);
	if (!ns->reaper)
		return;
	ns->reboot = sig;
	send_signal_outside_locked(ns->reaper, SIGKILL);
}

void pid_ns_last_exit(struct process *p)
{
	struct pid_ns *ns = p->numbers ? p->numbers->ns : NULL;
	struct ending e = { .ns = ns, .first = p, .kill = true };
	u64 pause = NSEC_PER_MSEC / 4;

	if (!ns || ns->reaper != p)
		return;
	mutex_lock(&tasklist_lock);
	ns->ended = true;
	mutex_unlock(&tasklist_lock);
	/* New ones cannot come, but a fork that was under way may: hence all, each time. */
	while (end_all(&e)) {
		e.alive = 0;
		mc_park_killable(mc_clock(1) + pause);
		pause = min(pause * 2, 20 * NSEC_PER_MSEC);
	}
	reap_children(p);
	mutex_lock(&tasklist_lock);
	if (ns->reboot)
		p->exit_code = ns->reboot;
	ns->reaper = NULL;
	mutex_unlock(&tasklist_lock);
}
