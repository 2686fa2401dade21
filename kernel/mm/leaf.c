/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the mappings of a space are kept: sorted, in leaves of at most VMA_LEAF, and the leaves in an array. A change moves
 * mappings of one leaf; only when a leaf is split or goes away are those of the array moved (32 bytes for each). Most
 * programs have one leaf.
 */
#include "internal.h"

#define UNKNOWN (~0ULL)
#define JOINED	(VMA_LEAF * 3 / 4) /* no fuller, so that the next insertion does not split it again */
#define COPIED	(VMA_LEAF * 3 / 4) /* a copy's leaves, if there are several */

static struct vma *last_of(const struct vma_leaf *l)
{
	return &l->v[l->n - 1];
}

/* Does the search for addr end there? */
static bool ends_at(const struct mm *mm, struct vma_iter it, uaddr_t addr)
{
	const struct vma_leaf *l;

	if (it.leaf >= mm->nleaves)
		return false;
	l = &mm->leaves[it.leaf];
	if (it.at >= l->n || l->v[it.at].end <= addr)
		return false;
	if (it.at)
		return l->v[it.at - 1].end <= addr;
	return !it.leaf || last_of(l - 1)->end <= addr;
}

static struct vma_iter search(const struct mm *mm, uaddr_t addr)
{
	u32 leaf = 0, high = mm->nleaves, at = 0;

	while (leaf < high) {
		u32 mid = (leaf + high) / 2;

		if (last_of(&mm->leaves[mid])->end <= addr)
			leaf = mid + 1;
		else
			high = mid;
	}
	high = leaf < mm->nleaves ? mm->leaves[leaf].n : 0;
	while (at < high) {
		u32 mid = (at + high) / 2;

		if (mm->leaves[leaf].v[mid].end <= addr)
			at = mid + 1;
		else
			high = mid;
	}
	return (struct vma_iter){leaf, at};
}

/* A call asks for the same place, or for the one behind it, three to eight times: the last answer is tried first. */
struct vma_iter leaf_find(struct mm *mm, uaddr_t addr)
{
	struct vma_iter it = mm->found;

	if (likely(ends_at(mm, it, addr)))
		return it;
	it.at++;
	if (!ends_at(mm, it, addr))
		it = mm->found = search(mm, addr);
	return it;
}

struct vma *leaf_below(const struct mm *mm, struct vma_iter it)
{
	if (it.at)
		return &mm->leaves[it.leaf].v[it.at - 1];
	return it.leaf ? last_of(&mm->leaves[it.leaf - 1]) : NULL;
}

struct vma *vma_next(const struct mm *mm, struct vma_iter *it)
{
	*it = leaf_settle(mm, *it);
	return it->leaf < mm->nleaves ? &mm->leaves[it->leaf].v[it->at++] : NULL;
}

/* ---- room ---- */

static void put_spare(struct mm *mm, struct vma *leaf)
{
	*(void **)leaf = mm->spare;
	mm->spare = leaf;
	mm->nspare++;
}

static struct vma *take_spare(struct mm *mm)
{
	void *leaf = mm->spare;

	BUG_ON(!leaf);
	mm->spare = *(void **)leaf;
	mm->nspare--;
	return leaf;
}

static int reserve_leaves(struct mm *mm, u32 extra)
{
	while (mm->nspare < extra) {
		struct vma *leaf = kmalloc(VMA_LEAF * sizeof(*leaf));

		if (!leaf)
			return -ENOMEM;
		put_spare(mm, leaf);
	}
	if (mm->nleaves + extra > mm->room) {
		u32 room = max(mm->nleaves + extra, mm->room * 2);
		struct vma_leaf *more = krealloc(mm->leaves, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		mm->leaves = more;
		mm->room = room;
	}
	return 0;
}

/* Each may come into a leaf of its own that is full. */
int vma_reserve(struct mm *mm, u32 extra)
{
	if (!mm->nleaves)
		return reserve_leaves(mm, (extra + VMA_LEAF - 1) / VMA_LEAF);
	if (mm->nleaves == 1 && mm->leaves[0].n + extra <= VMA_LEAF)
		return 0;
	return reserve_leaves(mm, extra);
}

/* ---- changes ---- */

/* Make room for an empty leaf at this place of the array. */
static struct vma_leaf *add_leaf(struct mm *mm, u32 i)
{
	struct vma_leaf *l = &mm->leaves[i];

	BUG_ON(mm->nleaves >= mm->room);
	memmove(l + 1, l, (mm->nleaves - i) * sizeof(*l));
	mm->nleaves++;
	*l = (struct vma_leaf){.v = take_spare(mm), .gap = UNKNOWN};
	return l;
}

static void drop_leaf(struct mm *mm, u32 i)
{
	struct vma_leaf *l = &mm->leaves[i];

	kfree(l->v);
	mm->nleaves--;
	memmove(l, l + 1, (mm->nleaves - i) * sizeof(*l));
}

static void split_leaf(struct mm *mm, u32 i)
{
	struct vma_leaf *upper = add_leaf(mm, i + 1), *l = upper - 1;

	upper->n = l->n / 2;
	l->n -= upper->n;
	l->gap = UNKNOWN;
	memcpy(upper->v, l->v + l->n, upper->n * sizeof(*l->v));
}

struct vma *leaf_insert(struct mm *mm, struct vma_iter it, const struct vma *v)
{
	struct vma_leaf *l;

	if (!mm->nleaves)
		add_leaf(mm, 0);
	else if (it.leaf == mm->nleaves)
		it = (struct vma_iter){it.leaf - 1, mm->leaves[it.leaf - 1].n};
	if (mm->leaves[it.leaf].n == VMA_LEAF) {
		split_leaf(mm, it.leaf);
		if (it.at > mm->leaves[it.leaf].n)
			it = (struct vma_iter){it.leaf + 1, it.at - mm->leaves[it.leaf].n};
	}
	l = &mm->leaves[it.leaf];
	memmove(&l->v[it.at + 1], &l->v[it.at], (l->n - it.at) * sizeof(*v));
	l->v[it.at] = *v;
	l->n++;
	l->gap = UNKNOWN;
	mm->nvmas++;
	return &l->v[it.at];
}

static void try_join(struct mm *mm, u32 i)
{
	struct vma_leaf *l = &mm->leaves[i];

	if (i + 1 >= mm->nleaves || l[0].n + l[1].n > JOINED)
		return;
	memcpy(l[0].v + l[0].n, l[1].v, l[1].n * sizeof(*l->v));
	l[0].n += l[1].n;
	l[0].gap = UNKNOWN;
	drop_leaf(mm, i + 1);
}

u32 leaf_remove(struct mm *mm, struct vma_iter it, u32 n)
{
	struct vma_leaf *l = &mm->leaves[it.leaf];

	n = min(n, l->n - it.at);
	l->n -= n;
	l->gap = UNKNOWN;
	mm->nvmas -= n;
	memmove(&l->v[it.at], &l->v[it.at + n], (l->n - it.at) * sizeof(*l->v));
	if (!l->n)
		drop_leaf(mm, it.leaf);
	else
		try_join(mm, it.leaf);
	if (it.leaf)
		try_join(mm, it.leaf - 1);
	return n;
}

int leaf_copy(struct mm *mm, const struct mm *old)
{
	u32 full = old->nleaves > 1 ? COPIED : VMA_LEAF;
	struct vma_iter it = {0};
	const struct vma *v;

	if (reserve_leaves(mm, (old->nvmas + full - 1) / full))
		return -ENOMEM;
	while ((v = vma_next(old, &it))) {
		struct vma_leaf *l = mm->nvmas % full ? &mm->leaves[mm->nleaves - 1] : add_leaf(mm, mm->nleaves);

		l->v[l->n++] = *v;
		mm->nvmas++;
	}
	return 0;
}

void leaf_free(struct mm *mm)
{
	while (mm->nleaves)
		drop_leaf(mm, mm->nleaves - 1);
	while (mm->nspare)
		kfree(take_spare(mm));
	kfree(mm->leaves);
}

/* ---- free ranges ---- */

static void measure(struct vma_leaf *l)
{
	l->gap = 0;
	l->low = vma_guarded_start(last_of(l));
	for (u32 at = l->n - 1; at; at--) {
		uaddr_t from = l->v[at - 1].end;

		l->gap = l->low > from ? max(l->gap, l->low - from) : l->gap;
		l->low = min(l->low, vma_guarded_start(&l->v[at - 1]));
	}
}

/* Between those of this leaf there is not so much room anywhere. */
static bool too_full(struct vma_leaf *l, u64 len)
{
	if (l->gap == UNKNOWN)
		measure(l);
	return l->gap < len;
}

uaddr_t vma_gap_below(struct mm *mm, u64 len, uaddr_t low, uaddr_t high)
{
	struct vma_iter it = leaf_find(mm, high);
	const struct vma *v = leaf_at(mm, it);

	if (v)
		high = min(high, vma_guarded_start(v));
	while (high >= low && high - low >= len) {
		v = leaf_below(mm, it);
		if (!v || v->end <= high - len)
			return high - len;
		if (!it.at)
			it = (struct vma_iter){it.leaf - 1, mm->leaves[it.leaf - 1].n};
		if (it.at == mm->leaves[it.leaf].n && too_full(&mm->leaves[it.leaf], len)) {
			it.at = 0;
			high = min(high, mm->leaves[it.leaf].low);
			high = min(high, mm->leaves[it.leaf].v[0].start);
			continue;
		}
		it.at--;
		high = min(high, vma_guarded_start(v));
	}
	return 0;
}
