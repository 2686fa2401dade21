/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/pagemap as who has no CAP_SYS_ADMIN sees it: which pages are there, not where. Of the caller's own memory only. */
#include <linux/fs.h>

#include "../../mm/internal.h"
#include "proc.h"

#define PAGES	    512u
#define PM_PRESENT  (1ULL << 63)
#define PM_FILE	    (1ULL << 61)
#define PM_EXCLUSIVE (1ULL << 56)
#define PM_SOFT_DIRTY (1ULL << 55)

static u64 bits_of(const struct vma *v)
{
	if (v->flags & VMA_KERNEL)
		return 0;
	return PM_PRESENT | PM_SOFT_DIRTY | (v->file || (v->flags & MAP_SHARED) ? PM_FILE : PM_EXCLUSIVE);
}

/* n pages from addr on. Parts where nothing is mapped stay 0. */
static int fill(struct mm *mm, uaddr_t addr, u32 n, u64 *out)
{
	struct vma_walk w = { .mm = mm, .pos = addr, .end = addr + n * PAGE_SIZE };
	u8 resident[PAGES];
	struct vma *v;

	guard(&mm->lock);
	while ((v = vma_walk_next(&w))) {
		u32 at = (u32)((w.from - addr) / PAGE_SIZE), len = (u32)((w.to - w.from) / PAGE_SIZE);
		int r = bits_of(v) ? mc_resident(w.from, w.to - w.from, resident) : 0;

		if (r)
			return r;
		for (u32 i = 0; i < len && bits_of(v); i++)
			out[at + i] = resident[i] & 1 ? bits_of(v) : 0;
	}
	return 0;
}

static s64 pagemap_read(struct file *f, struct uio *u, s64 *pos)
{
	u64 *out __kfree = kmalloc(PAGES * sizeof(u64));
	s64 done = 0;

	if (!out)
		return -ENOMEM;
	if ((*pos | (s64)u->resid) % 8)
		return -EINVAL;
	if (f->priv != current->mm)
		return -EPERM;
	while (u->resid && (u64)*pos / 8 < USER_END / PAGE_SIZE) {
		u64 first = (u64)*pos / 8, n = min(u->resid / 8, (u64)PAGES);
		s64 r;

		n = min(n, USER_END / PAGE_SIZE - first);
		memset(out, 0, n * sizeof(u64));
		r = fill(current->mm, first << PAGE_SHIFT, (u32)n, out);
		if (!r)
			r = uio_put(u, out, n * sizeof(u64));
		if (r <= 0)
			return done ? done : r;
		*pos += r;
		done += r;
	}
	return done;
}

static void pagemap_release(struct file *f)
{
	mm_put(f->priv);
}

static const struct file_ops pagemap_ops = {
	.read = pagemap_read,
	.seek = proc_space_seek,
	.release = pagemap_release,
};

int pid_pagemap_open(const struct pseudo_ctx *c, struct file *f)
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);

	if (IS_ERR(mm) || !mm)
		return mm ? (int)PTR_ERR(mm) : -ESRCH;
	f->ops = &pagemap_ops;
	f->priv = mm;
	return 0;
}
