/* SPDX-License-Identifier: Apache-2.0 */
/* Making and opening pipes: pipe(2), FIFOs by identity, and /proc/PID/fd/N of a pipe. */
#include "pipe_impl.h"
#include "syscall.h"

static struct mutex fifos_lock;
static struct list_head fifos = LIST_HEAD_INIT(fifos);

/* The count of the ends is part of the file: pipe_release() takes it back. */
struct file *pipe_file(struct pipe *p, u32 flags, u32 mode)
{
	struct file *f = file_new(&pipe_ops, flags, mode | FMODE_STREAM);

	if (!f) {
		pipe_put(p);
		return NULL;
	}
	f->priv = p;
	f->pos = -1;
	if (mode & FMODE_READ) {
		__atomic_add_fetch(&p->readers, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&p->r_opens, 1, __ATOMIC_SEQ_CST);
		waitq_wake_all(&p->wr_wait, 0);
	}
	if (mode & FMODE_WRITE) {
		__atomic_add_fetch(&p->writers, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&p->w_opens, 1, __ATOMIC_SEQ_CST);
		waitq_wake_all(&p->rd_wait, 0);
	}
	return f;
}

/* ---- opening an existing pipe: fifo(7) ---- */

/* Wait until the other end has been opened since we looked, even if it is gone again. */
static long wait_partner(struct waitq *q, const u32 *opens, u32 seen)
{
	return wait_event(q, __atomic_load_n(opens, __ATOMIC_SEQ_CST) != seen, MC_FOREVER);
}

static struct file *open_read(struct pipe *p, u32 flags, bool wait)
{
	u32 seen = __atomic_load_n(&p->w_opens, __ATOMIC_SEQ_CST);
	/* Before our end is there: a writer that waits for it may be done and gone right after. */
	bool met = pipe_has_writers(p);
	struct file *f = pipe_file(p, flags, FMODE_READ);
	long err;

	if (!f || met || pipe_has_writers(p) || !wait)
		return f ? f : ERR_PTR(-ENOMEM);
	if (flags & O_NONBLOCK) {
		f->pos = seen; /* pipe_poll(): no POLLHUP before the first writer */
		return f;
	}
	err = wait_partner(&p->rd_wait, &p->w_opens, seen);
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

static struct file *open_write(struct pipe *p, u32 flags, bool wait)
{
	u32 seen = __atomic_load_n(&p->r_opens, __ATOMIC_SEQ_CST);
	bool met = pipe_has_readers(p); /* as in open_read() */
	struct file *f;
	long err;

	if (wait && (flags & O_NONBLOCK) && !pipe_has_readers(p)) {
		pipe_put(p);
		return ERR_PTR(-ENXIO);
	}
	f = pipe_file(p, flags, FMODE_WRITE);
	if (!f || met || pipe_has_readers(p) || !wait)
		return f ? f : ERR_PTR(-ENOMEM);
	err = wait_partner(&p->wr_wait, &p->r_opens, seen);
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

/*
 * Takes over a reference to p. wait: a named pipe, whose opener meets its partner; others have
 * met.
 */
static struct file *open_pipe(struct pipe *p, u32 flags, bool wait)
{
	struct file *f;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return open_read(p, flags, wait);
	case O_WRONLY:
		return open_write(p, flags, wait);
	case O_RDWR:
		f = pipe_file(p, flags, FMODE_READ | FMODE_WRITE);
		return f ? f : ERR_PTR(-ENOMEM);
	default:
		pipe_put(p);
		return ERR_PTR(-EINVAL);
	}
}

/* With a reference. */
static struct pipe *fifo_get(u64 dev, u64 ino)
{
	struct pipe *p;

	guard(&fifos_lock);
	list_for_each(p, &fifos, node)
		if (p->dev == dev && p->ino == ino && ref_get_unless_zero(&p->ref))
			return p;
	p = pipe_alloc();
	if (p) {
		p->dev = dev;
		p->ino = ino;
		list_add(&p->node, &fifos);
	}
	return p;
}

void fifo_forget(struct pipe *p)
{
	guard(&fifos_lock);
	list_del(&p->node);
}

struct file *fifo_open(u64 dev, u64 ino, u32 flags)
{
	struct pipe *p = fifo_get(dev, ino);

	return p ? open_pipe(p, flags, true) : ERR_PTR(-ENOMEM);
}

/* ---- anonymous pipes: one inode, two files ---- */

static const struct file_ops emptied_ops;

/* open("/proc/self/fd/N"): a new file on the same pipe. f was made by the vfs. */
static int pipe_inode_open(struct inode *i, struct file *f)
{
	struct pipe *p = i->priv;
	struct file *opened;

	ref_get(&p->ref);
	opened = open_pipe(p, f->flags, false);
	if (IS_ERR(opened))
		return PTR_ERR(opened);
	/* Move the end that was opened, its count and its reference, into f. */
	f->ops = opened->ops;
	f->priv = p;
	f->pos = opened->pos;
	f->mode |= opened->mode;
	opened->ops = &emptied_ops;
	file_put(opened);
	return 0;
}

static void pipe_inode_release(struct inode *i)
{
	pipe_put(i->priv);
	kfree(i);
}

static const struct inode_ops pipe_inode_ops = {
	.open = pipe_inode_open,
	.release = pipe_inode_release,
};

static int pipe_set_inode(struct file *rd, struct file *wr, struct pipe *p)
{
	struct inode *i = inode_new(&pipe_inode_ops, NULL, S_IFIFO | 0600);

	if (!i)
		return -ENOMEM;
	ref_get(&p->ref);
	i->priv = p;
	rd->inode = i;
	wr->inode = inode_get(i);
	rd->name = kasprintf("pipe:[%llu]", (unsigned long long)i->ino);
	wr->name = rd->name ? kstrdup(rd->name) : NULL;
	return 0;
}

int pipe_create(u32 flags, struct file **rd, struct file **wr)
{
	struct pipe *p = pipe_alloc();

	if (!p)
		return -ENOMEM;
	*rd = pipe_file(p, O_RDONLY | (flags & O_NONBLOCK), FMODE_READ);
	if (!*rd)
		return -ENOMEM;
	ref_get(&p->ref);
	*wr = pipe_file(p, O_WRONLY | flags, FMODE_WRITE);
	if (!*wr || pipe_set_inode(*rd, *wr, p)) {
		file_put(*rd);
		file_put(*wr);
		return -ENOMEM;
	}
	return 0;
}

/* Two descriptors for two files, or none. Takes over both references. */
static long install_pair(struct file *a, struct file *b, bool cloexec, int *fds)
{
	fds[0] = fd_reserve(cloexec);
	if (fds[0] >= 0) {
		fds[1] = fd_reserve(cloexec);
		if (fds[1] >= 0)
			return 0;
		fd_unreserve(fds[0]);
		fds[0] = fds[1];
	}
	file_put(a);
	file_put(b);
	return fds[0];
}

long sys_pipe2(u64 ufds, u64 uflags)
{
	u32 flags = uflags;
	struct file *rd, *wr;
	int fds[2];
	long err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(flags & (O_NONBLOCK | O_DIRECT), &rd, &wr);
	if (err)
		return err;
	err = install_pair(rd, wr, flags & O_CLOEXEC, fds);
	if (err)
		return err;
	if (mc_copy_to_user(ufds, fds, sizeof(fds))) {
		fd_unreserve(fds[0]);
		fd_unreserve(fds[1]);
		file_put(rd);
		file_put(wr);
		return -EFAULT;
	}
	fd_fill(fds[0], rd);
	fd_fill(fds[1], wr);
	return 0;
}

long sys_pipe(u64 ufds)
{
	return sys_pipe2(ufds, 0);
}
