// SPDX-License-Identifier: Apache-2.0
/* Page faults: pages are made, copied and mapped when they are used first. */
#include <asm/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "space.h"

static u64 entry_for(const struct region *r, u64 gpa, bool writable)
{
	u64 e = gpa | PTE_P | PTE_U | PTE_A;

	if (writable && r->prot & PROT_WRITE)
		e |= PTE_W | PTE_D;
	if (!(r->prot & PROT_EXEC))
		e |= PTE_NX;
	return e;
}

/* Of a private region: a page of its own with the contents of `from` (0: zeros). */
static u64 own_page(u64 from)
{
	u64 gpa;

	if (!from)
		return frame_alloc();
	gpa = frame_alloc_dirty();
	if (gpa && kvm_wcopy(direct(gpa), direct(from), PAGE_SIZE)) { /* of a file that has no such page any more */
		frame_put(gpa);
		gpa = 0;
	}
	return gpa;
}

/* A write to a page which this private region has to read only. */
static int break_sharing(struct space *s, struct region *r, u64 *pte)
{
	u64 old = *pte & PTE_ADDR, gpa;

	if (is_frame(old) && frame_refs(old) == 1) {
		WRITE_ONCE(*pte, entry_for(r, old, true));
		return 0;
	}
	gpa = own_page(old);
	if (!gpa)
		return -ENOMEM;
	space_count(s, *pte, -1);
	WRITE_ONCE(*pte, entry_for(r, gpa, true));
	space_count(s, *pte, 1);
	flush_space(s); /* another thread may still read the old page */
	if (is_frame(old))
		frame_put(old);
	return 0;
}

static int fresh_page(struct region *r, uaddr_t page, u64 *pte, bool write)
{
	u64 gpa, source = 0;
	int err = -ENOMEM;

	if (r->object) {
		source = object_page(r->object, r->off + (page - region_start(r)), &err);
		if (!source)
			return err;
	}
	if (r->shared || (r->object && !write)) {
		WRITE_ONCE(*pte, entry_for(r, source, r->shared));
		return 0;
	}
	gpa = own_page(source);
	if (!gpa)
		return -ENOMEM;
	if (source && is_frame(source))
		frame_put(source);
	WRITE_ONCE(*pte, entry_for(r, gpa, true));
	return 0;
}

static bool allowed(const struct region *r, bool write, bool exec)
{
	return r->prot & (write ? PROT_WRITE : exec ? PROT_EXEC : PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int fault_locked(struct space *s, struct region *r, uaddr_t page, bool write)
{
	u64 *pte = pte_make(s->pml4, page);
	int err;

	if (!pte)
		return -ENOMEM;
	s->faults++;
	if (*pte && !(*pte & PTE_P)) /* may be used again */
		WRITE_ONCE(*pte, entry_for(r, *pte & PTE_ADDR, r->shared));
	if (!*pte) {
		err = fresh_page(r, page, pte, write);
		if (!err)
			space_count(s, *pte, 1);
		return err;
	}
	if (!write || *pte & PTE_W)
		return 0; /* somebody else was here first */
	if (!r->shared)
		return break_sharing(s, r, pte);
	WRITE_ONCE(*pte, entry_for(r, *pte & PTE_ADDR, true));
	return 0;
}

static int fault(struct space *s, uaddr_t addr, bool write, bool exec, struct fault_result *res)
{
	struct region *r = region_at(s, addr);
	int err;

	*res = (struct fault_result){ SIGSEGV, r ? SEGV_ACCERR : SEGV_MAPERR };
	if (!r || !allowed(r, write, exec))
		return -EFAULT;
	err = fault_locked(s, r, addr & PAGE_MASK, write);
	if (err)
		*res = (struct fault_result){ SIGBUS, BUS_ADRERR };
	return err;
}

bool fault_in(struct space *s, uaddr_t addr, bool write, bool exec, struct fault_result *r)
{
	guard(&s->lock);
	return fault(s, addr, write, exec, r) == 0;
}

u64 page_hold(struct space *s, uaddr_t addr, bool write)
{
	struct fault_result r;
	u64 gpa;

	guard(&s->lock);
	if (fault(s, addr, write, false, &r))
		return 0;
	gpa = *pte_find(s->pml4, addr) & PTE_ADDR;
	if (is_frame(gpa))
		frame_get(gpa);
	return gpa;
}

/* The region has a page of its own there afterwards, which its processes may still not write to. */
static int fault_forced(struct space *s, uaddr_t addr)
{
	struct region *r = region_at(s, addr);
	u64 *pte;

	if (!r || r->shared || !allowed(r, false, false))
		return -EFAULT;
	pte = pte_make(s->pml4, addr & PAGE_MASK);
	if (!pte)
		return -ENOMEM;
	return *pte ? break_sharing(s, r, pte) : fault_locked(s, r, addr & PAGE_MASK, true);
}

u64 page_hold_forced(struct space *s, uaddr_t addr)
{
	u64 gpa;

	guard(&s->lock);
	if (fault_forced(s, addr))
		return 0;
	gpa = *pte_find(s->pml4, addr) & PTE_ADDR;
	frame_get(gpa);
	return gpa;
}

/* Some file is shorter than it was: pages behind its end are not there any more. */
void files_shrunk(struct space *s)
{
	struct region *r;

	guard(&s->lock);
	for (r = of_node(tree_first(s->regions)); r; r = of_node(tree_first_from(s->regions, r->end))) {
		u64 first;

		if (!r->object || !r->object->file)
			continue;
		object_look(r->object);
		first = max(r->object->pages * PAGE_SIZE, r->off) - r->off;
		if (first < r->end - region_start(r))
			zap_mapped(s, region_start(r) + first, r->end);
	}
}

void page_drop(u64 gpa)
{
	if (is_frame(gpa))
		frame_put(gpa);
}

int populate(struct space *s, uaddr_t from, uaddr_t to)
{
	struct region *r;
	int err = 0;

	for (; from < to && !err; from += PAGE_SIZE) {
		r = region_at(s, from);
		if (r && r->prot & (PROT_READ | PROT_WRITE | PROT_EXEC))
			err = fault_locked(s, r, from, r->prot & PROT_WRITE && !r->shared);
	}
	return err;
}
