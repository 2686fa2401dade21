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
/*
 * f's readiness is the host's from now on, by f->handle, as `mode` (FMODE_HOSTPOLL, FMODE_WATCH) says: whoever watches it
 * already does so by that. 0 or -errno.
 */
int epoll_host_begins(struct file *f, u32 mode);
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

/* An epoll for the kernel itself: its file, what it watches (events of 0: not any more), and waiting for ever. */
struct epoll_event;
struct file *epoll_new(void); /* NULL: no memory */
int epoll_kernel_ctl(struct file *epf, int op, struct file *f, u32 events, u64 data);
int epoll_kernel_wait(struct file *epf, struct epoll_event *ev, int max); /* number; 0 or -errno: look again */

/* fasync.c: O_ASYNC, or the owner, of f has changed; fd: for si_fd. 0 or -errno. */
int fasync_update(struct file *f, int fd);
void fasync_release(struct file *f); /* before eventpoll_release() takes its locks */

/* Remaining time to a deadline; user timespec in and out. MC_FOREVER for no address. */
long deadline_from_timespec(uaddr_t ts, u64 *deadline);
void deadline_to_timespec(uaddr_t ts, u64 deadline);

#endif
