/* SPDX-License-Identifier: Apache-2.0 */
/* mprotect. */
#include "internal.h"
#include "syscall.h"

#define PROT_RWX   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define PROT_GROWS (PROT_GROWSDOWN | PROT_GROWSUP)

/* How far from start, at most to end, the change is allowed. *ret: why no further. */
static uaddr_t allowed_until(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot, int *ret)
{
	struct vma_walk w = {.mm = mm, .pos = start, .end = end};
	uaddr_t until = start;
	struct vma *v;

	while ((v = vma_walk_next(&w)) && !w.gap) {
		*ret = -EACCES;
		if (prot & ~v->max_prot || v->flags & VMA_KERNEL)
			return until;
		*ret = -ENOMEM;
		if (!(v->prot & PROT_WRITE) && limit_data(mm, w.to - w.from, prot, v->flags))
			return until;
		until = w.to;
	}
	*ret = w.gap ? -ENOMEM : 0;
	return until;
}

/* As Linux does, what lies before the first obstacle is changed all the same. */
static int protect_range(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot)
{
	int why = 0, ret;
	uaddr_t until = allowed_until(mm, start, end, prot, &why);

	if (until == start)
		return why;
	ret = vma_reserve(mm, 2);
	if (!ret)
		ret = host_protect(start, until - start, prot);
	if (ret)
		return ret;
	vma_split(mm, start);
	vma_split(mm, until);
	vma_set_prot(mm, start, until, prot);
	vma_merge(mm, start, until);
	return why;
}

static int protect_locked(struct mm *mm, uaddr_t start, uaddr_t end, u32 prot)
{
	if (prot & PROT_GROWS) {
		struct vma *v = vma_find(mm, start);

		if (!v)
			return -ENOMEM;
		if (!(v->flags & MAP_GROWSDOWN) || prot & PROT_GROWSUP)
			return -EINVAL;
		start = v->start;
	}
	return protect_range(mm, start, end, prot & PROT_RWX);
}

long sys_mprotect(u64 addr, u64 len, u64 prot)
{
	struct mm *mm = current->mm;
	u32 bits = (u32)prot;

	if ((bits & PROT_GROWS) == PROT_GROWS || addr & ~PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	if (len > USER_END || addr > USER_END - len)
		return -ENOMEM;
	if (bits & ~(u32)(PROT_RWX | PROT_SEM | PROT_GROWS))
		return -EINVAL;
	guard(&mm->lock);
	return protect_locked(mm, addr, addr + PAGE_ALIGN(len), bits);
}

/* Protection keys are not offered: only the default key, -1, is known. */
long sys_pkey_mprotect(u64 addr, u64 len, u64 prot, u64 pkey)
{
	return (int)pkey == -1 ? sys_mprotect(addr, len, prot) : -EINVAL;
}
