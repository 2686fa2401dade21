/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of files among the processes of the guest (vfs/leases.c), and notes of directories (fs/dnotify.c): fcntl(2). */
#ifndef LEASES_H
#define LEASES_H

#include "fs.h"

extern u32 lease_count; /* read without a lock: while it is 0 no open needs to look */
extern s64 lease_break_time; /* seconds; /proc/sys/fs */

static inline bool leases_any(void)
{
	return unlikely(__atomic_load_n(&lease_count, __ATOMIC_SEQ_CST) != 0);
}

long lease_set(struct file *f, int fd, int type); /* F_SETLEASE */
int lease_get(struct file *f);                    /* F_GETLEASE */
/* Somebody opens the file, or cuts it: breaks what is in the way and waits. 0, -EWOULDBLOCK or -ERESTARTSYS. */
int lease_break(u64 dev, u64 ino, bool writes, bool nowait);
int lease_break_name(int dirfd, const char *path, bool nowait); /* of a file that is to be cut short */
void leases_release_file(struct file *f);

long dnotify_set(struct file *f, int fd, u32 events); /* F_NOTIFY */
void dnotify_close(struct file *f, const struct fdtable *owner); /* a descriptor of it was closed; owner NULL: all were */

/* fasync.c: the file's owner is told by SIGIO or F_SETSIG's signal, with POLL_MSG. uid, euid: of who asked for it. */
void fasync_message(struct file *f, int fd, u32 uid, u32 euid);

#endif
