// SPDX-License-Identifier: Apache-2.0
/* Process groups and sessions: setpgid(2), setsid(2), credentials(7). */
#include "internal.h"
#include "pid_ns.h"
#include "syscall.h"

static struct list_head pgrps = LIST_HEAD_INIT(pgrps);

struct pgrp *find_pgrp(int id)
{
	struct pgrp *g;

	list_for_each(g, &pgrps, node)
		if (g->id == id)
			return g;
	return NULL;
}

bool session_exists(int id)
{
	struct pgrp *g;

	list_for_each(g, &pgrps, node)
		if (g->session->id == id)
			return true;
	return false;
}

void session_put(struct session *s)
{
	if (!ref_put(&s->ref))
		return;
	pid_numbers_put(s->numbers);
	kfree(s);
}

struct session *session_new(int id, struct process *leader)
{
	struct session *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->ref);
	s->id = id;
	s->numbers = pid_numbers_get(leader->numbers);
	s->leader = leader;
	return s;
}

/* References: one for each member, and one for whoever makes it. */
struct pgrp *pgrp_new(struct process *leader, struct session *s)
{
	struct pgrp *g = kzalloc(sizeof(*g));

	if (!g)
		return NULL;
	ref_init(&g->ref);
	g->id = leader->pid;
	g->numbers = pid_numbers_get(leader->numbers);
	g->session = s;
	ref_get(&s->ref);
	list_init(&g->members);
	list_add_tail(&g->node, &pgrps);
	return g;
}

void pgrp_put(struct pgrp *g)
{
	if (!ref_put(&g->ref))
		return;
	list_del(&g->node);
	session_put(g->session);
	pid_numbers_put(g->numbers);
	kfree(g);
}

void pgrp_leave(struct process *p)
{
	struct pgrp *g = p->pgrp;

	if (!g)
		return;
	list_del(&p->pgrp_node);
	p->pgrp = NULL;
	pgrp_put(g);
}

void pgrp_join(struct process *p, struct pgrp *g)
{
	ref_get(&g->ref);
	pgrp_leave(p);
	p->pgrp = g;
	p->session = g->session;
	list_add_tail(&p->pgrp_node, &g->members);
}

static void hangup_if_orphaned(struct pgrp *g, struct process *except)
{
	if (!g || !pgrp_orphaned(g, except) || !pgrp_has_stopped(g))
		return;
	send_signal_pgrp_locked(g->id, SIGHUP, NULL);
	send_signal_pgrp_locked(g->id, SIGCONT, NULL);
}

void orphan_check(struct process *p)
{
	struct process *c;

	if (p->parent && p->pgrp && p->parent->pgrp != p->pgrp && p->parent->session == p->session)
		hangup_if_orphaned(p->pgrp, p);
	list_for_each(c, &p->children, sibling)
		if (c->pgrp && c->pgrp != p->pgrp && c->session == p->session)
			hangup_if_orphaned(c->pgrp, p);
}

/* The process that setpgid(pid) means: the caller or a child of it that has not exec'ed. */
static struct process *setpgid_target(int pid, int *err)
{
	struct process *me = current->proc, *p = pid ? find_vprocess(pid) : me;

	*err = -ESRCH;
	if (!p || (p != me && p->parent != me) || p->state == TASK_ZOMBIE)
		return NULL;
	*err = -EPERM;
	if (p->session != me->session || p->session->leader == p)
		return NULL;
	*err = -EACCES;
	if (p != me && p->did_exec)
		return NULL;
	*err = 0;
	return p;
}

long sys_setpgid(u64 pid, u64 pgid)
{
	struct process *p;
	struct pgrp *g;
	int err, id = (int)pgid;

	if (id < 0)
		return -EINVAL;
	guard(&tasklist_lock);
	p = setpgid_target((int)pid, &err);
	if (!p)
		return err;
	id = id ? pid_global(id) : p->pid;
	g = id ? find_pgrp(id) : NULL;
	if (id != p->pid && (!g || g->session != p->session))
		return -EPERM;
	if (g)
		ref_get(&g->ref);
	else
		g = pgrp_new(p, p->session);
	if (!g)
		return -ENOMEM;
	if (g != p->pgrp)
		pgrp_join(p, g);
	pgrp_put(g);
	return 0;
}

static long id_of(u64 pid, bool session)
{
	struct process *p;

	guard(&tasklist_lock);
	p = (int)pid ? find_vprocess((int)pid) : current->proc;
	if (!p || !p->pgrp)
		return -ESRCH;
	return session ? session_nr(p->session, task_pid_ns(current)) : pgrp_nr(p->pgrp, task_pid_ns(current));
}

long sys_getpgid(u64 pid) { return id_of(pid, false); }
long sys_getpgrp(void) { return id_of(0, false); }
long sys_getsid(u64 pid) { return id_of(pid, true); }

long sys_setsid(void)
{
	struct process *p = current->proc;
	struct session *s;
	struct pgrp *g;

	guard(&tasklist_lock);
	if (find_pgrp(p->pid) || session_exists(p->pid))
		return -EPERM;
	s = session_new(p->pid, p);
	g = s ? pgrp_new(p, s) : NULL;
	if (s)
		session_put(s);
	if (!g)
		return -ENOMEM;
	pgrp_join(p, g);
	pgrp_put(g);
	p->tty = NULL;
	return p->vpid;
}
