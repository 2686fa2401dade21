// SPDX-License-Identifier: Apache-2.0
/*
 * Pages of guest processes and page tables, in chunks that the host can back by a huge page each. Those that are in use already are
 * filled first, then free ones that the host has made pages for, then others. Page tables, which stay longer than what they
 * show, have chunks of their own. Free chunks that were not needed
 * for a while are given back: then, and before they are used first, they are zeros.
 */
#include "kvm_impl.h"

#define CHUNK_FRAMES (KVM_CHUNK / PAGE_SIZE)
#define KEEP 8u                       /* free chunks that are never given back: 16 MiB */
#define TRIM_AFTER (NSEC_PER_SEC / 2) /* others, if none of them was needed for so long */

struct frame {
	u32 refs;
	u32 next; /* on its chunk's free list: number of the next one, plus 1 */
};

enum use { FOR_DATA, FOR_TABLES, USES };

/* On one list, or on none if all of its frames are used. */
struct chunk {
	struct chunk *next, **pprev;
	u32 free_first; /* frames that are free and were used, by number, plus 1 */
	enum use use;
	u16 used, fresh; /* how many are used; the first that is zeros, and so are those behind it */
};

static struct spinlock lock;
static struct frame *frames;
static struct chunk *chunks, *part[USES], *empty, *clean; /* some frames used; none, but pages of the host; none, zeros */
static u32 total, nchunks, virgin; /* frames; chunks, and the first that is on no list yet */
static u32 nempty, least;	   /* the least nempty since trim_at was set */
static u64 trim_at;		   /* 0: nothing to be given back */
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
	u64 size = min(BOOT->mem_total & ~(u64)(KVM_CHUNK - 1), (u64)KVM_RAM_MAX); /* as the hypervisor rounds it */

	total = (u32)(size / PAGE_SIZE);
	nchunks = total / CHUNK_FRAMES;
	frames = arena_alloc(total * sizeof(*frames));
	chunks = arena_alloc(nchunks * sizeof(*chunks));
	if (!frames || !chunks)
		panic("no room for the table of %u pages", total);
}

u64 frames_size(void) { return (u64)total * PAGE_SIZE; }
static u64 address(u32 n) { return KVM_RAM_GPA + (u64)n * PAGE_SIZE; }
static struct frame *frame_of(u64 gpa) { return &frames[(gpa - KVM_RAM_GPA) / PAGE_SIZE]; }

static void put_on(struct chunk **list, struct chunk *c)
{
	c->next = *list;
	c->pprev = list;
	if (c->next)
		c->next->pprev = &c->next;
	*list = c;
}

static void take_off(struct chunk *c)
{
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
}

/* A chunk with a free frame, on the list of those that are used in part. */
static struct chunk *chunk_with_room(enum use use)
{
	struct chunk *c = part[use];

	if (c)
		return c;
	c = empty ? empty : clean;
	if (empty) {
		nempty--;
		least = min(least, nempty);
	}
	if (c)
		take_off(c);
	else if (virgin < nchunks)
		c = &chunks[virgin++];
	if (c) {
		c->use = use;
		put_on(&part[use], c);
	}
	return c;
}

static u64 take(enum use use, bool *is_zero)
{
	struct chunk *c;
	u32 n = 0;

	spin_lock(&lock);
	c = chunk_with_room(use);
	if (c) {
		*is_zero = !c->free_first;
		if (c->free_first) {
			n = c->free_first;
			c->free_first = frames[n - 1].next;
		} else {
			n = (u32)(c - chunks) * CHUNK_FRAMES + ++c->fresh;
		}
		if (++c->used == CHUNK_FRAMES)
			take_off(c);
	}
	spin_unlock(&lock);
	if (!n)
		return 0;
	frames[n - 1].refs = 1;
	return address(n - 1);
}

static u64 take_zeros(enum use use)
{
	bool is_zero;
	u64 gpa = take(use, &is_zero);

	if (gpa && !is_zero)
		memset(direct(gpa), 0, PAGE_SIZE);
	return gpa;
}

u64 frame_alloc(void) { return take_zeros(FOR_DATA); }

/* It is read before it is written: where the host has no page yet, that would be three exits and not one. */
u64 frame_alloc_table(void)
{
	u64 gpa = take_zeros(FOR_TABLES);

	if (gpa)
		WRITE_ONCE(*(u64 *)direct(gpa), 0);
	return gpa;
}

u64 frame_alloc_dirty(void)
{
	bool is_zero;

	return take(FOR_DATA, &is_zero);
}

void frame_get(u64 gpa) { __atomic_fetch_add(&frame_of(gpa)->refs, 1, __ATOMIC_RELAXED); }
u32 frame_refs(u64 gpa) { return __atomic_load_n(&frame_of(gpa)->refs, __ATOMIC_ACQUIRE); }

void frame_put(u64 gpa)
{
	struct frame *f = frame_of(gpa);
	struct chunk *c = &chunks[(f - frames) / CHUNK_FRAMES];

	if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	spin_lock(&lock);
	f->next = c->free_first;
	c->free_first = (u32)(f - frames) + 1;
	if (c->used-- == CHUNK_FRAMES)
		put_on(&part[c->use], c);
	if (!c->used) {
		take_off(c);
		put_on(&empty, c);
		nempty++;
	}
	spin_unlock(&lock);
}

/* ---- back to the host ---- */

/* Up to n free chunks, off their list. */
static struct chunk *take_empty(u32 n, struct kvm_call *k)
{
	struct chunk *taken = NULL, *c;

	for (k->u.io.n = 0; k->u.io.n < n && (c = empty); k->u.io.n++) {
		take_off(c);
		put_on(&taken, c);
		c->fresh = 0;
		c->free_first = 0;
		k->u.io.seg[k->u.io.n] = (struct kvm_extent){ address((u32)(c - chunks) * CHUNK_FRAMES), KVM_CHUNK };
	}
	nempty -= k->u.io.n;
	return taken;
}

static void give(u32 n)
{
	struct kvm_call *k = call_begin();
	struct chunk *taken, *c;

	spin_lock(&lock);
	taken = take_empty(n, k);
	spin_unlock(&lock);
	if (!taken)
		return;
	call_make(KVM_CALL_GIVE);
	spin_lock(&lock);
	while ((c = taken)) {
		taken = c->next;
		put_on(&clean, c);
	}
	spin_unlock(&lock);
}

void frames_trim(void)
{
	u64 now;
	u32 n = 0;

	if (READ_ONCE(nempty) <= KEEP)
		return;
	now = clock_now();
	spin_lock(&lock);
	if (trim_at && now >= trim_at)
		n = least > KEEP ? min(least - KEEP, (u32)KVM_IO_SEGMENTS) : 0;
	if (!trim_at || now >= trim_at) {
		least = nempty - n;
		trim_at = least > KEEP ? now + TRIM_AFTER : 0;
	}
	spin_unlock(&lock);
	if (n)
		give(n);
}

u64 frames_trim_at(void)
{
	u64 at = READ_ONCE(trim_at);

	return at && READ_ONCE(nempty) > KEEP ? at : MC_FOREVER;
}
