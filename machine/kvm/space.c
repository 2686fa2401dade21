// SPDX-License-Identifier: Apache-2.0
/* machine.h's calls on the space of the calling thread. */
#include <asm/mman.h>
#include <linux/mman.h>

#include "space.h"

static struct space *enter(void)
{
	struct space *s = self()->space;

	mutex_lock(&s->lock);
	return s;
}

static int leave(struct space *s, int ret)
{
	mutex_unlock(&s->lock);
	return ret;
}

static bool split_at(struct space *s, uaddr_t from, uaddr_t to)
{
	return region_split(s, from) && region_split(s, to);
}

/* False: no memory, and nothing has changed. */
static bool clear(struct space *s, uaddr_t from, uaddr_t to)
{
	struct region *r;

	if (!split_at(s, from, to))
		return false;
	zap(s, from, to);
	while ((r = region_from(s, from)) && region_start(r) < to)
		region_delete(s, r);
	return true;
}

static struct region *region_new(uaddr_t addr, u64 len, int prot, bool shared)
{
	struct region *r = kzalloc(sizeof(*r));

	if (r) {
		r->node.key = addr;
		r->end = addr + len;
		r->prot = prot;
		r->shared = shared;
	}
	return r;
}

/* An anonymous private region next to one of the same kind makes that larger. */
static bool join(struct space *s, const struct region *n)
{
	struct region *before = region_at(s, region_start(n) - 1);

	if (n->object || !before || before->object || before->prot != n->prot || before->not_forked || before->wiped)
		return false;
	before->end = n->end;
	return true;
}

static int give_object(struct region *r, u32 handle, u64 off, u64 len)
{
	int err = -ENOMEM;

	if (handle)
		r->object = object_file(handle, off, len, r->shared, &err);
	else if (r->shared)
		r->object = object_shared(len);
	if (!r->object)
		return handle || r->shared ? err : 0;
	if (handle)
		r->off = off - r->object->first;
	return !handle || !r->shared || !(r->prot & PROT_WRITE) || r->object->writable ? 0 : -EACCES;
}

/* As Linux' heuristic overcommit: what can't be there at all is refused. */
static bool too_much(u64 len, int prot, int flags, u32 handle)
{
	return !handle && prot & PROT_WRITE && !(flags & MAP_NORESERVE) && len > frames_size();
}

int mc_map(uaddr_t addr, u64 len, int prot, int flags, u32 handle, u64 off)
{
	struct region *r = too_much(len, prot, flags, handle) ? NULL : region_new(addr, len, prot, flags & MAP_SHARED);
	struct space *s;
	int ret = r ? give_object(r, handle, off, len) : -ENOMEM;

	if (ret < 0) {
		if (r)
			object_put(r->object);
		kfree(r);
		return ret;
	}
	s = enter();
	if (!clear(s, addr, addr + len)) {
		object_put(r->object);
		kfree(r);
		return leave(s, -ENOMEM);
	}
	if (join(s, r))
		kfree(r);
	else
		region_add(s, r);
	if (flags & (MAP_POPULATE | MAP_LOCKED))
		populate(s, addr, addr + len); /* as far as there is memory */
	return leave(s, 0);
}

int mc_unmap(uaddr_t addr, u64 len)
{
	struct space *s = enter();

	return leave(s, clear(s, addr, addr + len) ? 0 : -ENOMEM);
}

/* ---- protection ---- */

static bool protect_entry(u64 *pte, const struct region *r)
{
	u64 old = *pte, e = old & PTE_ADDR;

	if (!old)
		return false;
	if (!(r->prot & (PROT_READ | PROT_WRITE | PROT_EXEC))) {
		e |= PTE_SAVED;
	} else {
		e |= PTE_P | PTE_U | PTE_A;
		if (r->prot & PROT_WRITE && old & PTE_W)
			e |= PTE_W | PTE_D;
		if (!(r->prot & PROT_EXEC))
			e |= PTE_NX;
	}
	WRITE_ONCE(*pte, e);
	return old & PTE_P;
}

int mc_protect(uaddr_t addr, u64 len, int prot)
{
	struct space *s = enter();
	uaddr_t end = addr + len, at;
	bool changed = false;
	struct region *r;

	if (!regions_cover(s, addr, end))
		return leave(s, -ENOMEM);
	if (!split_at(s, addr, end))
		return leave(s, -ENOMEM);
	for (r = region_at(s, addr); r && region_start(r) < end; r = region_at(s, r->end)) {
		if (r->shared && r->object->file && prot & PROT_WRITE && !r->object->writable)
			return leave(s, -EACCES);
		r->prot = prot;
		for (at = pte_next(s->pml4, region_start(r), r->end); at < r->end;
		     at = pte_next(s->pml4, at + PAGE_SIZE, r->end))
			changed |= protect_entry(pte_find(s->pml4, at), r);
	}
	if (changed)
		flush_space(s);
	return leave(s, 0);
}

/* ---- moving ---- */

/* A region of a file is about to show more of it, up to `end` of its object: that has to be mapped. */
static int show_more(struct space *s, struct region *r, u64 end)
{
	struct object *o;
	int err = 0;

	if (!r->object || !r->object->file || end <= r->object->limit * PAGE_SIZE)
		return 0;
	o = object_larger(r->object, end, &err);
	if (!o)
		return err;
	zap_mapped(s, region_start(r), r->end); /* is found at the new place */
	object_put(r->object);
	r->object = o;
	return 0;
}

static int resize(struct space *s, uaddr_t from, u64 old_len, u64 new_len)
{
	struct region *r, *c;
	int err;

	if (new_len <= old_len)
		return clear(s, from + new_len, from + old_len) ? 0 : -ENOMEM;
	r = region_from(s, from + old_len);
	if (r && region_start(r) < from + new_len)
		return -ENOMEM;
	r = region_at(s, from + old_len - 1);
	err = show_more(s, r, r->off + (from + new_len - region_start(r)));
	if (err)
		return err;
	if (r->end == from + old_len) {
		r->end = from + new_len;
		return 0;
	}
	c = region_copy(r);
	if (!c)
		return -ENOMEM;
	c->off += from + old_len - region_start(r);
	c->node.key = from + old_len;
	c->end = from + new_len;
	region_add(s, c);
	return 0;
}

static int move_pages(struct space *s, uaddr_t from, u64 len, uaddr_t to)
{
	uaddr_t at;
	u64 *pte;

	for (at = pte_next(s->pml4, from, from + len); at < from + len; at = pte_next(s->pml4, at + PAGE_SIZE, from + len)) {
		u64 *old = pte_find(s->pml4, at);

		if (!*old)
			continue;
		pte = pte_make(s->pml4, at - from + to);
		if (!pte)
			return -ENOMEM;
		*pte = *old;
		WRITE_ONCE(*old, 0);
	}
	flush_space(s);
	return 0;
}

/* The regions of [from, from+len) are one mapping. */
static bool one_mapping(struct space *s, uaddr_t from, u64 len)
{
	struct region *r = region_at(s, from), *n;

	for (; r && r->end < from + len; r = n) {
		n = region_at(s, r->end);
		if (!n || n->prot != r->prot || n->shared != r->shared || n->object != r->object)
			return false;
		if (r->object && n->off != r->off + (r->end - region_start(r)))
			return false;
	}
	return r;
}

static int move(struct space *s, uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags)
{
	struct region *r = region_at(s, from), *c;
	u64 keep = min(old_len, new_len);
	int ret = show_more(s, r, r->off + (from - region_start(r)) + new_len);

	c = ret ? NULL : region_copy(r);
	if (!c)
		return ret ? ret : -ENOMEM;
	c->off += from - region_start(c);
	c->node.key = to;
	c->end = to + new_len;
	if (!clear(s, to, to + new_len) || !split_at(s, from, from + old_len)) {
		object_put(c->object);
		kfree(c);
		return -ENOMEM;
	}
	ret = keep ? move_pages(s, from, keep, to) : 0;
	zap(s, from + keep, from + old_len);
	while (!flags && (r = region_from(s, from)) && region_start(r) < from + old_len)
		region_delete(s, r);
	region_add(s, c);
	return ret;
}

int mc_move(uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags)
{
	struct space *s = enter();

	if (new_len > old_len && new_len - old_len > frames_size())
		return leave(s, -ENOMEM);
	if (!one_mapping(s, from, max(old_len, 1ULL)))
		return leave(s, -EFAULT);
	if (to == from && !flags)
		return leave(s, resize(s, from, old_len, new_len));
	return leave(s, move(s, from, old_len, to, new_len, flags));
}

/* ---- the rest ---- */

static s64 object_punch(const struct region *r, uaddr_t from, uaddr_t to)
{
	struct kvm_call *k = call_begin();

	k->u.map.gpa = r->object->gpa;
	k->u.map.off = r->off + (from - region_start(r));
	k->u.map.len = to - from;
	return call_make(KVM_CALL_PUNCH);
}

static int punch(struct space *s, uaddr_t from, uaddr_t to)
{
	struct region *r;
	s64 ret = 0;

	for (; from < to && ret >= 0; from = r->end) {
		r = region_at(s, from);
		if (!r)
			return -ENOMEM;
		if (r->shared && r->object->file)
			ret = object_punch(r, from, min(to, r->end));
	}
	return (int)ret;
}

static int advise_fork(struct space *s, uaddr_t addr, uaddr_t end, int advice)
{
	struct region *r;

	if (!split_at(s, addr, end))
		return -ENOMEM;
	for (r = region_at(s, addr); r && region_start(r) < end; r = region_at(s, r->end)) {
		if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
			r->not_forked = advice == MADV_DONTFORK;
		else
			r->wiped = advice == MADV_WIPEONFORK;
	}
	return 0;
}

/* What is only a hint, and does not help here, is taken as it is on a host without that feature. */
int mc_advise(uaddr_t addr, u64 len, int advice)
{
	struct space *s = enter();
	uaddr_t end = addr + len;

	if (!regions_cover(s, addr, end))
		return leave(s, -ENOMEM);
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
		zap(s, addr, end);
		return leave(s, 0);
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return leave(s, advise_fork(s, addr, end, advice));
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return leave(s, populate(s, addr, end));
	case MADV_REMOVE:
		return leave(s, punch(s, addr, end));
	default:
		return leave(s, 0);
	}
}

int mc_resident(uaddr_t addr, u64 len, u8 *vec)
{
	struct space *s = enter();
	u64 i, *pte;

	for (i = 0; i < len / PAGE_SIZE; i++) {
		pte = pte_find(s->pml4, addr + i * PAGE_SIZE);
		vec[i] = pte && *pte;
	}
	return leave(s, regions_cover(s, addr, addr + len) ? 0 : -ENOMEM);
}
