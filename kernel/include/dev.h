/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's character devices. */
#ifndef DEV_H
#define DEV_H

#include "fs.h"

void dev_mem_init(void); /* null, zero, full, random, urandom */
void dev_tty_init(void); /* tty, console: the container's terminal */
void pty_init(void);     /* ptmx and pts/ */
void dev_tty_adopt(struct file *f); /* a descriptor that may be the container's terminal */
int dev_tty_open_terminal(struct file *f);
bool dev_tty_signal(int sig);       /* a signal that the host's terminal made; false: not ours to deliver */
long dev_tty_background(int sig);   /* as tty_check_background(), for the container's terminal */
s64 dev_tty_ioctl(u32 cmd, u64 arg); /* TIOCGPGRP and the like */

#endif
