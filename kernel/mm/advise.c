/* SPDX-License-Identifier: Apache-2.0 */
/* madvise, msync, mincore. */
#include <asm/signal.h>
#include <linux/capability.h>

#include "internal.h"
#include "syscall.h"
#include "user_ns.h"

/* In newer headers than the oldest we build with. */
#define ADV_POPULATE_READ  22
#define ADV_POPULATE_WRITE 23
#define ADV_COLLAPSE	   25

#define UIO_MAX 1024u

enum kind {
	UNKNOWN,
	IGNORED, /* accepted */
	HINT,	 /* passed on; its failure is nobody's concern */
	ACTION,	 /* passed on, with its result */
	FLAG,	 /* kept in the mapping's flags */
};

struct advice {
	u8 kind;
	bool anonymous; /* only for private anonymous memory */
	bool unlocked;	/* not for locked memory */
	u32 set, clear;
};

static const struct advice advices[] = {
	[MADV_NORMAL] = {.kind = HINT},
	[MADV_RANDOM] = {.kind = HINT},
	[MADV_SEQUENTIAL] = {.kind = HINT},
	[MADV_WILLNEED] = {.kind = HINT},
	[MADV_DONTNEED] = {.kind = ACTION, .unlocked = true},
	[MADV_FREE] = {.kind = ACTION, .anonymous = true, .unlocked = true},
	[MADV_REMOVE] = {.kind = ACTION, .unlocked = true},
	[MADV_DONTFORK] = {.kind = FLAG, .set = VMA_DONTFORK},
	[MADV_DOFORK] = {.kind = FLAG, .clear = VMA_DONTFORK},
	[MADV_MERGEABLE] = {.kind = IGNORED},
	[MADV_UNMERGEABLE] = {.kind = IGNORED},
	[MADV_HUGEPAGE] = {.kind = HINT},
	[MADV_NOHUGEPAGE] = {.kind = HINT},
	[MADV_DONTDUMP] = {.kind = FLAG, .set = VMA_DONTDUMP},
	[MADV_DODUMP] = {.kind = FLAG, .clear = VMA_DONTDUMP},
	[MADV_WIPEONFORK] = {.kind = FLAG, .anonymous = true, .set = VMA_WIPEONFORK},
	[MADV_KEEPONFORK] = {.kind = FLAG, .clear = VMA_WIPEONFORK},
	[MADV_COLD] = {.kind = HINT, .unlocked = true},
	[MADV_PAGEOUT] = {.kind = HINT, .unlocked = true},
	[ADV_POPULATE_READ] = {.kind = ACTION},
	[ADV_POPULATE_WRITE] = {.kind = ACTION},
	[ADV_COLLAPSE] = {.kind = HINT},
};

static int host_advise(const struct vma_walk *w, int advice)
{
	int ret = 0;

	for (uaddr_t at = w->from; !ret && at < w->to; at += USER_MAX_LEN)
		ret = mc_advise(at, min(w->to - at, (u64)USER_MAX_LEN), advice);
	return ret;
}

static int set_flags(struct mm *mm, const struct vma_walk *w, const struct advice *a)
{
	if (vma_reserve(mm, 2))
		return -ENOMEM;
	vma_split(mm, w->from);
	vma_split(mm, w->to);
	vma_set_flags(mm, w->from, w->to, a->clear, a->set);
	vma_merge(mm, w->from, w->to);
	return 0;
}

static int advise_part(const struct vma_walk *w, const struct vma *v, int advice)
{
	const struct advice *a = &advices[advice];

	if (v->flags & VMA_KERNEL)
		return -EINVAL;
	if (a->unlocked && v->flags & MAP_LOCKED)
		return -EINVAL;
	if (a->anonymous && (v->file || !(v->flags & MAP_PRIVATE)))
		return -EINVAL;
	if (advice == MADV_REMOVE && !(v->flags & MAP_SHARED && v->prot & PROT_WRITE))
		return v->flags & MAP_SHARED ? -EACCES : -EINVAL;
	switch (a->kind) {
	case FLAG:
		return set_flags(w->mm, w, a);
	case HINT:
		host_advise(w, advice);
		return 0;
	case ACTION:
		return host_advise(w, advice);
	default:
		return 0;
	}
}

static bool known(int advice)
{
	return advice >= 0 && (size_t)advice < ARRAY_SIZE(advices) &&
	       advices[advice].kind != UNKNOWN;
}

/* Page aligned start, rounded length, inside the user half. `bad`: for a range that is not. */
static int range_args(u64 addr, u64 *len, int bad)
{
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (*len > USER_END || addr > USER_END - *len)
		return bad;
	*len = PAGE_ALIGN(*len);
	return 0;
}

long sys_madvise(u64 addr, u64 len, u64 behavior)
{
	struct vma_walk w = {.mm = current->mm, .pos = addr};
	int advice = (int)behavior, ret;
	struct vma *v;

	if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE)
		return -EPERM;
	if (!known(advice))
		return -EINVAL;
	ret = range_args(addr, &len, -EINVAL);
	if (ret || !len)
		return ret;
	w.end = addr + len;
	guard(&w.mm->lock);
	while (!ret && (v = vma_walk_next(&w)))
		ret = advise_part(&w, v, advice);
	return ret ? ret : w.gap ? -ENOMEM : 0;
}

/* What one process may do to another's memory has no effect on what is in it: the host decides where pages are. */
static bool is_harmless(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED || advice == ADV_COLLAPSE;
}

static int advise_other(struct mm *mm, const struct mc_iovec *v, int advice)
{
	struct vma_walk w = {.mm = mm, .pos = v->base};
	u64 len = v->len;
	int ret = range_args(v->base, &len, -EINVAL);

	if (ret || !len)
		return ret;
	w.end = v->base + len;
	guard(&mm->lock);
	while (!ret && vma_walk_next(&w))
		;
	if (mm == current->mm && !w.gap)
		mc_advise(v->base, min(len, (u64)USER_MAX_LEN), advice);
	return w.gap ? -ENOMEM : 0;
}

/* With references of both, or an error. */
static int advised_process(int pidfd, int advice, struct mm **mm)
{
	struct process *p = pidfd_process(pidfd);
	int ret = 0;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	mutex_lock(&tasklist_lock);
	if (!is_harmless(advice))
		ret = -EINVAL;
	else if (!p->leader || !p->leader->mm)
		ret = -ESRCH;
	else if (p != current->proc && !ptrace_may_access(p->leader, PTRACE_ACCESS_FS))
		ret = -EACCES;
	else
		*mm = mm_get(p->leader->mm);
	mutex_unlock(&tasklist_lock);
	process_put(p);
	return ret;
}

static s64 advise_all(struct mm *mm, const struct mc_iovec *v, u64 n, int advice)
{
	s64 done = 0;

	for (u64 i = 0; i < n; i++) {
		int ret = advise_other(mm, &v[i], advice);

		if (ret)
			return done ? done : ret;
		done += (s64)v[i].len;
	}
	return done;
}

long sys_process_madvise(u64 pidfd, u64 iov, u64 n, u64 behavior, u64 flags)
{
	struct mc_iovec *v __kfree = NULL;
	struct mm *mm = NULL;
	s64 ret;

	if (flags || n > UIO_MAX)
		return -EINVAL;
	v = kmalloc((n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (mc_copy_from_user(v, iov, n * sizeof(*v)))
		return -EFAULT;
	ret = advised_process((int)pidfd, (int)behavior, &mm);
	if (ret)
		return ret;
	if (mm != current->mm && !capable(CAP_SYS_NICE))
		ret = -EPERM;
	else
		ret = advise_all(mm, v, n, (int)behavior);
	mm_put(mm);
	return ret;
}

/* It has exited, or will as soon as it runs. */
static bool is_dying(const struct process *p)
{
	sigmask_t pending = p->pending.set | p->leader->pending.set;

	return p->group_exiting || (pending & 1ULL << (SIGKILL - 1));
}

/* A process that dies gives its memory back by itself, and at once: there is nothing to hurry. */
long sys_process_mrelease(u64 pidfd, u64 flags)
{
	struct process *p;
	long ret = 0;

	if ((u32)flags)
		return -EINVAL;
	p = pidfd_process((int)pidfd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	mutex_lock(&tasklist_lock);
	if (!p->leader || !p->leader->mm)
		ret = -ESRCH;
	else if (!is_dying(p))
		ret = -EINVAL;
	mutex_unlock(&tasklist_lock);
	process_put(p);
	return ret;
}

/* The next file that is to be written, with a reference: nothing waits for a disk with the lock. NULL: none is left. */
static struct file *sync_next(struct vma_walk *w, int flags, int *ret)
{
	struct vma *v;

	guard(&w->mm->lock);
	while ((v = vma_walk_next(w))) {
		if (flags & MS_INVALIDATE && v->flags & MAP_LOCKED) {
			*ret = -EBUSY;
			return NULL;
		}
		if (flags & MS_SYNC && v->flags & MAP_SHARED && v->file)
			return file_get(v->file);
	}
	return NULL;
}

/* Of a file all of it: as much as is asked for, and more. To begin with it, or to drop what is cached, is nothing to do. */
long sys_msync(u64 addr, u64 len, u64 how)
{
	struct vma_walk w = {.mm = current->mm, .pos = addr};
	int flags = (int)how, ret;
	struct file *f;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if ((flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	ret = range_args(addr, &len, -ENOMEM);
	if (ret || !len)
		return ret;
	w.end = addr + len;
	while (!ret && (f = sync_next(&w, flags, &ret))) {
		ret = vfs_fsync(f, true);
		file_put(f);
	}
	return ret ? ret : w.gap ? -ENOMEM : 0;
}

static int resident(struct mm *mm, uaddr_t addr, u64 len, u8 *vec)
{
	struct vma_walk w = {.mm = mm, .pos = addr, .end = addr + len};
	struct vma *v;
	int ret = 0;

	guard(&mm->lock);
	while (!ret && (v = vma_walk_next(&w))) {
		u8 *at = vec + (w.from - addr) / PAGE_SIZE;

		/* What the host caches of a file is not the guest's to know: as who neither made it nor may write it is told on Linux. */
		if (v->flags & VMA_KERNEL || v->file)
			memset(at, 1, (w.to - w.from) / PAGE_SIZE);
		else
			ret = mc_resident(w.from, w.to - w.from, at);
	}
	return ret ? ret : w.gap ? -ENOMEM : 0;
}

#define VEC_PAGES 512u

long sys_mincore(u64 addr, u64 len, u64 vec)
{
	u8 buf[VEC_PAGES];
	int ret = range_args(addr, &len, -ENOMEM);

	for (u64 done = 0, n; !ret && done < len; done += n) {
		n = min(len - done, VEC_PAGES * PAGE_SIZE);
		ret = resident(current->mm, addr + done, n, buf);
		/* Outside mm->lock: a user copy may fault. */
		if (!ret)
			ret = mc_copy_to_user(vec + done / PAGE_SIZE, buf, n / PAGE_SIZE);
	}
	return ret;
}
