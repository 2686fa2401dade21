/* SPDX-License-Identifier: Apache-2.0 */
/* Address-space policy: which ranges exist and what they are. The mechanism is the machine's. */
#ifndef MM_H
#define MM_H

#include "layout.h"
#include "sync.h"

struct file;
struct task;

/* An object shared by processes through memory: identity for futex keys and /proc/pid/maps. */
struct vma {
	uaddr_t start, end;
	u32 prot;  /* PROT_* */
	u32 flags; /* MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_LOCKED and VMA_* */
	struct file *file; /* reference; NULL: anonymous */
	u64 off;           /* bytes */
	const char *name;  /* static: "[heap]", "[stack]", "[vdso]" or NULL */
	u64 shm_id;        /* anonymous MAP_SHARED: identity, kept over fork; off is the place in that memory */
	u32 max_prot;      /* what mprotect may give (a read-only file mapped shared) */
};
#define VMA_DONTFORK 0x1000000u
#define VMA_WIPEONFORK 0x2000000u
#define VMA_DONTDUMP 0x4000000u
#define VMA_WRITTEN 0x10000000u /* private, of a file: was writable once (relocations) */
#define VMA_KERNEL 0x8000000u /* the machine's (trampolines, vdso): may not be changed by user calls, not in maps' totals */

/* The mappings are sorted by address, in leaves: what a change moves is a part of one leaf (kernel/mm/leaf.c). */
#define VMA_LEAF 32u
struct vma_leaf {
	struct vma *v;
	u32 n;       /* never 0 */
	u64 gap;     /* what is free between two of them is not longer; ~0: not known */
	uaddr_t low; /* with gap: the lowest address kept free for one of them */
};

/* A place among the mappings; {0} is before the first one. */
struct vma_iter {
	u32 leaf, at;
};

struct mm {
	refcount_t ref;    /* tasks */
	struct mutex lock;
	struct vma_leaf *leaves;
	u32 nleaves, room;
	struct vma_iter found; /* by the last search */
	void *spare; /* leaves for what vma_reserve() has promised, each with the next in its first word */
	u32 nspare, nvmas;
	u32 nkept; /* of them: memory that is kept for remap_file_pages (mm/shuffle.c) */
	u64 total_pages, locked_pages, data_pages, stack_pages;
	uaddr_t brk_start, brk, mmap_base, stack_top;
	uaddr_t code_start, code_end, data_start, data_end;
	uaddr_t arg_start, arg_end, env_start, env_end;
	u64 auxv[64];
	int auxv_len; /* u64s */
	struct file *exe;
	u64 id; /* unique, never reused: key of private futexes */
	struct mm_patch *patch; /* machine-independent state of call site patching, if any */
	u32 def_flags; /* mlockall(MCL_FUTURE) */
	bool shared; /* something is, or was, mapped that others may write: mapping_tells() */
	bool membarrier; /* registered for MEMBARRIER_CMD_PRIVATE_EXPEDITED */
	struct list_head aio; /* contexts of io_setup(2), fs/aio.c, under its lock; next NULL: none yet */
};

/* Of the vdso, where it is the machine's (mc_vdso) and outside the user half: what there is of it in every Linux. */
#define VDSO_SIZE (2 * PAGE_SIZE)
uaddr_t mm_vdso(const struct mm *mm); /* where programs of this space have it; 0: nowhere, or it is an ordinary mapping */

struct mm *mm_new(void);
struct mm *mm_get(struct mm *mm);
struct mm *mm_copy(struct mm *mm); /* for fork: policy only, honours DONTFORK/WIPEONFORK lists in *ops; NULL: no memory */
void aio_mm_end(struct mm *mm); /* nobody uses it any more */
void mm_put(struct mm *mm);        /* frees the policy; the machine drops the space itself */
/* After fork, in the child: apply DONTFORK and WIPEONFORK to the copied space. */
void mm_fork_child(struct mm *mm);

/* All with mm->lock held. */
struct vma *vma_find(struct mm *mm, uaddr_t addr);             /* the one that contains addr, or NULL */
struct vma *vma_find_above(struct mm *mm, uaddr_t addr);       /* contains addr or the next above */
struct vma *vma_next(const struct mm *mm, struct vma_iter *it); /* the one at *it, which moves on; NULL: there is none */
uaddr_t mm_find_gap(struct mm *mm, u64 len, uaddr_t hint, uaddr_t low, uaddr_t high); /* top down from high; 0: none */

/* Takes mm->lock. addr: with MAP_FIXED*, or hint. Returns the address or -errno. Takes its own reference to file. */
s64 mm_map(struct mm *mm, uaddr_t addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off, const char *name);
int mm_unmap(struct mm *mm, uaddr_t addr, u64 len);
bool user_range_ok(uaddr_t addr, u64 len);
/* A fault where nothing is mapped: does what grows down from above reach there now? Takes mm->lock. */
bool mm_grow_down(struct mm *mm, uaddr_t addr);
/*
 * For the machine: take a page (VMA_KERNEL, read and execute) that a 5-byte jump reaches from `near` and from
 * some way around it. 0: there is no room. The machine maps it. Takes mm->lock.
 */
uaddr_t mm_trampoline_page(struct mm *mm, uaddr_t near);

/* For futexes: what the word at addr belongs to. shared false: private mapping or anonymous private. */
struct futex_key {
	u64 a, b, c; /* private: mm id, address; shared: inode/shm identity, offset */
};
int mm_futex_key(struct mm *mm, uaddr_t addr, struct futex_key *key);

#endif
