/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals of the host: each is a pty slave that came as descriptors 0 to 2 of the first process (the
 * container's terminal, /dev/console) or of one that the hypervisor added. In the guest it is a struct tty like the
 * guest's own, with a name in /dev/pts, but bytes and settings are the host's. Which process group is in
 * the foreground is known only here, so what the host's line discipline signals comes as events, and is sent to that
 * group.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>

#include "dev.h"
#include "hostfs.h"
#include "pty.h"
#include "ring.h"
#include "vfs_impl.h"

static struct list_head terminals = LIST_HEAD_INIT(terminals); /* tasklist_lock */
static struct tty *dead; /* without a reference; their handles are released later: that is a PV call */

static struct tty *terminal_new(struct inode *host, u32 event, u32 uid)
{
	struct tty *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->ref);
	list_init(&t->host_node);
	t->event = event;
	t->host = inode_get(host);
	if (pts_add(t)) /* no devpts, or full: a terminal without a name */
		t->index = -1;
	else
		t->inode->uid = uid;
	guard(&tasklist_lock);
	list_add_tail(&t->host_node, &terminals);
	return t;
}

/* tasklist_lock held, or not. */
void dev_tty_bury(struct tty *t)
{
	t->next_dead = __atomic_load_n(&dead, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&dead, &t->next_dead, t, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void dev_tty_reap(void)
{
	struct tty *t, *next;

	if (likely(!__atomic_load_n(&dead, __ATOMIC_RELAXED)))
		return;
	t = __atomic_exchange_n(&dead, NULL, __ATOMIC_ACQUIRE);
	for (; t; t = next) {
		next = t->next_dead;
		mutex_lock(&tasklist_lock);
		list_del(&t->host_node);
		mutex_unlock(&tasklist_lock);
		if (t->inode)
			pts_remove(t);
		inode_put(t->host);
		kfree(t);
	}
}

/* ---- open files ---- */

/* The one setting that is ours to act on. */
static void note_tostop(struct tty *t, u64 arg)
{
	struct termios new;

	if (!mc_copy_from_user(&new, arg, sizeof(new))) /* struct termios2 begins so, too */
		t->t.c_lflag = new.c_lflag & TOSTOP;
}

static s64 terminal_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty *t = tty_of(f);
	s64 r;

	if (tty_is_job_ioctl(cmd))
		return tty_job_ioctl(t, cmd, arg);
	r = tty_changes(cmd) ? tty_check_background(t, SIGTTOU) : 0;
	if (!r)
		r = hostfs_ioctl(f, cmd, arg);
	if (!r && ((cmd >= TCSETS && cmd <= TCSETSF) || (cmd >= TCSETS2 && cmd <= TCSETSF2)))
		note_tostop(t, arg);
	return r;
}

static void terminal_release(struct file *f)
{
	tty_put(tty_of(f));
	dev_tty_reap();
}

static const struct file_ops terminal_ops = {
	.ioctl = terminal_ioctl,
	.release = terminal_release,
};

int dev_tty_open(struct tty *t, struct file *f)
{
	f->ops = &terminal_ops;
	f->handle = t->host->handle;
	f->priv = tty_get(t);
	f->mode |= FMODE_STREAM | FMODE_HOST | FMODE_HOSTPOLL | FMODE_TTY;
	return 0;
}

/* The descriptor gets the terminal's name here; the handle that it came with is one too many. */
static void become_terminal(struct file *f, struct tty *t)
{
	struct inode *was = f->inode;

	dev_tty_open(t, f);
	if (t->inode) {
		f->inode = inode_get(t->inode);
		mount_put(f->mnt);
		file_set_mount(f, t->inode->mnt);
		kfree(f->name);
		f->name = kasprintf("/%d", t->index);
	} else {
		f->inode = inode_get(t->host);
	}
	inode_put(was);
}

void dev_tty_adopt(struct file *f, struct tty **t, u32 event, u32 uid)
{
	if (!S_ISCHR(f->inode->mode))
		return;
	if (!*t) {
		*t = terminal_new(f->inode, event, uid);
		if (*t)
			tty_open_controls(*t);
	}
	if (*t && f->inode->rdev == (*t)->host->rdev)
		become_terminal(f, *t);
}

/* ---- devices ---- */

static struct tty *find(u32 event)
{
	struct tty *t;

	list_for_each(t, &terminals, host_node)
		if (t->event == event && ref_get_unless_zero(&t->ref))
			return t;
	return NULL;
}

static struct tty *find_terminal(u32 event)
{
	guard(&tasklist_lock);
	return find(event);
}

/* 5:0 is the caller's controlling terminal, 5:1 the container's. */
static int tty_open(struct inode *i, struct file *f)
{
	struct tty *t;
	int r;

	if (!(u32)i->rdev)
		return pty_open_controlling(f);
	t = find_terminal(0);
	if (!t)
		return -ENXIO;
	r = dev_tty_open(t, f);
	tty_put(t);
	return r;
}

static struct chrdev tty_dev = {.major = 5, .minor = 0, .count = 2, .open = tty_open};

void dev_tty_init(void)
{
	chrdev_register(&tty_dev);
}

/* ---- what the host's line discipline makes of keys, of the window's size, of the other end's close ---- */

int dev_tty_event(u32 event, int sig)
{
	struct tty *t;

	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP && sig != SIGWINCH && sig != SIGHUP)
		return -EINVAL;
	t = find_terminal(event);
	if (!t)
		return -ESRCH;
	if (sig == SIGHUP)
		tty_hangup(t);
	else
		tty_signal(t, sig);
	tty_put(t);
	dev_tty_reap();
	return 0;
}
