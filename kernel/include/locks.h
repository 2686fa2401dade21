/* SPDX-License-Identifier: Apache-2.0 */
/* File locks among the processes of the guest (vfs/locks.c). */
#ifndef LOCKS_H
#define LOCKS_H

#include "fs.h"

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct lock_req {
	enum lock_kind kind;
	u32 type;   /* F_RDLCK, F_WRLCK, F_UNLCK */
	u64 start, end; /* inclusive */
	bool wait;
};
/* 0, -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOLCK. */
int lock_set(struct file *f, const struct lock_req *q);
/* The first lock in the way, into *found (type F_UNLCK: none) and *pid. */
int lock_test(struct file *f, const struct lock_req *q, struct lock_req *found, int *pid);
long lock_fcntl(struct file *f, u32 cmd, uaddr_t arg); /* F_GETLK .. F_OFD_SETLKW */

#endif
