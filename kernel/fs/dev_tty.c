/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's terminal: a pty slave of the host, descriptors 0 to 2 of the first process, in the
 * guest /dev/console and /dev/pts/0. Bytes and settings are the host's. Which process group
 * is in the foreground is known only here, so what the host's line discipline signals (to the
 * hypervisor, which passes it on) is sent to that group.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>

#include "dev.h"
#include "hostfs.h"
#include "pty.h"
#include "vfs_impl.h"

static struct inode *terminal;	    /* of the host; keeps the handle */
static struct inode *node;	    /* /dev/pts/0 */
static int foreground, session = 1; /* ids; 0: none yet. tasklist_lock */

static bool is_terminal(const struct inode *i)
{
	return terminal && S_ISCHR(i->mode) && i->rdev == terminal->rdev;
}

/* Descriptor 0, 1 or 2 of the first process, if it is the terminal: it gets the terminal's name
 * here. */
void dev_tty_adopt(struct file *f)
{
	if (!terminal) {
		if (!S_ISCHR(f->inode->mode))
			return;
		terminal = inode_get(f->inode);
		node = pts_host_node();
	}
	if (!is_terminal(f->inode) || !node)
		return;
	/* The host's inode owns the handle, which is needed as long as the VM runs: its reference
	 * is kept. */
	f->inode = inode_get(node);
	f->mnt = node->mnt;
	f->name = kstrdup("/dev/pts/0");
	f->mode |= FMODE_TTY;
}

int dev_tty_open_terminal(struct file *f)
{
	if (!terminal)
		return -ENXIO;
	f->ops = &hostfs_file_ops;
	f->handle = terminal->handle;
	f->mode |= FMODE_STREAM | FMODE_HOST | FMODE_HOSTPOLL | FMODE_TTY;
	return 0;
}

/* 5:0 is the caller's controlling terminal, 5:1 the container's. */
static int tty_open(struct inode *i, struct file *f)
{
	int r;

	if ((u32)i->rdev)
		return dev_tty_open_terminal(f);
	r = pty_open_controlling(f);
	if (r != -ENXIO)
		return r;
	return current->proc->session && current->proc->session->id == session
		       ? dev_tty_open_terminal(f)
		       : -ENXIO;
}

static struct chrdev tty_dev = {.major = 5, .minor = 0, .count = 2, .open = tty_open};

void dev_tty_init(void)
{
	chrdev_register(&tty_dev);
}

/* ---- job control ---- */

static struct pgrp *foreground_group(void)
{
	struct process *init = init_process;

	if (foreground)
		return find_pgrp(foreground);
	return init ? init->pgrp : NULL;
}

/* Of the keys, and of the window's size. False: there is no terminal, or nobody in its foreground. */
bool dev_tty_signal(int sig)
{
	struct pgrp *g;

	if (!terminal || (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP && sig != SIGWINCH))
		return false;
	guard(&tasklist_lock);
	g = foreground_group();
	return g && !send_signal_pgrp_locked(g->id, sig, NULL);
}

long dev_tty_background(int sig)
{
	struct process *p = current->proc;
	struct pgrp *g;

	guard(&tasklist_lock);
	g = foreground_group();
	if (!g || !p->session || p->session->id != session || p->pgrp == g ||
	    g->session != p->session)
		return 0;
	if (signal_ignored_or_blocked(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_orphaned(p->pgrp, NULL))
		return -EIO;
	send_signal_pgrp_locked(p->pgrp->id, sig, NULL);
	return -ERESTARTSYS;
}

static s64 put_int(uaddr_t to, int v)
{
	return mc_copy_to_user(to, &v, sizeof(v)) ? -EFAULT : 0;
}

static s64 set_foreground(uaddr_t arg)
{
	struct pgrp *g;
	int id;
	long r;

	if (mc_copy_from_user(&id, arg, sizeof(id)))
		return -EFAULT;
	r = dev_tty_background(SIGTTOU);
	if (r)
		return r;
	guard(&tasklist_lock);
	if (!current->proc->session || current->proc->session->id != session)
		return -ENOTTY;
	g = id > 0 ? find_pgrp(id) : NULL;
	if (!g)
		return id > 0 ? -ESRCH : -EINVAL;
	if (g->session != current->proc->session)
		return -EPERM;
	foreground = id;
	return 0;
}

/* A leader may take the terminal when the session that had it is gone. */
static s64 take_terminal(void)
{
	struct process *p = current->proc;

	guard(&tasklist_lock);
	if (!p->session || p->session->leader != p || p->session->tty)
		return -EPERM;
	if (p->session->id == session)
		return 0;
	if (session && find_process(session))
		return -EPERM;
	session = p->session->id;
	foreground = p->pgrp ? p->pgrp->id : 0;
	return 0;
}

s64 dev_tty_ioctl(u32 cmd, u64 arg)
{
	struct pgrp *g;
	int id;

	switch (cmd) {
	case TIOCGPGRP:
		mutex_lock(&tasklist_lock);
		g = foreground_group();
		id = g ? g->id : foreground;
		mutex_unlock(&tasklist_lock);
		return put_int(arg, id);
	case TIOCSPGRP:
		return set_foreground(arg);
	case TIOCGSID:
		return put_int(arg, session);
	case TIOCSCTTY:
		return take_terminal();
	default: /* TIOCNOTTY */
		return 0;
	}
}
