// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/maps, smaps, smaps_rollup, numa_maps. */
#include "proc.h"
#include "hostfs.h"

#include <linux/mman.h>

#define NAME_COLUMN 73

/* The mappings at one moment, with references: names are looked up without mm->lock. */
struct map_copy {
	struct vma *v;
	u32 n;
	char *text[HOST_PATHS]; /* names of the next files, from `next` on */
	u32 ntext, next;
};

static int copy_maps(struct mm *mm, struct map_copy *c)
{
	struct vma_iter it = {0};
	const struct vma *v;

	guard(&mm->lock);
	*c = (struct map_copy){ 0 };
	c->v = kmalloc((mm->nvmas + 1) * sizeof(*c->v));
	if (!c->v)
		return -ENOMEM;
	while ((v = vma_next(mm, &it))) {
		if (v->flags & VMA_KERNEL && !v->name)
			continue;
		c->v[c->n] = *v;
		if (c->v[c->n].file)
			file_get(c->v[c->n].file);
		c->n++;
	}
	return 0;
}

static void free_maps(struct map_copy *c)
{
	for (u32 i = 0; i < c->n; i++)
		file_put(c->v[i].file);
	kfree(c->v);
}

/* What is known of a mapped file; a library has four mappings in a row, and is asked once. */
struct file_id {
	struct file *file;
	u32 major, minor;
	u64 ino;
	char *name;
	bool own; /* the mappings are the caller's: their residence can be asked for */
};

/* The name of the file of mapping `at`; those of the files that follow are asked for along with it. */
static char *next_text(struct map_copy *c, u32 at)
{
	struct file *files[HOST_PATHS], *last = NULL;
	u32 n = 0;

	if (c->next < c->ntext)
		return c->text[c->next++];
	for (; at < c->n && n < HOST_PATHS; at++) {
		struct file *f = c->v[at].file;

		if (f && f != last)
			files[n++] = f;
		last = f;
	}
	files_text(files, c->text, n);
	c->ntext = n;
	c->next = 1;
	return c->text[0];
}

/* Of each mapping in turn; at the end: of none. */
static void look_up(struct file_id *id, struct map_copy *c, u32 at)
{
	struct file *f = at < c->n ? c->v[at].file : NULL;
	struct statx st;

	if (id->file == f)
		return;
	kfree(id->name);
	*id = (struct file_id){ .file = f, .own = id->own };
	if (!f)
		return;
	id->name = next_text(c, at);
	if (vfs_fstat(f, &st))
		return;
	id->major = st.stx_dev_major;
	id->minor = st.stx_dev_minor;
	id->ino = st.stx_ino;
}

static const char *name_of(const struct vma *v, const struct file_id *id)
{
	if (id->name)
		return id->name;
	if (v->name)
		return v->name;
	return v->flags & MAP_SHARED ? "/dev/zero (deleted)" : NULL;
}

static void show_range(struct seq *m, u64 start, u64 end, const char *perms, u64 off)
{
	seq_printf(m, "%08lx-%08lx %s %08lx ", start, end, perms, off);
}

static void show_map(struct seq *m, const struct vma *v, const struct file_id *id)
{
	size_t line = m->len;
	const char *name = name_of(v, id);
	char perms[5] = { v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
			  v->prot & PROT_EXEC ? 'x' : '-', v->flags & MAP_SHARED ? 's' : 'p', 0 };

	show_range(m, v->start, v->end, perms, v->file ? v->off : 0);
	seq_printf(m, "%02x:%02x %lu ", id->major, id->minor, id->ino);
	if (name) {
		seq_pad(m, line, NAME_COLUMN);
		seq_escape(m, name, "\n");
	}
	seq_putc(m, '\n');
}

static int each_map(struct seq *m, const struct pseudo_ctx *c,
		    void (*fn)(struct seq *m, const struct vma *v, const struct file_id *id))
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);
	struct file_id id = { 0 };
	struct vma vdso = { .prot = PROT_READ | PROT_EXEC, .flags = MAP_PRIVATE, .name = "[vdso]" };
	struct map_copy maps;
	int err;

	if (IS_ERR(mm) || !mm)
		return (int)PTR_ERR(mm);
	id.own = mm == current->mm;
	err = copy_maps(mm, &maps);
	vdso.start = mm_vdso(mm);
	vdso.end = vdso.start + VDSO_SIZE;
	mm_put(mm);
	if (err)
		return err;
	for (u32 i = 0; i < maps.n; i++) {
		look_up(&id, &maps, i);
		fn(m, &maps.v[i], &id);
	}
	look_up(&id, &maps, maps.n);
	if (vdso.start)
		fn(m, &vdso, &id);
	kfree(id.name);
	free_maps(&maps);
	return 0;
}

int pid_maps(struct seq *m, const struct pseudo_ctx *c)
{
	return each_map(m, c, show_map);
}

/* What the host does not tell us per mapping is 0. */
static const char *const smaps_zeros[] = {
	"Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:", "Referenced:",
};
static const char *const smaps_zeros2[] = {
	"LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:",
	"Private_Hugetlb:", "Swap:", "SwapPss:", "Locked:",
};

static void smaps_line(struct seq *m, const char *name, u64 kb)
{
	seq_printf(m, "%-15s %8lu kB\n", name, kb);
}

static void smaps_body(struct seq *m, u64 rss, u64 anon)
{
	smaps_line(m, "Rss:", rss);
	smaps_line(m, "Pss:", rss);
	smaps_line(m, "Pss_Dirty:", anon);
	for (size_t i = 0; i < ARRAY_SIZE(smaps_zeros); i++)
		smaps_line(m, smaps_zeros[i], i == 3 ? anon : 0);
	smaps_line(m, "Anonymous:", anon);
	for (size_t i = 0; i < ARRAY_SIZE(smaps_zeros2); i++)
		smaps_line(m, smaps_zeros2[i], 0);
}

static void show_flags(struct seq *m, const struct vma *v)
{
	seq_puts(m, "VmFlags: ");
	seq_puts(m, v->prot & PROT_READ ? "rd " : "");
	seq_puts(m, v->prot & PROT_WRITE ? "wr " : "");
	seq_puts(m, v->prot & PROT_EXEC ? "ex " : "");
	seq_puts(m, v->flags & MAP_SHARED ? "sh " : "");
	seq_puts(m, "mr mw me ");
	seq_puts(m, v->flags & MAP_GROWSDOWN ? "gd " : "");
	seq_puts(m, v->flags & MAP_LOCKED ? "lo " : "");
	seq_puts(m, v->flags & VMA_DONTFORK ? "dc " : "");
	seq_puts(m, v->flags & MAP_NORESERVE ? "nr " : "");
	seq_puts(m, v->flags & VMA_WIPEONFORK ? "wf " : "");
	seq_puts(m, v->flags & VMA_DONTDUMP ? "dd " : "");
	seq_putc(m, '\n');
}

#define PROBE_PAGES 1024

/*
 * KB of an anonymous mapping of the caller's that are there. Of files the host tells what it caches, not what is mapped; but
 * debuggers look for what may differ from the file: all that was writable; and for whether there is anything at all in others'
 * heaps and stacks.
 */
static u64 resident_kb(const struct vma *v, const struct file_id *id)
{
	u8 vec[PROBE_PAGES];
	u64 pages = 0;

	if (v->file && !(v->flags & MAP_SHARED) && (v->prot & PROT_WRITE || v->flags & VMA_WRITTEN))
		return KB(v->end - v->start);
	if (v->file || v->start >= USER_END)
		return 0;
	if (!id->own)
		return v->name && !(v->flags & MAP_SHARED) ? PAGES_KB(1) : 0;
	for (u64 at = v->start; at < v->end; at += PROBE_PAGES << PAGE_SHIFT) {
		u64 n = min((v->end - at) >> PAGE_SHIFT, (u64)PROBE_PAGES);

		if (mc_resident(at, n << PAGE_SHIFT, vec) < 0)
			break;
		for (u64 i = 0; i < n; i++)
			pages += vec[i] & 1;
	}
	return PAGES_KB(pages);
}

static void show_smap(struct seq *m, const struct vma *v, const struct file_id *id)
{
	u64 anon = resident_kb(v, id);

	show_map(m, v, id);
	smaps_line(m, "Size:", KB(v->end - v->start));
	smaps_line(m, "KernelPageSize:", 4);
	smaps_line(m, "MMUPageSize:", 4);
	smaps_body(m, anon, anon);
	smaps_line(m, "THPeligible:", 0);
	show_flags(m, v);
}

int pid_smaps(struct seq *m, const struct pseudo_ctx *c)
{
	return each_map(m, c, show_smap);
}

int pid_smaps_rollup(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);
	struct pv_proc_stat host;
	struct mm_sizes z;
	struct vma_iter it = {0};
	const struct vma *v;
	size_t line = m->len;
	u64 first = 0, last = 0;

	if (IS_ERR(mm) || !mm)
		return mm ? (int)PTR_ERR(mm) : -ESRCH;
	mutex_lock(&mm->lock);
	while ((v = vma_next(mm, &it))) {
		first = first ? first : v->start;
		last = v->end;
	}
	mutex_unlock(&mm->lock);
	host_proc_stat(c, &host);
	mm_sizes(mm, &host, &z);
	mm_put(mm);
	show_range(m, first, last, "---p", 0);
	seq_puts(m, "00:00 0 ");
	seq_pad(m, line, NAME_COLUMN);
	seq_puts(m, "[rollup]\n");
	smaps_body(m, PAGES_KB(z.rss), PAGES_KB(z.rss - z.rss_file - z.rss_shmem));
	smaps_line(m, "Pss_Anon:", PAGES_KB(z.rss - z.rss_file - z.rss_shmem));
	smaps_line(m, "Pss_File:", PAGES_KB(z.rss_file));
	smaps_line(m, "Pss_Shmem:", PAGES_KB(z.rss_shmem));
	return 0;
}

static void show_numa_map(struct seq *m, const struct vma *v, const struct file_id *id)
{
	seq_printf(m, "%08lx default", v->start);
	if (id->name) {
		seq_puts(m, " file=");
		seq_escape(m, id->name, "\n\t ");
	} else if (v->name && !strcmp(v->name, "[heap]")) {
		seq_puts(m, " heap");
	} else if (v->name && !strcmp(v->name, "[stack]")) {
		seq_puts(m, " stack");
	}
	seq_printf(m, " kernelpagesize_kB=4\n");
}

int pid_numa_maps(struct seq *m, const struct pseudo_ctx *c)
{
	return each_map(m, c, show_numa_map);
}
