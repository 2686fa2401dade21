/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's character devices. */
#ifndef DEV_H
#define DEV_H

#include "fs.h"

void dev_mem_init(void); /* null, zero, full, random, urandom */
void dev_tty_init(void); /* tty, console */
void pty_init(void);     /* ptmx and pts/ */
struct tty;
/*
 * Terminals of the host. A descriptor 0 to 2 that came with an event (0: the boot): the first one that is a terminal
 * becomes *t, the controlling one of the caller, with a reference for him; all that are this terminal are put on it.
 */
void dev_tty_adopt(struct file *f, struct tty **t, u32 event, u32 uid);
int dev_tty_open(struct tty *t, struct file *f);
int dev_tty_event(u32 event, int sig); /* from the terminal that came with an event. 0, -ESRCH, -EINVAL */
void dev_tty_bury(struct tty *t); /* the last reference is gone */
void dev_tty_reap(void); /* release those; makes PV calls */
int hostdev_open(struct inode *i, struct file *f); /* a device of the host; -ENXIO: there is none of this number */
void hostdev_boot(void); /* the nodes of linux.devices */

#endif
