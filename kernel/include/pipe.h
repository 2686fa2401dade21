/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes and FIFOs (fs/pipe.c), and what splice needs of them. */
#ifndef PIPE_H
#define PIPE_H

#include "fs.h"

#define PIPE_BUF 4096u
#define PIPE_DEFAULT_SIZE 65536u
#define PIPE_MAX_SIZE 1048576u /* without CAP_SYS_RESOURCE; /proc/sys/fs/pipe-max-size */

struct pipe;

/* Two ends, O_CLOEXEC not handled here. flags: O_NONBLOCK, O_DIRECT. */
int pipe_create(u32 flags, struct file **rd, struct file **wr);
/*
 * Open the FIFO with this identity. Blocks as fifo(7) says; ERR_PTR(-ENXIO, -ERESTARTSYS, -ENOMEM).
 * The caller sets f->inode, f->mnt and f->name.
 */
struct file *fifo_open(u64 dev, u64 ino, u32 flags);

struct pipe *pipe_of_file(struct file *f); /* NULL: not a pipe */
long pipe_get_size(struct file *f); /* F_GETPIPE_SZ; -EBADF if it is no pipe */
long pipe_set_size(struct file *f, u64 size);

/* For splice and tee. */
bool pipe_empty(const struct pipe *p);
size_t pipe_room(const struct pipe *p);
bool pipe_has_writers(const struct pipe *p);
bool pipe_has_readers(const struct pipe *p);
/*
 * Copy up to n bytes from `skip` behind the front without taking them; stops at packet
 * boundaries.
 */
size_t pipe_peek(struct pipe *p, void *to, size_t skip, size_t n);
void pipe_consume(struct pipe *p, size_t n);
/* Wait for data (or no writer) / room (or no reader). 0, -EAGAIN, -ERESTARTSYS. */
long pipe_wait_data(struct pipe *p, bool nowait);
long pipe_wait_room(struct pipe *p, bool nowait);

#endif
