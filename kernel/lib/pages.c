/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of pages: lists of free runs by power of two, last freed first, so that pages
 * which are touched already are used again. Neighbouring free runs are joined: the first and the
 * last page of a free run carry its length.
 */
#include "layout.h"
#include "pages.h"
#include "sync.h"

#define HEAP_PAGES (KHEAP_MAX / PAGE_SIZE)
#define BINS	   20
#define GROW_PAGES 256u

static struct mutex lock = MUTEX_INIT;
static char *heap;   /* address of page 1 */
static u32 heap_end; /* one more than the last page's number */
static u64 used;
static u32 bins[BINS];
static struct page_info info[HEAP_PAGES + 2] BSS_HEAP;

struct page_info *page_info(u32 page)
{
	return &info[page];
}

void *page_address(u32 page)
{
	return heap + (u64)(page - 1) * PAGE_SIZE;
}

u32 page_number(const void *p)
{
	u64 n = ((u64)p - (u64)heap) / PAGE_SIZE + 1;

	return (u64)p >= (u64)heap && n < READ_ONCE(heap_end) ? (u32)n : NO_PAGE;
}

u64 pages_in_use(void)
{
	return READ_ONCE(used);
}

static u32 *bin_of(u32 count)
{
	return &bins[min(31 - __builtin_clz(count), BINS - 1)];
}

static void set_free(u32 page, u32 count)
{
	info[page].kind = info[page + count - 1].kind = PAGE_FREE;
	info[page].count = info[page + count - 1].count = count;
}

static void free_add(u32 page, u32 count)
{
	u32 *bin = bin_of(count);

	set_free(page, count);
	info[page].prev = NO_PAGE;
	info[page].next = *bin;
	if (*bin)
		info[*bin].prev = page;
	*bin = page;
}

static void free_del(u32 page)
{
	struct page_info *p = &info[page];
	u32 last = page + p->count - 1;

	if (p->prev)
		info[p->prev].next = p->next;
	else
		*bin_of(p->count) = p->next;
	if (p->next)
		info[p->next].prev = p->prev;
	p->kind = info[last].kind = PAGE_NONE;
}

/* Give back [page, page+count), joined with the free runs on both sides. */
static void free_range(u32 page, u32 count)
{
	if (page > 1 && info[page - 1].kind == PAGE_FREE) {
		u32 before = info[page - 1].count;

		page -= before;
		count += before;
		free_del(page);
	}
	if (page + count < heap_end && info[page + count].kind == PAGE_FREE) {
		u32 behind = info[page + count].count;

		free_del(page + count);
		count += behind;
	}
	free_add(page, count);
}

/* Add at least `count` pages. The machine's heap grows upwards without holes. */
static bool grow(u32 count)
{
	u32 n = max(count, GROW_PAGES);
	char *p = mc_heap_grow((size_t)n * PAGE_SIZE);

	if (!p && n > count) {
		n = count;
		p = mc_heap_grow((size_t)n * PAGE_SIZE);
	}
	if (!p)
		return false;
	if (!heap) {
		heap = p;
		heap_end = 1;
	}
	BUG_ON(p != (char *)page_address(heap_end) || heap_end + n > HEAP_PAGES + 1);
	WRITE_ONCE(heap_end, heap_end + n);
	free_range(heap_end - n, n);
	return true;
}

static u32 find_run(u32 count)
{
	for (u32 *bin = bin_of(count); bin < bins + BINS; bin++) {
		for (u32 page = *bin; page; page = info[page].next) {
			if (info[page].count >= count)
				return page;
		}
	}
	return NO_PAGE;
}

u32 pages_alloc(u32 count)
{
	u32 page, total;

	guard(&lock);
	page = find_run(count);
	if (!page && grow(count))
		page = find_run(count);
	if (!page)
		return NO_PAGE;
	total = info[page].count;
	free_del(page);
	if (total > count)
		free_add(page + count, total - count);
	info[page].kind = PAGE_RUN;
	info[page].count = count;
	used += count;
	return page;
}

void pages_free(u32 page)
{
	u32 count;

	guard(&lock);
	count = info[page].count;
	info[page].kind = PAGE_NONE;
	used -= count;
	free_range(page, count);
}

static bool extend(u32 page, u32 count)
{
	u32 have = info[page].count, behind = page + have, room;

	if (behind >= heap_end || info[behind].kind != PAGE_FREE)
		return false;
	room = info[behind].count;
	if (have + room < count)
		return false;
	free_del(behind);
	if (have + room > count)
		free_add(page + count, have + room - count);
	return true;
}

bool pages_resize(u32 page, u32 count)
{
	u32 have;

	guard(&lock);
	have = info[page].count;
	if (count > have && !extend(page, count))
		return false;
	info[page].count = count;
	used += count - (u64)have;
	if (count < have)
		free_range(page + count, have - count);
	return true;
}
