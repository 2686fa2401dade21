/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's character devices. */
#ifndef DEV_H
#define DEV_H

#include "fs.h"

void dev_mem_init(void); /* null, zero, full, random, urandom */
void dev_tty_init(void); /* tty, console: the container's terminal */
void pty_init(void);     /* ptmx and pts/ */
void dev_tty_terminal(struct file *f); /* descriptor 0 is the container's terminal */

#endif
