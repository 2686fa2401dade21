/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a pipe, for pipe.c, pipe_ring.c and fifo.c. */
#ifndef PIPE_IMPL_H
#define PIPE_IMPL_H

#include "pipe.h"

/*
 * One ring of bytes. head and tail count bytes since the pipe was made; a byte lives at
 * position & (cap - 1). Readers exclude each other by rd_lock, writers by wr_lock, and a
 * reader and a writer run at the same time: the writer alone moves tail, the reader alone head.
 * Whoever replaces buf holds both locks, wr_lock first.
 */
struct pipe {
	refcount_t ref; /* files, the inode */
	struct mutex rd_lock, wr_lock;
	u64 head, tail;
	u8 *buf;
	u32 cap; /* bytes allocated: grows with the need; a short pipe touches little */
	u32 limit; /* bytes it may grow to; both are powers of two */
	u32 readers, writers;
	u32 r_opens, w_opens; /* opens ever made of each end, for fifo_open() */
	u64 wr_need; /* least room that a sleeping writer waits for; ~0: nobody */
	bool polled; /* edge-triggered watchers see every write, not only the first */
	struct waitq rd_wait, wr_wait;

	/* O_DIRECT: boundaries of packets not read yet. npackets may be read without the lock. */
	struct mutex packet_lock;
	struct list_head packets;
	u32 npackets;

	struct list_head node; /* named pipes: fifo.c's table */
	u64 dev, ino;
};

struct pipe *pipe_alloc(void);
void pipe_put(struct pipe *p);
void fifo_forget(struct pipe *p);
struct file *pipe_file(struct pipe *p, u32 flags,
		       u32 mode); /* takes over a reference to p, also on error */
extern const struct file_ops pipe_ops;

/* pipe_ring.c. Callers hold rd_lock or wr_lock as fits. */
s64 pipe_ring_put(struct pipe *p, struct uio *u,
		  size_t n); /* needs room; does not publish packets */
s64 pipe_ring_take(struct pipe *p, struct uio *u); /* bytes, 0: empty, -EFAULT */
void pipe_ring_drop(struct pipe *p, size_t n);
int pipe_ring_fit(struct pipe *p, size_t n); /* room for n more bytes in buf */
int pipe_ring_resize(struct pipe *p, u32 cap);
int pipe_packet_add(struct pipe *p, u64 start, u64 end);
void pipe_packets_free(struct pipe *p);

static inline size_t pipe_used(const struct pipe *p)
{
	u64 head = __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) - head;
}

#endif
