// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of guest processes and page tables: counted, and kept on a list when nobody has them. Those that were never
 * used are taken last: the host makes a page when it is touched first.
 */
#include "kvm_impl.h"

#define HUGE_PAGE 0x200000ULL

struct frame {
	u32 refs;
	u32 next; /* on the free list: number of the next one, plus 1 */
};

static struct spinlock lock;
static struct frame *frames;
static u32 free_first, fresh, total; /* numbers, plus 1; the first never used; how many there are */
static u64 arena_used;

void *arena_alloc(size_t len)
{
	u64 at = __atomic_fetch_add(&arena_used, PAGE_ALIGN(len), __ATOMIC_RELAXED);

	return at + len <= KVM_ARENA_SIZE ? direct(KVM_ARENA_GPA + at) : NULL;
}

void *mc_heap_grow(size_t len)
{
	static u64 used;
	u64 at = __atomic_fetch_add(&used, len, __ATOMIC_RELAXED);

	if (at + len <= KHEAP_MAX)
		return direct(KVM_HEAP_GPA + at);
	__atomic_fetch_sub(&used, len, __ATOMIC_RELAXED);
	return NULL;
}

void frames_init(void)
{
	u64 size = BOOT->mem_total & ~(HUGE_PAGE - 1); /* as the hypervisor rounds it */

	total = (u32)(min(size, (u64)KVM_RAM_MAX) / PAGE_SIZE);
	frames = arena_alloc(total * sizeof(*frames));
	if (!frames)
		panic("no room for the table of %u pages", total);
}

u64 frames_size(void) { return (u64)total * PAGE_SIZE; }
static u64 address(u32 n) { return KVM_RAM_GPA + (u64)n * PAGE_SIZE; }
static struct frame *frame_of(u64 gpa) { return &frames[(gpa - KVM_RAM_GPA) / PAGE_SIZE]; }

static u64 take(bool *is_zero)
{
	u32 n = 0;

	spin_lock(&lock);
	*is_zero = !free_first;
	if (free_first) {
		n = free_first;
		free_first = frames[n - 1].next;
	} else if (fresh < total) {
		n = ++fresh;
	}
	spin_unlock(&lock);
	if (!n)
		return 0;
	frames[n - 1].refs = 1;
	return address(n - 1);
}

u64 frame_alloc(void)
{
	bool is_zero;
	u64 gpa = take(&is_zero);

	if (gpa && !is_zero)
		memset(direct(gpa), 0, PAGE_SIZE);
	return gpa;
}

u64 frame_alloc_dirty(void)
{
	bool is_zero;

	return take(&is_zero);
}

void frame_get(u64 gpa) { __atomic_fetch_add(&frame_of(gpa)->refs, 1, __ATOMIC_RELAXED); }
u32 frame_refs(u64 gpa) { return __atomic_load_n(&frame_of(gpa)->refs, __ATOMIC_ACQUIRE); }

void frame_put(u64 gpa)
{
	struct frame *f = frame_of(gpa);

	if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	spin_lock(&lock);
	f->next = free_first;
	free_first = (u32)(f - frames) + 1;
	spin_unlock(&lock);
}
