/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues (mq_overview(7)): inodes of one flat directory for each ipc namespace, which every mount of mqueue in it shows. */
#ifndef MQUEUE_H
#define MQUEUE_H

#include <linux/mqueue.h>

#include "fs.h"

struct process;

struct mqueue {
	struct inode i; /* its lock: the directory's */
	struct list_head node; /* in the directory */
	char *name;
	struct mutex lock;	   /* what follows */
	struct list_head messages; /* highest priority first, the oldest of each first */
	u64 bytes;
	u32 count, max_count, max_size;
	struct list_head senders, receivers; /* that wait */
	struct waitq wait;
	struct process *notify; /* who is told of the first message; NULL: nobody */
	int notify_how, notify_signal;
	u64 notify_value;
	u64 charged; /* against its owner's RLIMIT_MSGQUEUE */
};

/* ---- mqueue.c ---- */
void mqueue_empty(struct mqueue *q); /* last reference */
extern const struct file_ops mqueue_file_ops;

/* ---- mqueue_fs.c ---- */
/* attr NULL: the defaults. New inode in *out with a reference, or -errno. The directory's lock is held. */
int mqueue_make(struct inode *dir, const char *name, size_t len, u32 mode, const struct mq_attr *attr,
		struct inode **out);
struct inode *mqueue_dir(void); /* the root of current's namespace, with a reference; NULL: no memory */

#endif
