/* SPDX-License-Identifier: Apache-2.0 */
/* brk. */
#include "brought.h"
#include "internal.h"
#include "syscall.h"

static bool over_limit(const struct mm *mm, uaddr_t brk)
{
	u64 limit = rlimit(RLIMIT_DATA);

	return limit != RLIM_INFINITY &&
	       (brk - mm->brk_start) + (mm->data_end - mm->data_start) > limit;
}

static int grow(struct mm *mm, uaddr_t from, uaddr_t to)
{
	struct vma v = {.start = from,
			.end = to,
			.prot = PROT_READ | PROT_WRITE,
			.flags = MAP_PRIVATE | (mm->def_flags & MAP_LOCKED),
			.name = "[heap]",
			.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC};
	struct vma *above = vma_find_above(mm, from);
	int ret;

	if (!user_range_ok(from, to - from) || mm->nvmas >= MAX_MAP_COUNT)
		return -ENOMEM;
	/* One page is kept free towards the next mapping, or what a stack may need. */
	if (above && above->start < to + (above->flags & MAP_GROWSDOWN ? STACK_GUARD : PAGE_SIZE))
		return -ENOMEM;
	ret = limit_space(mm, to - from, v.prot, v.flags);
	if (!ret && v.flags & MAP_LOCKED)
		ret = limit_locked(mm, to - from);
	if (!ret)
		ret = vma_reserve(mm, 1);
	if (!ret)
		ret = host_map(&v, v.flags & MAP_LOCKED);
	if (!ret)
		vma_insert(mm, &v);
	return ret;
}

static int set_brk(struct mm *mm, uaddr_t brk, struct dead_files *dead)
{
	uaddr_t old_end = PAGE_ALIGN(mm->brk), new_end = PAGE_ALIGN(brk);
	int ret = 0;

	if (brk < mm->brk_start || brk > USER_END || over_limit(mm, brk))
		return -ENOMEM;
	if (new_end < old_end)
		ret = unmap_range(mm, new_end, old_end, dead);
	else if (new_end > old_end)
		ret = grow(mm, old_end, new_end);
	if (!ret)
		mm->brk = brk;
	return ret;
}

/* No errors: the result is the break as it is now. */
long sys_brk(u64 brk)
{
	struct mm *mm = current->mm;
	struct dead_files dead = {0};
	uaddr_t now;

	brought_pass();
	mutex_lock(&mm->lock);
	set_brk(mm, brk, &dead);
	now = mm->brk;
	mutex_unlock(&mm->lock);
	dead_files_put(&dead);
	return (long)now;
}
