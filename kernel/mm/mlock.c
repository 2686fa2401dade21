/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory locks: accounted against RLIMIT_MEMLOCK and faulted in, but not pinned: whether
 * the host swaps is the host's affair.
 */
#include "cred.h"
#include "internal.h"
#include "syscall.h"

#define ADV_POPULATE_READ 22
#define MCL_CURRENT_FLAG  1u
#define MCL_FUTURE_FLAG	  2u
#define MCL_ONFAULT_FLAG  4u

static int may_lock(void)
{
	return rlimit(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK) ? 0 : -EPERM;
}

/* Pages of [start, end) that are locked already: they must not be counted twice. */
static u64 locked_in(struct mm *mm, uaddr_t start, uaddr_t end)
{
	struct vma_walk w = {.mm = mm, .pos = start, .end = end};
	struct vma *v;
	u64 sum = 0;

	while ((v = vma_walk_next(&w)))
		sum += v->flags & MAP_LOCKED ? w.to - w.from : 0;
	return sum;
}

static void populate(const struct vma_walk *w, const struct vma *v)
{
	if (v->prot & PROT_READ && !(v->flags & VMA_KERNEL))
		mc_advise(w->from, min(w->to - w->from, (u64)USER_MAX_LEN), ADV_POPULATE_READ);
}

/* Set or clear MAP_LOCKED up to the first gap. */
static int lock_range(struct mm *mm, uaddr_t start, uaddr_t end, bool lock, bool fault_in)
{
	struct vma_walk w = {.mm = mm, .pos = start, .end = end};
	uaddr_t until = start;
	struct vma *v;

	if (vma_reserve(mm, 2))
		return -ENOMEM;
	while ((v = vma_walk_next(&w)) && !w.gap) {
		if (lock && fault_in)
			populate(&w, v);
		until = w.to;
	}
	if (until > start) {
		vma_split(mm, start);
		vma_split(mm, until);
		vma_set_flags(mm, start, until, lock ? 0 : MAP_LOCKED, lock ? MAP_LOCKED : 0);
		vma_merge(mm, start, until);
	}
	return w.gap ? -ENOMEM : 0;
}

/* Linux rounds the start down, unlike for most calls. */
static int align_args(u64 *addr, u64 *len)
{
	u64 in_page = *addr & ~PAGE_MASK;

	if (*len > USER_END || *addr > USER_END - *len)
		return -ENOMEM;
	*addr -= in_page;
	*len = PAGE_ALIGN(*len + in_page);
	return 0;
}

static long do_mlock(u64 addr, u64 len, bool fault_in)
{
	struct mm *mm = current->mm;
	int ret = may_lock();

	if (!ret)
		ret = align_args(&addr, &len);
	if (ret)
		return ret;
	guard(&mm->lock);
	if (limit_locked(mm, len - min(len, locked_in(mm, addr, addr + len))))
		return -ENOMEM;
	return lock_range(mm, addr, addr + len, true, fault_in);
}

long sys_mlock(u64 addr, u64 len)
{
	return do_mlock(addr, len, true);
}

long sys_mlock2(u64 addr, u64 len, u64 flags)
{
	if ((int)flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(addr, len, !((int)flags & MLOCK_ONFAULT));
}

long sys_munlock(u64 addr, u64 len)
{
	struct mm *mm = current->mm;
	int ret = align_args(&addr, &len);

	if (ret)
		return ret;
	guard(&mm->lock);
	return lock_range(mm, addr, addr + len, false, false);
}

/* All of them, gaps and all. */
static void lock_all(struct mm *mm, bool lock)
{
	vma_set_flags(mm, 0, USER_END, lock ? 0 : MAP_LOCKED, lock ? MAP_LOCKED : 0);
	vma_merge(mm, 0, USER_END);
}

long sys_mlockall(u64 how)
{
	struct mm *mm = current->mm;
	u32 flags = (u32)how;
	int ret;

	if (!flags || flags & ~(MCL_CURRENT_FLAG | MCL_FUTURE_FLAG | MCL_ONFAULT_FLAG) ||
	    flags == MCL_ONFAULT_FLAG)
		return -EINVAL;
	ret = may_lock();
	if (ret)
		return ret;
	guard(&mm->lock);
	if (flags & MCL_CURRENT_FLAG &&
	    limit_locked(mm, (mm->total_pages - mm->locked_pages) * PAGE_SIZE))
		return -ENOMEM;
	mm->def_flags = flags & MCL_FUTURE_FLAG ? MAP_LOCKED : 0;
	if (flags & MCL_CURRENT_FLAG)
		lock_all(mm, true);
	return 0;
}

long sys_munlockall(void)
{
	struct mm *mm = current->mm;

	guard(&mm->lock);
	mm->def_flags = 0;
	lock_all(mm, false);
	return 0;
}
