// SPDX-License-Identifier: Apache-2.0
/* Which mappings are in a core file, and how much of each (core(5), /proc/PID/coredump_filter). */
#include "impl.h"

#include <linux/mman.h>

#define ANON_PRIVATE 1u
#define ANON_SHARED 2u
#define FILE_PRIVATE 4u
#define FILE_SHARED 8u
#define ELF_HEADERS 16u
#define ELF_MAGIC 0x464c457fu

/* Of a private mapping of a file, what has been written is the process's own. */
static u32 class_of(const struct vma *v)
{
	if (v->flags & MAP_SHARED && !(v->flags & MAP_PRIVATE))
		return v->file ? FILE_SHARED : ANON_SHARED;
	if (!v->file || v->flags & VMA_WRITTEN || v->prot & PROT_WRITE)
		return ANON_PRIVATE;
	return FILE_PRIVATE;
}

static u64 dump_size(const struct vma *v, u32 filter)
{
	if (v->flags & VMA_DONTDUMP)
		return 0;
	if (class_of(v) & filter)
		return v->end - v->start;
	/* debuggers know the file by its build id; whether it is ELF is seen later */
	return filter & ELF_HEADERS && v->file && !v->off && v->prot & PROT_READ ? PAGE_SIZE : 0;
}

static int take_all(struct core_segments *s, struct mm *mm, u32 filter)
{
	const struct vma *v;
	struct vma_iter it = {0};

	guard(&mm->lock);
	s->room = mm->nvmas + 1;
	s->seg = kzalloc(s->room * sizeof(*s->seg));
	if (!s->seg)
		return -ENOMEM;
	while ((v = vma_next(mm, &it))) {
		if (v->flags & VMA_KERNEL)
			continue;
		s->seg[s->n++] = (struct core_segment){
			.start = v->start,
			.end = v->end,
			.size = dump_size(v, filter),
			.off = v->off,
			.prot = v->prot,
			.file = v->file ? file_get(v->file) : NULL,
		};
	}
	return 0;
}

static void drop_others_headers(struct core_segment *seg)
{
	u32 magic;

	if (!seg->file || seg->off || seg->size != PAGE_SIZE || seg->end - seg->start == PAGE_SIZE)
		return;
	if (mc_copy_from_user(&magic, seg->start, sizeof(magic)) || magic != ELF_MAGIC)
		seg->size = 0;
}

/* The machine's, outside the list. */
static void add_vdso(struct core_segments *s)
{
	uaddr_t start = mm_vdso(current->mm);

	if (!start || !mc_vdso())
		return;
	s->seg[s->n++] = (struct core_segment){
		.start = start,
		.end = start + VDSO_SIZE,
		.size = VDSO_SIZE,
		.prot = PROT_READ | PROT_EXEC,
		.vdso = true,
	};
}

int segments_take(struct core_segments *s)
{
	int err = take_all(s, current->mm, current->proc->coredump_filter);

	if (err)
		return err;
	for (u32 i = 0; i < s->n; i++)
		drop_others_headers(&s->seg[i]);
	add_vdso(s);
	return 0;
}

void segments_free(struct core_segments *s)
{
	for (u32 i = 0; i < s->n; i++)
		file_put(s->seg[i].file);
	kfree(s->seg);
}
