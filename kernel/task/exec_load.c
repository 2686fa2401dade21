/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping a program and its interpreter into an empty space. */
#include <linux/mman.h>
#include <linux/personality.h>

#include "exec.h"

#define PIE_BASE	 0x555555554000ULL /* two thirds of the way up, as on Linux */
#define PIE_RANDOM_PAGES (1ULL << 28)
#define BRK_RANDOM_PAGES (0x02000000ULL / PAGE_SIZE)

static u64 random_pages(const struct exec *x, u64 limit)
{
	return x->randomize ? random_u64() % limit * PAGE_SIZE : 0;
}

/* Memory behind the file's part of a segment: the rest of its last page (to its very end: ld.so
 * allocates there), then whole pages. */
static int load_bss(struct exec *x, const struct exec_file *f, const struct elf_load *l)
{
	uaddr_t from = f->base + l->vaddr + l->filesz, to = f->base + l->vaddr + l->memsz;
	uaddr_t page = l->filesz ? PAGE_ALIGN(from) : from & PAGE_MASK;
	s64 ret;

	if (page > from && l->prot & PROT_WRITE && mc_clear_user(from, page - from))
		return -EFAULT;
	if (PAGE_ALIGN(to) <= page)
		return 0;
	ret = mm_map(x->mm, page, PAGE_ALIGN(to) - page, l->prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, NULL);
	return ret < 0 ? (int)ret : 0;
}

static int load_segment(struct exec *x, const struct exec_file *f, const struct elf_load *l)
{
	u64 in_page = l->vaddr & ~PAGE_MASK;
	s64 ret = 0;

	if (l->filesz)
		ret = mm_map(x->mm, f->base + l->vaddr - in_page, l->filesz + in_page, l->prot,
			     MAP_PRIVATE | MAP_FIXED, f->file, l->off - in_page, NULL);
	if (ret < 0)
		return (int)ret;
	return l->memsz > l->filesz ? load_bss(x, f, l) : 0;
}

static int load_image(struct exec *x, struct exec_file *f)
{
	for (u32 i = 0; i < f->elf.nloads; i++) {
		int ret = load_segment(x, f, &f->elf.loads[i]);

		if (ret)
			return ret;
	}
	return 0;
}

/* A base so that the image begins at `at` or a little below, as its alignment asks. */
static u64 base_for(const struct elf_image *e, uaddr_t at)
{
	return (at & ~(e->align - 1)) - (e->low & ~(e->align - 1));
}

/* Programs with an interpreter go where the heap above them has room; interpreters go under the
 * other mappings. */
static int choose_base(struct exec *x, struct exec_file *f, bool program)
{
	const struct elf_image *e = &f->elf;
	u64 len = e->high - e->low + e->align;
	uaddr_t at;

	if (!e->pie)
		return 0;
	mutex_lock(&x->mm->lock);
	if (program)
		at = mm_find_gap(x->mm, len, PIE_BASE + random_pages(x, PIE_RANDOM_PAGES), 0,
				 x->mm->mmap_base);
	else
		at = mm_find_gap(x->mm, len, 0, 0, x->mm->mmap_base);
	mutex_unlock(&x->mm->lock);
	if (!at)
		return -ENOMEM;
	f->base = base_for(e, at + e->align - PAGE_SIZE);
	return 0;
}

/* What /proc/pid/stat shows, and where the heap begins. */
static void set_bounds(struct exec *x)
{
	const struct exec_file *f = &x->prog;
	struct mm *mm = x->mm;

	for (u32 i = 0; i < f->elf.nloads; i++) {
		const struct elf_load *l = &f->elf.loads[i];
		uaddr_t start = f->base + l->vaddr, end = start + l->filesz;

		if (l->prot & PROT_EXEC) {
			mm->code_start = mm->code_start ? min(mm->code_start, start) : start;
			mm->code_end = max(mm->code_end, end);
		}
		if (start >= mm->data_start) {
			mm->data_start = start;
			mm->data_end = end;
		}
	}
	mm->brk_start = f->base + f->elf.high + random_pages(x, BRK_RANDOM_PAGES);
	mm->brk = mm->brk_start;
}

int exec_load(struct exec *x)
{
	int ret = choose_base(x, &x->prog, true);

	if (!ret)
		ret = load_image(x, &x->prog);
	if (ret)
		return ret;
	set_bounds(x);
	if (!x->interp.file)
		return 0;
	ret = choose_base(x, &x->interp, false);
	return ret ? ret : load_image(x, &x->interp);
}
