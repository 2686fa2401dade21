/* SPDX-License-Identifier: Apache-2.0 */
/* The wait behind poll and select: poll.c implements it, select.c uses it, too. */
#ifndef POLL_IMPL_H
#define POLL_IMPL_H

#include <asm/poll.h>

#include "epoll.h"

struct poll_item {
	struct file *file; /* with a reference; NULL: revents is set already */
	int fd;
	u32 events;
	u32 revents;
};

/*
 * Wait until an item is ready. deadline 0: only look. Number of items with revents, 0 at the
 * deadline, -EINTR when work is pending for the task, -ENOMEM. Drops the references to the
 * files.
 */
long poll_items(struct poll_item *items, int n, u64 deadline);

#endif
