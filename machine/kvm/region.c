// SPDX-License-Identifier: Apache-2.0
/* The regions of a space, and the pages under them. The space's lock is held. */
#include "space.h"

#define BATCH 64

struct region *region_at(struct space *s, uaddr_t addr)
{
	struct region *r = of_node(tree_last_up_to(s->regions, addr));

	return r && r->end > addr ? r : NULL;
}

struct region *region_from(struct space *s, uaddr_t addr)
{
	struct region *r = region_at(s, addr);

	return r ? r : of_node(tree_first_from(s->regions, addr));
}

void region_add(struct space *s, struct region *r) { tree_insert(&s->regions, &r->node); }

void region_delete(struct space *s, struct region *r)
{
	tree_remove(&s->regions, &r->node);
	object_put(r->object);
	kfree(r);
}

struct region *region_copy(const struct region *r)
{
	struct region *c = kmalloc(sizeof(*c));

	if (c) {
		*c = *r;
		object_get(c->object);
	}
	return c;
}

bool region_split(struct space *s, uaddr_t addr)
{
	struct region *r = region_at(s, addr), *c;

	if (!r || region_start(r) == addr)
		return true;
	c = region_copy(r);
	if (!c)
		return false;
	c->off += addr - region_start(r);
	c->node.key = r->end = addr;
	region_add(s, c);
	return true;
}

bool regions_cover(struct space *s, uaddr_t from, uaddr_t to)
{
	struct region *r;

	for (; from < to; from = r->end) {
		r = region_at(s, from);
		if (!r)
			return false;
	}
	return true;
}

/* ---- pages ---- */

void space_count(struct space *s, u64 entry, int n)
{
	if (is_frame(entry & PTE_ADDR))
		s->frames += (u64)(s64)n;
	else
		s->mapped += (u64)(s64)n;
}

struct batch {
	struct space *space;
	u32 n;
	bool changed;
	u64 frame[BATCH];
};

static void batch_end(struct batch *b)
{
	u32 i;

	if (b->changed)
		flush_space(b->space);
	for (i = 0; i < b->n; i++)
		frame_put(b->frame[i]);
	b->n = 0;
	b->changed = false;
}

static void clear_entry(struct batch *b, u64 *pte)
{
	u64 old = __atomic_exchange_n(pte, 0, __ATOMIC_RELAXED);

	if (!old)
		return;
	b->changed |= old & PTE_P;
	space_count(b->space, old, -1);
	if (is_frame(old & PTE_ADDR))
		b->frame[b->n++] = old & PTE_ADDR;
	if (b->n == BATCH)
		batch_end(b);
}

void zap(struct space *s, uaddr_t from, uaddr_t to)
{
	struct batch b = { .space = s };
	uaddr_t at;

	for (at = pte_next(s->pml4, from, to); at < to; at = pte_next(s->pml4, at + PAGE_SIZE, to))
		clear_entry(&b, pte_find(s->pml4, at));
	batch_end(&b);
}

void zap_mapped(struct space *s, uaddr_t from, uaddr_t to)
{
	struct batch b = { .space = s };
	uaddr_t at;

	for (at = pte_next(s->pml4, from, to); at < to; at = pte_next(s->pml4, at + PAGE_SIZE, to)) {
		u64 *pte = pte_find(s->pml4, at);

		if (!is_frame(*pte & PTE_ADDR))
			clear_entry(&b, pte);
	}
	batch_end(&b);
}

/* ---- life ---- */

struct space *space_new(void)
{
	struct space *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->pml4 = tables_new();
	if (s->pml4)
		return s;
	kfree(s);
	return NULL;
}

struct space *space_get(struct space *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

/* No CPU uses its tables any more. */
void space_put(struct space *s)
{
	struct tree_node *n;

	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	zap(s, 0, USER_END);
	while ((n = tree_first(s->regions)))
		region_delete(s, of_node(n));
	tables_free(s->pml4);
	kfree(s);
}

u64 space_root(struct space *s) { return s->pml4; }

/* ---- fork ---- */

/* Both have the page from now on: neither may write to it before it has a copy. */
static bool share_page(u64 *from, struct space *to, uaddr_t at, bool *changed)
{
	u64 entry = *from, *pte;

	pte = pte_make(to->pml4, at);
	if (!pte)
		return false;
	if (entry & PTE_W) {
		entry &= ~PTE_W;
		WRITE_ONCE(*from, entry);
		*changed = true;
	}
	if (is_frame(entry & PTE_ADDR))
		frame_get(entry & PTE_ADDR);
	*pte = entry;
	space_count(to, entry, 1);
	return true;
}

static bool fork_region(struct space *s, struct region *r, struct space *to, bool *changed)
{
	struct region *c;
	uaddr_t at;

	if (r->not_forked)
		return true;
	c = region_copy(r);
	if (!c)
		return false;
	region_add(to, c);
	if (r->shared || r->wiped)
		return true;
	for (at = pte_next(s->pml4, region_start(r), r->end); at < r->end; at = pte_next(s->pml4, at + PAGE_SIZE, r->end)) {
		u64 *pte = pte_find(s->pml4, at);

		if (*pte && !share_page(pte, to, at, changed))
			return false;
	}
	return true;
}

struct space *space_fork(struct space *s)
{
	struct space *to = space_new();
	bool changed = false, ok = true;
	struct region *r;

	if (!to)
		return NULL;
	mutex_lock(&s->lock);
	for (r = of_node(tree_first(s->regions)); r && ok; r = of_node(tree_first_from(s->regions, r->end)))
		ok = fork_region(s, r, to, &changed);
	if (changed)
		flush_space(s);
	mutex_unlock(&s->lock);
	if (ok)
		return to;
	space_put(to);
	return NULL;
}
