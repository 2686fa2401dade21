/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals (fs/pty.c, fs/devpts.c). */
#ifndef PTY_H
#define PTY_H

#include "fs.h"

int pty_open_controlling(struct file *f); /* /dev/tty of a process whose terminal is a guest pty */

#endif
