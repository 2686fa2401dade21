/* SPDX-License-Identifier: Apache-2.0 */
/* mmap and munmap. */
#include "brought.h"
#include "internal.h"
#include "memfile.h"
#include "syscall.h"

/* Ignored or served elsewhere, but allowed with MAP_SHARED_VALIDATE. */
#define KNOWN_FLAGS                                                                                \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |        \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |   \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE)
#define KEPT_FLAGS (MAP_GROWSDOWN | MAP_NORESERVE | MAP_LOCKED | VMA_KERNEL)
#define ANY_FIXED  (MAP_FIXED | MAP_FIXED_NOREPLACE)

#define LOW_START 0x40000000ULL /* MAP_32BIT */
#define LOW_END	  0x80000000ULL
#define HINT_MIN  0x10000ULL

static u64 next_shm_id;

bool user_range_ok(uaddr_t addr, u64 len)
{
	return addr >= USER_START && len <= USER_END && addr <= USER_END - len;
}

static bool hint_fits(struct mm *mm, uaddr_t hint, u64 len)
{
	struct vma *v;

	if (hint < HINT_MIN || !user_range_ok(hint, len))
		return false;
	v = vma_find_above(mm, hint);
	return !v || hint + len <= vma_guarded_start(v);
}

uaddr_t mm_find_gap(struct mm *mm, u64 len, uaddr_t hint, uaddr_t low, uaddr_t high)
{
	if (hint && hint_fits(mm, hint, len))
		return hint;
	return vma_gap_below(mm, len, max(low, (uaddr_t)USER_START), min(high, (uaddr_t)USER_END));
}

/* Where [addr, addr+len) goes, or -errno. */
static s64 choose_address(struct mm *mm, uaddr_t addr, u64 len, u32 flags)
{
	uaddr_t found;

	if (flags & ANY_FIXED) {
		if (addr & ~PAGE_MASK)
			return -EINVAL;
		if (!user_range_ok(addr, len))
			return addr < USER_START ? -EPERM : -ENOMEM;
		if ((flags & MAP_FIXED_NOREPLACE) && vma_overlaps(mm, addr, addr + len))
			return -EEXIST;
		return vma_kernel_in(mm, addr, addr + len) ? -ENOMEM : (s64)addr;
	}
	addr &= PAGE_MASK;
	if (flags & MAP_32BIT)
		found = mm_find_gap(mm, len, addr < LOW_END - len ? addr : 0, LOW_START, LOW_END);
	else
		found = mm_find_gap(mm, len, addr, 0, mm->mmap_base);
	if (!found && !(flags & MAP_32BIT))
		found = mm_find_gap(mm, len, 0, 0, USER_END);
	return found ? (s64)found : -ENOMEM;
}

/* What the mount and the way the file was opened allow. */
static int check_file_access(struct vma *v, struct file *f)
{
	bool shared = v->flags & MAP_SHARED;

	if (shared && (v->prot & PROT_WRITE) && !(f->mode & FMODE_WRITE))
		return -EACCES;
	if (!(f->mode & (FMODE_READ | FMODE_EXEC)))
		return -EACCES;
	if (shared && !(f->mode & FMODE_WRITE))
		v->max_prot &= ~(u32)PROT_WRITE;
	if (file_mount_flags(f) & MS_NOEXEC) {
		if (v->prot & PROT_EXEC)
			return -EPERM;
		v->max_prot &= ~(u32)PROT_EXEC;
	}
	return 0;
}

/* Let the file decide. It may turn the mapping into an anonymous one (/dev/zero), or give another
 * file. */
static int prepare_file(struct vma *v)
{
	struct file *f = v->file;
	int ret = check_file_access(v, f);

	if (ret)
		return ret;
	if (!f->ops || !f->ops->mmap || v->flags & MAP_GROWSDOWN)
		return f->ops && f->ops->mmap ? -EINVAL : -ENODEV;
	return f->ops->mmap(f, v);
}

static int check_type(u32 flags, bool file)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (!file)
			return -EINVAL;
		return flags & ~(u32)KNOWN_FLAGS ? -EOPNOTSUPP : 0;
	case MAP_SHARED:
		return !file && (flags & MAP_GROWSDOWN) ? -EINVAL : 0;
	case MAP_PRIVATE:
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_request(uaddr_t addr, u64 len, u32 flags, struct file *file, u64 off)
{
	if (!len)
		return -EINVAL;
	if (len > USER_END || flags & MAP_HUGETLB)
		return -ENOMEM;
	if (off + len < off)
		return -EOVERFLOW;
	return check_type(flags, file != NULL);
}

static int check_limits(struct mm *mm, const struct vma *v)
{
	int ret;

	if (mm->nvmas >= MAX_MAP_COUNT)
		return -ENOMEM;
	if (v->flags & MAP_LOCKED) {
		ret = limit_locked(mm, vma_len(v));
		if (ret)
			return ret;
	}
	ret = limit_space(mm, vma_len(v), v->prot, v->flags);
	/* One for the mapping, two for what it cuts in two. */
	return ret ? ret : vma_reserve(mm, 3);
}

/* Put v on the machine and in the list; what was there goes. */
static int install(struct mm *mm, struct vma *v, bool populate, struct dead_files *dead)
{
	int ret = check_limits(mm, v);

	if (!ret)
		ret = memfile_check_map(v);
	if (ret)
		return ret;
	if (v->flags & MAP_SHARED && mapping_tells(v))
		mm->shared = true;
	if (!v->file && v->flags & MAP_SHARED) {
		v->shm_id = __atomic_add_fetch(&next_shm_id, 1, __ATOMIC_RELAXED);
		v->off = 0;
	}
	ret = host_map(v, populate);
	if (ret)
		return ret;
	ret = vma_remove(mm, v->start, v->end, dead);
	if (!ret)
		vma_insert(mm, v);
	return ret;
}

static s64 map_locked(struct mm *mm, struct vma *v, uaddr_t addr, u32 flags,
		      struct dead_files *dead)
{
	u64 len = vma_len(v);
	s64 where = choose_address(mm, addr, len, flags);
	bool populate = flags & (MAP_POPULATE | MAP_LOCKED) && !(flags & MAP_NONBLOCK);
	int ret;

	if (where < 0)
		return where;
	v->start = (uaddr_t)where;
	v->end = v->start + len;
	v->flags |= mm->def_flags & MAP_LOCKED;
	ret = install(mm, v, populate, dead);
	return ret ? ret : where;
}

s64 mm_map(struct mm *mm, uaddr_t addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off,
	   const char *name)
{
	struct dead_files dead = {0};
	struct vma v = {.prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
			.file = file,
			.off = file ? off : 0,
			.name = name,
			.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC};
	s64 ret;

	if (len > ~0ULL - PAGE_SIZE)
		return -ENOMEM;
	len = PAGE_ALIGN(len);
	ret = check_request(addr, len, flags, file, off);
	if (ret)
		return ret;
	v.end = len;
	v.flags = (flags & KEPT_FLAGS) |
		  ((flags & MAP_TYPE) == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED);
	ret = file ? prepare_file(&v) : 0;
	if (ret)
		return ret;
	mutex_lock(&mm->lock);
	ret = map_locked(mm, &v, addr, flags, &dead);
	mutex_unlock(&mm->lock);
	dead_files_put(&dead);
	return ret;
}

int unmap_range(struct mm *mm, uaddr_t start, uaddr_t end, struct dead_files *dead)
{
	struct vma *v;
	int ret;

	v = vma_find_above(mm, start);
	if (!v || v->start >= end)
		return 0;
	if (vma_kernel_in(mm, start, end))
		return -EINVAL;
	if (mm->nvmas >= MAX_MAP_COUNT && v->start < start && v->end > end)
		return -ENOMEM; /* a hole in one mapping makes two */
	ret = vma_reserve(mm, 2);
	if (!ret)
		ret = host_unmap(start, end - start);
	return ret ? ret : vma_remove(mm, start, end, dead);
}

int mm_unmap(struct mm *mm, uaddr_t addr, u64 len)
{
	struct dead_files dead = {0};
	int ret;

	if (addr & ~PAGE_MASK || !len || len > USER_END || addr > USER_END - len)
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (addr < USER_START) {
		/* Nothing can be there. */
		if (addr + len <= USER_START)
			return 0;
		len -= USER_START - addr;
		addr = USER_START;
	}
	mutex_lock(&mm->lock);
	ret = unmap_range(mm, addr, addr + len, &dead);
	if (unlikely(mm->nkept))
		shuffled_forget(mm, &dead);
	mutex_unlock(&mm->lock);
	dead_files_put(&dead);
	return ret;
}

long sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 off)
{
	struct file *file __cleanup(file_put_cleanup) = NULL;

	if (off & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get_io((int)fd);
		if (!file)
			return -EBADF;
	} else {
		brought_pass();
	}
	return mm_map(current->mm, addr, len, (u32)prot, (u32)flags & ~VMA_FLAGS, file, off, NULL);
}

long sys_munmap(u64 addr, u64 len)
{
	return mm_unmap(current->mm, addr, len);
}

/* Pages of the machine's own, near code: how far a 5-byte jump reaches, with room for the code
 * itself. */
#define TRAMPOLINE_REACH 0x60000000ULL
/* A program may rely on the holes that it has made itself: those that are larger are likelier nobody's. */
#define TRAMPOLINE_GAP 0x2000000ULL
#define TRAMPOLINES_BESIDE 8 /* pages in a row */

/* Of the program: its data and what follows without a gap. 0: it has none. */
static uaddr_t program_end(struct mm *mm)
{
	struct vma *v = mm->data_end ? vma_find(mm, mm->data_end - 1) : NULL;
	uaddr_t end = 0;

	for (; v && (!end || v->start == end); v = vma_find_above(mm, end))
		end = v->end;
	return end;
}

/*
 * Where page tables are anyway, which each fork copies, and nobody maps anything: between a program and its heap, where
 * there is a random distance; and above what is mapped from the top down. A page from either.
 */
static uaddr_t trampoline_beside(struct mm *mm, uaddr_t near)
{
	const struct {
		uaddr_t from, to;
	} places[] = {{program_end(mm), mm->brk_start}, {mm->mmap_base, USER_END}};

	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		uaddr_t at = places[i].from + PAGE_SIZE, reach = max(at, near) - min(at, near);

		if (!places[i].from || reach > TRAMPOLINE_REACH)
			continue;
		for (u32 n = 0; n < TRAMPOLINES_BESIDE && at + 2 * PAGE_SIZE <= places[i].to; n++, at += PAGE_SIZE)
			if (hint_fits(mm, at, PAGE_SIZE))
				return at;
	}
	return 0;
}

/* Below rather than above: what follows a program is its heap. */
static uaddr_t trampoline_place(struct mm *mm, uaddr_t near, u64 gap)
{
	uaddr_t low = near > TRAMPOLINE_REACH ? near - TRAMPOLINE_REACH : 0;
	uaddr_t found = mm_find_gap(mm, gap, 0, low, near);

	if (!found)
		found = mm_find_gap(mm, gap, 0, near, near + TRAMPOLINE_REACH);
	return found ? found + (gap / 2 & PAGE_MASK) : 0;
}

uaddr_t mm_trampoline_page(struct mm *mm, uaddr_t near)
{
	struct vma v = {.prot = PROT_READ | PROT_EXEC,
			.flags = MAP_PRIVATE | VMA_KERNEL,
			.max_prot = PROT_READ | PROT_EXEC};

	near &= PAGE_MASK;
	guard(&mm->lock);
	if (vma_reserve(mm, 1))
		return 0;
	v.start = trampoline_beside(mm, near);
	if (!v.start)
		v.start = trampoline_place(mm, near, TRAMPOLINE_GAP);
	if (!v.start)
		v.start = trampoline_place(mm, near, PAGE_SIZE);
	if (!v.start)
		return 0;
	v.end = v.start + PAGE_SIZE;
	vma_insert(mm, &v);
	return v.start;
}
