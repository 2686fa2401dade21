/* SPDX-License-Identifier: Apache-2.0 */
/* null, zero, full, random, urandom. */
#include <asm/mman.h>

#include "dev.h"
#include "mm.h"
#include "stat_run.h"
#include "task.h"

#define POOL_BYTES 256 /* what one read of random takes at a time */

static s64 null_read(struct file *f, struct uio *u, s64 *pos)
{
	return 0;
}

static s64 null_write(struct file *f, struct uio *u, s64 *pos)
{
	stat_run_pass();
	s64 n = u->resid;

	u->resid = 0;
	return n;
}

static s64 zero_read(struct file *f, struct uio *u, s64 *pos)
{
	return uio_zero(u, u->resid);
}

static s64 full_write(struct file *f, struct uio *u, s64 *pos)
{
	return u->resid ? -ENOSPC : 0;
}

static s64 random_read(struct file *f, struct uio *u, s64 *pos)
{
	u8 pool[POOL_BYTES];
	s64 done = 0;

	while (u->resid) {
		size_t n = min(u->resid, sizeof(pool));
		s64 r;

		random_bytes(pool, n);
		r = uio_put(u, pool, n);
		if (r < 0)
			return done ? done : r;
		done += r;
		if ((size_t)r < n || task_work_pending())
			break;
	}
	return done;
}

static s64 always_zero(struct file *f, s64 off, int whence)
{
	return 0;
}

/* A private mapping of /dev/zero is anonymous memory: without a handle the machine maps just that. */
static int zero_mmap(struct file *f, struct vma *v)
{
	return 0;
}

static const struct file_ops null_ops = {
	.read = null_read, .write = null_write, .seek = always_zero};
static const struct file_ops zero_ops = {
	.read = zero_read, .write = null_write, .seek = always_zero, .mmap = zero_mmap};
static const struct file_ops full_ops = {
	.read = zero_read, .write = full_write, .seek = always_zero};
static const struct file_ops random_ops = {
	.read = random_read, .write = null_write, .seek = always_zero};

static int mem_open(struct inode *i, struct file *f)
{
	switch ((u32)i->rdev) {
	case 3:
		f->ops = &null_ops;
		return 0;
	case 5:
		f->ops = &zero_ops;
		return 0;
	case 7:
		f->ops = &full_ops;
		return 0;
	case 8:
	case 9:
		f->ops = &random_ops;
		return 0;
	default:
		return -ENXIO;
	}
}

static struct chrdev mem_dev = {.major = 1, .minor = 0, .count = 16, .open = mem_open};

void dev_mem_init(void)
{
	chrdev_register(&mem_dev);
}
