/* SPDX-License-Identifier: Apache-2.0 */
/* mremap. */
#include "internal.h"
#include "syscall.h"

#define KNOWN_FLAGS (MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)

struct remap {
	struct mm *mm;
	uaddr_t addr;
	u64 old_len, new_len;
	u32 flags;
	uaddr_t to; /* MREMAP_FIXED, or a hint with MREMAP_DONTUNMAP */
	struct dead_files dead;
};

static int check_arguments(struct remap *r)
{
	if (r->flags & ~(u32)KNOWN_FLAGS || r->addr & ~PAGE_MASK)
		return -EINVAL;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (r->old_len > USER_END || r->new_len > USER_END)
		return -EINVAL;
	r->old_len = PAGE_ALIGN(r->old_len);
	r->new_len = PAGE_ALIGN(r->new_len);
	if (r->flags & MREMAP_DONTUNMAP && r->old_len != r->new_len)
		return -EINVAL;
	return r->new_len ? 0 : -EINVAL;
}

static int check_target(const struct remap *r)
{
	if (r->to & ~PAGE_MASK || !user_range_ok(r->to, r->new_len))
		return -EINVAL;
	if (r->addr + r->old_len > r->to && r->to + r->new_len > r->addr)
		return -EINVAL;
	return vma_kernel_in(r->mm, r->to, r->to + r->new_len) ? -EINVAL : 0;
}

/* The mapping at addr, if [addr, addr+old_len) may become new_len long. */
static int check_source(const struct remap *r, struct vma **out)
{
	struct vma *v = vma_find(r->mm, r->addr);
	u64 grown = r->new_len > r->old_len ? r->new_len - r->old_len : 0;
	u64 extra = r->flags & MREMAP_DONTUNMAP || !r->old_len ? r->new_len : grown;
	int ret;

	if (!v || v->flags & VMA_KERNEL)
		return -EFAULT;
	if (!r->old_len && v->flags & MAP_PRIVATE)
		return -EINVAL;
	if (r->old_len > v->end - r->addr)
		return -EFAULT;
	if ((v->file || v->shm_id) && v->off + (r->addr - v->start) + r->new_len < v->off)
		return -EINVAL;
	if (v->flags & MAP_LOCKED && extra) {
		ret = limit_locked(r->mm, extra);
		if (ret)
			return ret;
	}
	*out = v;
	return extra ? limit_space(r->mm, extra, v->prot, v->flags) : 0;
}

/* What [addr, addr+new_len) of v is like when it has been moved to `to`. */
static struct vma moved(const struct remap *r, const struct vma *v, uaddr_t to)
{
	struct vma n = *v;

	if (v->file || v->shm_id)
		n.off += r->addr - v->start;
	n.start = to;
	n.end = to + r->new_len;
	return n;
}

/* On the machine first; when that has worked nothing else can fail. v's file is held by the caller.
 */
static s64 move_to(struct remap *r, const struct vma *v, uaddr_t to)
{
	struct vma n = moved(r, v, to);
	int ret = vma_reserve(r->mm, 5);

	if (!ret)
		ret = mc_move(r->addr, r->old_len, to, r->new_len,
			      (int)(r->flags & MREMAP_DONTUNMAP));
	if (!ret)
		ret = vma_remove(r->mm, to, to + r->new_len, &r->dead);
	if (!ret && !(r->flags & MREMAP_DONTUNMAP) && r->old_len)
		ret = vma_remove(r->mm, r->addr, r->addr + r->old_len, &r->dead);
	if (ret)
		return ret;
	vma_insert(r->mm, &n);
	return (s64)to;
}

static s64 move_held(struct remap *r, struct vma *v, uaddr_t to)
{
	struct vma copy = *v;
	s64 ret;

	if (r->new_len > USER_MAX_LEN || r->old_len > USER_MAX_LEN)
		return -ENOMEM;
	if (r->mm->nvmas + 3 >= MAX_MAP_COUNT)
		return -ENOMEM;
	if (copy.file)
		file_get(copy.file);
	ret = move_to(r, &copy, to);
	if (copy.file)
		file_put(copy.file); /* not the last one: the list has it, or r->dead */
	return ret;
}

/* MREMAP_FIXED, or MREMAP_DONTUNMAP with an optional hint. */
static s64 remap_to(struct remap *r)
{
	struct vma *v;
	uaddr_t to = r->to;
	int ret = r->flags & MREMAP_FIXED ? check_target(r) : 0;

	if (ret)
		return ret;
	if (r->old_len > r->new_len) {
		ret = unmap_range(r->mm, r->addr + r->new_len, r->addr + r->old_len, &r->dead);
		if (ret)
			return ret;
		r->old_len = r->new_len;
	}
	ret = check_source(r, &v);
	if (ret)
		return ret;
	if (!(r->flags & MREMAP_FIXED))
		to = mm_find_gap(r->mm, r->new_len, r->to & PAGE_MASK, 0, r->mm->mmap_base);
	return to ? move_held(r, v, to) : -ENOMEM;
}

static bool room_behind(const struct remap *r, const struct vma *v)
{
	uaddr_t end = r->addr + r->new_len;

	return r->old_len == v->end - r->addr && user_range_ok(r->addr, r->new_len) &&
	       !vma_overlaps(r->mm, v->end, end) && end - v->start <= USER_MAX_LEN;
}

static s64 grow_in_place(struct remap *r, struct vma *v)
{
	struct vma more = *v;
	int ret = vma_reserve(r->mm, 1);

	if (!ret)
		ret = mc_move(r->addr, r->old_len, r->addr, r->new_len, 0);
	if (ret)
		return ret;
	if (v->file || v->shm_id)
		more.off += v->end - v->start;
	more.start = v->end;
	more.end = r->addr + r->new_len;
	vma_insert(r->mm, &more);
	return (s64)r->addr;
}

static s64 remap_locked(struct remap *r)
{
	struct vma *v;
	uaddr_t to;
	int ret;

	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(r);
	if (r->old_len >= r->new_len) {
		if (!vma_find(r->mm, r->addr))
			return -EFAULT;
		ret = r->old_len == r->new_len ? 0
					       : unmap_range(r->mm, r->addr + r->new_len,
							     r->addr + r->old_len, &r->dead);
		return ret ? ret : (s64)r->addr;
	}
	ret = check_source(r, &v);
	if (ret)
		return ret;
	if (r->old_len && room_behind(r, v))
		return grow_in_place(r, v);
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = mm_find_gap(r->mm, r->new_len, 0, 0, r->mm->mmap_base);
	return to ? move_held(r, v, to) : -ENOMEM;
}

long sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	struct remap r = {.mm = current->mm,
			  .addr = addr,
			  .old_len = old_len,
			  .new_len = new_len,
			  .flags = (u32)flags,
			  .to = new_addr};
	s64 ret = check_arguments(&r);

	if (ret)
		return ret;
	mutex_lock(&r.mm->lock);
	ret = remap_locked(&r);
	mutex_unlock(&r.mm->lock);
	dead_files_put(&r.dead);
	return ret;
}
