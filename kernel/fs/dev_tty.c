/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's terminal: a pty slave of the host, descriptor 0 of the first process, and
 * behind /dev/tty and /dev/console. Bytes and settings are the host's; who is in the foreground is ours.
 */
#include "dev.h"
#include "hostfs.h"
#include "pty.h"
#include "vfs_impl.h"

static struct inode *terminal; /* keeps the handle */

void dev_tty_terminal(struct file *f)
{
	if (!terminal)
		terminal = inode_get(f->inode);
}

static int open_terminal(struct file *f)
{
	if (!terminal)
		return -ENXIO;
	f->ops = &hostfs_file_ops;
	f->handle = terminal->handle;
	f->mode |= FMODE_STREAM | FMODE_HOST | FMODE_HOSTPOLL;
	return 0;
}

/* 5:0 is the caller's controlling terminal, 5:1 the container's. */
static int tty_open(struct inode *i, struct file *f)
{
	if ((u32)i->rdev == 0 && current->proc->tty)
		return pty_open_controlling(f);
	return open_terminal(f);
}

static struct chrdev tty_dev = { .major = 5, .minor = 0, .count = 2, .open = tty_open };

void dev_tty_init(void)
{
	chrdev_register(&tty_dev);
}
