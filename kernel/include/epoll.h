/* SPDX-License-Identifier: Apache-2.0 */
/* What other files need of poll.c and epoll.c. */
#ifndef EPOLL_H
#define EPOLL_H

#include "fs.h"

/*
 * The handle whose readiness the host knows and that f's readiness depends on; 0: none. A file
 * with FMODE_HOSTPOLL depends on it alone; one with FMODE_WATCH (an epoll) on it and on guest
 * wait queues.
 */
static inline u32 file_poll_handle(struct file *f)
{
	u32 mode = __atomic_load_n(&f->mode, __ATOMIC_ACQUIRE);

	return (mode & (FMODE_HOSTPOLL | FMODE_WATCH)) ? f->handle : 0;
}

/* Readiness of one handle at this moment; POLL* of `events` (and POLLERR, POLLHUP). */
u32 handle_poll(u32 handle, u32 events);
/* Readiness of any file at this moment, host handle or guest object. */
u32 file_poll_now(struct file *f, u32 events);

/*
 * file_put calls this before f->ops->release when the last reference goes and f->epitems is not
 * empty.
 */
void eventpoll_release(struct file *f);

/* Remaining time to a deadline; user timespec in and out. MC_FOREVER for no address. */
long deadline_from_timespec(uaddr_t ts, u64 *deadline);
void deadline_to_timespec(uaddr_t ts, u64 deadline);

#endif
