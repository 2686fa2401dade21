/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmalloc. Sizes up to SLAB_MAX come from size classes: a class hands out equal pieces of
 * single pages (slabs), the piece freed last first, from the slab freed into last. The heap
 * is memory shared by all processes of the VM, and each page of it that a process touches costs
 * that process a fault: hence dense slabs, little metadata and quick reuse. Bigger sizes are page
 * runs (pages.c).
 */
#include "pages.h"
#include "poison.h"
#include "sync.h"

#define SLAB_MAX 2048u
#define GRAIN	 16u

struct size_class {
	struct mutex lock;
	u32 partial; /* slabs with a free piece */
	u32 size;
};

#define CLASS(bytes)                                                                               \
	{                                                                                          \
		MUTEX_INIT, NO_PAGE, bytes                                                         \
	}
static struct size_class classes[] = {
	CLASS(16),  CLASS(32),	CLASS(48),  CLASS(64),	 CLASS(80),   CLASS(96),
	CLASS(112), CLASS(128), CLASS(160), CLASS(192),	 CLASS(256),  CLASS(320),
	CLASS(400), CLASS(512), CLASS(672), CLASS(816),	 CLASS(1024), CLASS(1360),
	CLASS(SLAB_MAX),
};

/* A free piece. Without its `mark` a piece that is freed is not one that was free already. */
struct piece {
	u16 next; /* offset + 1 */
	u64 mark;
};

static u64 mark_of(const struct piece *p)
{
	return (u64)p ^ 0x5f7265656650ead5ULL;
}

static u8 class_of(size_t size)
{
	u8 c = 0;

	while (classes[c].size < size)
		c++;
	return c;
}

static void partial_add(struct size_class *c, u32 page)
{
	struct page_info *s = page_info(page);

	s->prev = NO_PAGE;
	s->next = c->partial;
	if (s->next)
		page_info(s->next)->prev = page;
	c->partial = page;
}

static void partial_del(struct size_class *c, u32 page)
{
	struct page_info *s = page_info(page);

	if (s->prev)
		page_info(s->prev)->next = s->next;
	else
		c->partial = s->next;
	if (s->next)
		page_info(s->next)->prev = s->prev;
}

static u32 slab_new(u8 class)
{
	u32 page = pages_alloc(1);

	if (page) {
		struct page_info *s = page_info(page);

		s->size_class = class;
		s->in_use = s->free = s->carved = 0;
		s->kind = PAGE_SLAB;
		partial_add(&classes[class], page);
	}
	return page;
}

static bool slab_full(const struct page_info *s, u32 size)
{
	return !s->free && s->carved + size > PAGE_SIZE;
}

/* The piece freed last, or else the next one never used. The slab is not full. */
static void *slab_take(struct page_info *s, char *base, u32 size)
{
	struct piece *p;

	s->in_use++;
	if (!s->free) {
		p = (void *)(base + s->carved);
		s->carved += (u16)size;
		poison_none(p, size);
		p->mark = 0; /* the page may have held free pieces of another size */
		return p;
	}
	p = (void *)(base + s->free - 1);
	poison_none(p, size);
	s->free = p->next;
	p->mark = 0;
	return p;
}

static void *slab_alloc(u8 class)
{
	struct size_class *c = &classes[class];
	u32 page;
	void *p;

	guard(&c->lock);
	page = c->partial;
	if (!page)
		page = slab_new(class);
	if (!page)
		return NULL;
	p = slab_take(page_info(page), page_address(page), c->size);
	if (slab_full(page_info(page), c->size))
		partial_del(c, page);
	return p;
}

/* Back to a run of pages, which pages_free() takes. */
static void slab_drop(struct size_class *c, u32 page)
{
	struct page_info *s = page_info(page);

	partial_del(c, page);
	s->kind = PAGE_RUN;
	s->count = 1;
	pages_free(page);
}

/* Its mark is there: it may still be in use, and hold what a guest process has put there. */
static bool is_free(const struct page_info *s, char *base, const struct piece *p, u32 size)
{
	u32 n = 0;

	for (u32 at = s->free; at && n * size < PAGE_SIZE; n++) {
		struct piece *q = (void *)(base + at - 1);

		if (q == p)
			return true;
		poison_none(q, size);
		at = q->next;
		poison_freed(q, size);
	}
	return false;
}

static void slab_free(u32 page, void *obj)
{
	struct page_info *s = page_info(page);
	struct size_class *c = &classes[s->size_class];
	u32 off = (u32)((char *)obj - (char *)page_address(page));
	struct piece *p = obj;

	guard(&c->lock);
	poison_none(obj, c->size);
	if (off % c->size || off >= s->carved || !s->in_use ||
	    (p->mark == mark_of(p) && is_free(s, page_address(page), p, c->size)))
		panic("kfree(%p): not allocated, or freed twice", obj);
	if (slab_full(s, c->size))
		partial_add(c, page);
	p->next = s->free;
	p->mark = mark_of(p);
	s->free = (u16)(off + 1);
	s->in_use--;
	poison_freed(obj, c->size);
	/* Keep one empty slab: a lone object that comes and goes must not cost a page run each
	 * time. */
	if (!s->in_use && (s->next || s->prev))
		slab_drop(c, page);
}

static u32 page_count(size_t size)
{
	return (u32)(PAGE_ALIGN(size) / PAGE_SIZE);
}

static void *run_alloc(size_t size)
{
	u32 page;

	if (size > 1ULL << 40)
		return NULL;
	page = pages_alloc(page_count(size));
	return page ? page_address(page) : NULL;
}

void *kmalloc(size_t size)
{
	void *p = size <= SLAB_MAX ? slab_alloc(class_of(size)) : run_alloc(size);

	if (!p)
		printk(LOG_ERR, "out of kernel memory: %zu bytes wanted, %lu in use", size,
		       kheap_bytes());
	else
		poison_allocated(p, size, ksize(p));
	return p;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

/* What p belongs to. Anything that is not the start of an allocation is a bug of the caller. */
static u32 page_of(const void *p)
{
	u32 page = page_number(p);
	u8 kind = page ? page_info(page)->kind : PAGE_NONE;

	if (kind != PAGE_SLAB && (kind != PAGE_RUN || p != page_address(page)))
		panic("%p is not allocated", p);
	return page;
}

void kfree(void *p)
{
	u32 page;

	if (!p)
		return;
	page = page_of(p);
	if (page_info(page)->kind == PAGE_SLAB) {
		slab_free(page, p);
		return;
	}
	poison_freed(p, ksize(p));
	pages_free(page);
}

size_t ksize(const void *p)
{
	struct page_info *info = page_info(page_of(p));

	return info->kind == PAGE_SLAB ? classes[info->size_class].size : info->count * PAGE_SIZE;
}

/* In place if the room of p is right, or can be made so. */
static bool resize(void *p, size_t size)
{
	u32 page = page_of(p);
	size_t room = ksize(p), want;

	if (page_info(page)->kind == PAGE_SLAB)
		return size <= room && (size > room / 2 || room <= 2 * GRAIN);
	if (size <= SLAB_MAX || size >= 1ULL << 40)
		return false;
	want = (size_t)page_count(size) * PAGE_SIZE;
	if (want < room) /* while it is still ours */
		poison_freed((char *)p + want, room - want);
	return pages_resize(page, page_count(size));
}

void *krealloc(void *p, size_t size)
{
	size_t old;
	void *to;

	if (!p)
		return kmalloc(size);
	old = ksize(p);
	if (resize(p, size)) {
		poison_allocated(p, size, ksize(p));
		return p;
	}
	to = kmalloc(size);
	if (!to)
		return NULL;
	poison_allocated(p, old, old);
	memcpy(to, p, min(old, size));
	kfree(p);
	return to;
}

char *kstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = kmalloc(len + 1);

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = 0;
	}
	return copy;
}

char *kstrdup(const char *s)
{
	return kstrndup(s, ~0UL >> 1);
}

u64 kheap_bytes(void)
{
	return pages_in_use() * PAGE_SIZE;
}
