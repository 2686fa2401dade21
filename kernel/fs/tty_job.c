/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Job control of pseudo-terminals: sessions, the foreground group, hangup. The terminal of a session
 * is session->tty (with a reference), under tasklist_lock; process.tty repeats it for /proc.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/capability.h>

#include "cred.h"
#include "pid_ns.h"
#include "pty.h"
#include "task.h"

void tty_signal(struct tty *tty, int sig)
{
	int pgrp = tty->pgrp;

	if (!pgrp)
		return;
	guard(&tasklist_lock);
	send_signal_pgrp_locked(pgrp, sig, NULL);
}

/* ---- who owns the terminal; tasklist_lock held ---- */

struct retty {
	struct session *session;
	struct tty *tty;
};

static int set_one(struct process *p, void *arg)
{
	struct retty *r = arg;

	if (p->session == r->session)
		p->tty = r->tty;
	return 0;
}

static void set_session_tty(struct session *s, struct tty *tty)
{
	struct retty r = {s, tty};

	s->tty = tty;
	for_each_process(set_one, &r);
}

/* Gives the session's reference up. */
static void detach_locked(struct tty *tty)
{
	struct session *s = tty->session;

	if (!s)
		return;
	tty->session = NULL;
	tty->pgrp = 0;
	set_session_tty(s, NULL);
	tty_put(tty);
}

static int attach_locked(struct tty *tty, bool steal)
{
	struct process *p = current->proc;
	struct session *s = p->session;

	if (!s || s->leader != p)
		return -EPERM;
	if (s->tty == tty)
		return 0;
	if (s->tty)
		return -EPERM;
	if (tty->session && !(steal && capable(CAP_SYS_ADMIN)))
		return -EPERM;
	detach_locked(tty);
	tty->session = s;
	tty->pgrp = p->pgrp ? p->pgrp->id : 0;
	set_session_tty(s, tty_get(tty));
	return 0;
}

void tty_open_controls(struct tty *tty)
{
	guard(&tasklist_lock);
	if (!tty->session)
		attach_locked(tty, false);
}

static struct tty *own_tty(void)
{
	return current->proc->session ? current->proc->session->tty : NULL;
}

/* The session's leader exits: the foreground group learns that its terminal is gone. */
void tty_leader_exit(struct process *leader)
{
	struct tty *tty = leader->session ? leader->session->tty : NULL;

	if (!tty || leader->session->leader != leader)
		return;
	if (tty->pgrp) {
		send_signal_pgrp_locked(tty->pgrp, SIGHUP, NULL);
		send_signal_pgrp_locked(tty->pgrp, SIGCONT, NULL);
	}
	detach_locked(tty);
}

void tty_hangup(struct tty *tty)
{
	struct session *s;

	guard(&tasklist_lock);
	s = tty->session;
	if (s && s->leader) {
		send_signal_process_locked(s->leader, SIGHUP, NULL);
		send_signal_process_locked(s->leader, SIGCONT, NULL);
	}
	if (s && tty->pgrp)
		send_signal_pgrp_locked(tty->pgrp, SIGHUP, NULL);
	detach_locked(tty);
}

long tty_check_background(struct tty *tty, int sig)
{
	struct process *p = current->proc;

	guard(&tasklist_lock);
	if (own_tty() != tty || !p->pgrp || !tty->pgrp || p->pgrp->id == tty->pgrp)
		return 0;
	if (signal_ignored_or_blocked(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_orphaned(p->pgrp, NULL))
		return -EIO;
	send_signal_pgrp_locked(p->pgrp->id, sig, NULL);
	return -ERESTARTSYS;
}

long tty_check_io(struct tty *tty, bool write)
{
	if (write && !(tty->t.c_lflag & TOSTOP))
		return 0;
	return tty_check_background(tty, write ? SIGTTOU : SIGTTIN);
}

/* ---- ioctls ---- */

static s64 put_int(uaddr_t to, int v)
{
	return mc_copy_to_user(to, &v, sizeof(v)) ? -EFAULT : 0;
}

static s64 set_foreground(struct tty *tty, uaddr_t arg)
{
	struct pgrp *g;
	int id;
	long r;

	if (mc_copy_from_user(&id, arg, sizeof(id)))
		return -EFAULT;
	r = tty_check_background(tty, SIGTTOU);
	if (r)
		return r;
	guard(&tasklist_lock);
	if (own_tty() != tty)
		return -ENOTTY;
	if (id < 0)
		return -EINVAL;
	g = find_vpgrp(id);
	if (!g)
		return -ESRCH;
	if (g->session != current->proc->session)
		return -EPERM;
	tty->pgrp = g->id;
	return 0;
}

bool tty_is_job_ioctl(u32 cmd)
{
	return cmd == TIOCSCTTY || cmd == TIOCNOTTY || cmd == TIOCGPGRP || cmd == TIOCSPGRP || cmd == TIOCGSID;
}

s64 tty_job_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
	int id;

	switch (cmd) {
	case TIOCSCTTY: {
		guard(&tasklist_lock);
		return attach_locked(tty, arg == 1);
	}
	case TIOCNOTTY: {
		guard(&tasklist_lock);
		if (own_tty() != tty)
			return -ENOTTY;
		if (tty->session->leader == current->proc)
			tty_leader_exit(current->proc);
		else
			current->proc->tty = NULL;
		return 0;
	}
	case TIOCGPGRP:
		return put_int(arg, pid_shown(tty->pgrp));
	case TIOCSPGRP:
		return set_foreground(tty, arg);
	case TIOCGSID: {
		mutex_lock(&tasklist_lock);
		id = tty->session ? session_nr(tty->session, task_pid_ns(current)) : 0;
		mutex_unlock(&tasklist_lock);
		return id ? put_int(arg, id) : -ENOTTY;
	}
	default:
		return -ENOTTY;
	}
}

/* For /proc/PID/stat; tasklist_lock held. */
void tty_numbers(struct tty *tty, int *dev, int *pgrp)
{
	*dev = PTS_MAJOR << 8 | tty->index;
	*pgrp = tty->pgrp ? tty->pgrp : -1;
}
