// SPDX-License-Identifier: Apache-2.0
/*
 * Text segments that many processes map: ld.so, the C library, a shell. Each process has them afresh, with no site patched, and most
 * end before a site is worth a patch. So traps are counted for the segment of the file as well, whoever takes them. Where they have
 * cost what a copy of the segment costs, text_image.c makes one with those sites patched, and whoever maps the segment from then on gets
 * that in place of the file: by the one mmap that it is anyway. The kernel's mapping is one of the file all the same.
 *
 * - A file is who it was as long as fstat says so, with a ctime that lay back far enough when the copy was made: a later change sets
 *   another one. What is written to the file after it was mapped a process does not see, which mmap(2) leaves open.
 * - Jumps and trampolines are one piece, the mapping. If a part of that is to go, or to be written to, or a debugger comes, the
 *   original pages come back first.
 * - A process uses the copies that it holds a descriptor of: those that are its parent's. Who forks fetches them.
 */
#include <asm/mman.h>
#include <asm/stat.h>
#include <linux/mman.h>

#include "text.h"

#define TEXTS 128
#define WAYS 4
#define TEXT_MAX (1024 * PAGE_SIZE) /* longer ones: each process patches its own */
#define TICKS 20000000u /* ns: two of a host with 100 of them a second */

static struct text {
	struct text_id id;
	struct text_site *sites; /* TEXT_SITES of them */
	struct cpuid_site *cpuids;
	u32 ncpuids;
	const struct text_image *image;
	u32 nsites, ndone; /* the first `ndone` were there for an image: who traps there has not mapped it */
	u32 traps; /* at others */
	u32 builds;
	bool building;
	bool searched, seen; /* for cpuids; mapped before */
} texts[TEXTS] BSS_SITES;

static struct mutex texts_lock __attribute__((section(".data.hot")));

/* A trap costs 2 us, to copy a page about 1. What comes after the first copy must be worth more. */
static u32 traps_to_build(const struct text *t)
{
	return (16 + (u32)(t->id.len / PAGE_SIZE) / 4) << min(2 * t->builds, 16u);
}

static bool identify(u32 handle, struct text_id *id)
{
	struct stat st;

	if (mc_fstat(handle, &st))
		return false;
	id->dev = st.st_dev;
	id->ino = st.st_ino;
	id->size = (u64)st.st_size;
	id->sec = st.st_ctime;
	id->nsec = st.st_ctime_nsec;
	return true;
}

/* Could a change from now on leave the ctime as it is? Times without fractions may be of whole seconds. */
static bool too_young(const struct text_id *id)
{
	u64 age = id->nsec ? TICKS : 2 * NSEC_PER_SEC;

	return id->sec * NSEC_PER_SEC + id->nsec + age >= mc_clock(0 /* CLOCK_REALTIME */);
}

static bool same(const struct text_id *a, const struct text_id *b) { return !memcmp(a, b, sizeof(*a)); }

static bool same_place(const struct text_id *a, const struct text_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->off == b->off;
}

/* The one of this place in a file, as it may have been before; else one that nobody would miss. */
static struct text *slot_for(const struct text_id *id)
{
	struct text *set = &texts[hash_u64(id->ino ^ id->off << 20) % (TEXTS / WAYS) * WAYS], *least = set;

	for (u32 i = 0; i < WAYS; i++) {
		if (same_place(&set[i].id, id))
			return &set[i];
		if (!set[i].building && set[i].traps + !!set[i].image * TEXTS < least->traps + !!least->image * TEXTS)
			least = &set[i];
	}
	return least;
}

/* With texts_lock held. NULL: not now. */
static struct text *find(const struct text_id *id)
{
	struct text *t = slot_for(id);

	if (same(&t->id, id))
		return t;
	if (t->building)
		return NULL;
	kfree(t->sites);
	kfree(t->cpuids);
	*t = (struct text){ .id = *id };
	return t;
}

static void build(struct text *t, const struct text_id *id, u32 file)
{
	struct text_site sites[TEXT_SITES];
	struct text_patches what = { .cpuids = t->cpuids, .ncpuids = t->ncpuids, .calls = sites, .ncalls = t->nsites };
	const struct text_image *image;

	memcpy(sites, t->sites, what.ncalls * sizeof(*sites));
	t->building = true;
	mutex_unlock(&texts_lock);
	image = text_image_build(id, file, &what, false);
	mutex_lock(&texts_lock);
	t->building = false;
	t->ndone = what.ncalls;
	t->builds++;
	t->traps = 0;
	if (image)
		t->image = image;
}

/* The file that is mapped at `addr`: its text need not be read by the host, nor be there twice. */
struct source {
	u32 file;
	uaddr_t addr;
	const struct text_id *id;
};

static long read_source(void *ctx, void *buf, u64 len, u64 off)
{
	const struct source *s = ctx;
	u64 at = off - s->id->off;

	if (off < s->id->off || at >= s->id->len || len > s->id->len - at)
		return text_file_read(s->file, buf, len, off);
	return mc_copy_from_user(buf, s->addr + at, len) ? -EFAULT : (long)len;
}

/* Each cpuid costs more than a page of the image, and no process is without them. */
static const struct text_image *search(struct text *t, const struct text_id *id, struct source *source)
{
	struct cpuid_file f = { source, read_source, id->off, id->len };
	struct cpuid_site *cpuids = kmalloc(CPUID_SITES * sizeof(*cpuids));
	struct text_patches what = { .cpuids = cpuids };
	void *room __kfree = kmalloc(cpuid_room());
	const struct text_image *image = NULL;

	if (room && cpuids)
		what.ncpuids = cpuid_find(&f, cpuids, room);
	if (what.ncpuids)
		image = text_image_build(id, source->file, &what, true);
	guard(&texts_lock);
	t->building = false;
	t->cpuids = cpuids;
	t->ncpuids = what.ncpuids;
	if (!t->ncpuids) {
		kfree(cpuids);
		t->cpuids = NULL;
	}
	if (image)
		t->image = image;
	return image;
}

/*
 * The program and its interpreter, which is what has cpuids that each start executes, are the first that are mapped. To look for them and to make the image costs
 * as much as a start's cpuids: not before it is mapped for the second time, as many containers have one process.
 */
static bool search_due(const struct text *t) { return PRIV->ntext_maps < 2 && !t->searched && !t->image; }

static bool search_begins(struct text *t, const struct text_id *id)
{
	if (!t)
		return false;
	guard(&texts_lock);
	if (!search_due(t) || t->building || !same(&t->id, id) || too_young(id))
		return false;
	if (!t->seen) {
		t->seen = true;
		return false;
	}
	t->searched = t->building = true;
	return true;
}

/* Who it is that `file` has there, and the image to be mapped for it, if there is one. */
static void recognise(struct text_map *m, struct text_id *id, u32 file)
{
	if (!identify(file, id))
		return;
	guard(&texts_lock);
	m->text = find(id);
	if (!m->text)
		return;
	if (!search_due(m->text) && m->text->traps >= traps_to_build(m->text) && !m->text->building && !too_young(id))
		build(m->text, id, file);
	m->image = m->text->image;
}

static long map_file(const struct text_map *m, int flags, u32 file, u64 off)
{
	return hostcall(mmap, m->start, m->len, PROT_READ | PROT_EXEC, flags, pv_fd(file), off);
}

/* The file, and over it what a sparse image has. */
static long map_original(struct text_map *m, const struct text_id *id, int flags, u32 file)
{
	struct source source = { file, m->start, id };
	long r = map_file(m, flags, file, id->off);

	if (r >= 0 && search_begins(m->text, id))
		m->image = search(m->text, id, &source);
	if (m->image && (r < 0 || !m->image->sparse || !text_image_lay(m->image, m->start)))
		m->image = NULL;
	return r;
}

int pv_text_map(uaddr_t addr, u64 len, int flags, u32 file, u64 off)
{
	struct text_map m = { .start = addr, .len = len };
	struct text_id id = { .off = off, .len = len };
	long r = -1;

	if (!BOOT->no_patch && !PRIV->patch_off && len <= TEXT_MAX && PRIV->ntext_maps < TEXT_MAPS)
		recognise(&m, &id, file);
	if (m.image && !pv_handle_present(m.image->handle))
		m.image = NULL;
	if (m.image && !m.image->sparse)
		r = map_file(&m, flags, m.image->handle, 0);
	if (r < 0)
		r = map_original(&m, &id, flags, file);
	if (r >= 0 && m.text)
		PRIV->text_maps[PRIV->ntext_maps++] = m;
	return r < 0 ? (int)r : 0;
}

/* Whole or in part. One that goes as a whole may go as it is. */
void pv_text_change(uaddr_t addr, u64 len, bool goes)
{
	u32 i = 0;

	while (i < PRIV->ntext_maps) {
		struct text_map *m = &PRIV->text_maps[i];

		if (m->start >= addr + len || addr >= m->start + m->len) {
			i++;
			continue;
		}
		if (m->image && !(goes && addr <= m->start && m->start + m->len <= addr + len))
			text_image_undo(m->image, m->start);
		*m = PRIV->text_maps[--PRIV->ntext_maps];
	}
}

void pv_text_original(void)
{
	for (u32 i = PRIV->ntext_maps; i--;) {
		struct text_map m = PRIV->text_maps[i];

		if (!m.image || !kernel_code_lock(m.start, m.len))
			continue;
		/* Other threads' calls, before the lock was taken, may have changed the list. */
		if (i < PRIV->ntext_maps && !memcmp(&m, &PRIV->text_maps[i], sizeof(m)))
			pv_text_change(m.start, m.len, false);
		kernel_code_unlock();
	}
}

static void learn(struct text *t, u32 off, u32 nr)
{
	if (!t->sites)
		t->sites = kmalloc(TEXT_SITES * sizeof(*t->sites));
	if (!t->sites)
		return;
	for (u32 i = 0; i < t->nsites; i++) {
		if (t->sites[i].off != off)
			continue;
		t->traps += i >= t->ndone;
		return;
	}
	if (t->nsites == TEXT_SITES)
		return;
	t->sites[t->nsites++] = (struct text_site){ off, nr };
	t->traps++;
}

/* Only a hint: the list may change under this look, and the text may be another's by now. */
void pv_text_trapped(uaddr_t site, u64 nr)
{
	for (u32 i = 0; i < PRIV->ntext_maps; i++) {
		const struct text_map *m = &PRIV->text_maps[i];

		if (site - m->start >= m->len || !m->text || !mutex_trylock(&texts_lock))
			continue;
		learn(m->text, (u32)(site - m->start), (u32)nr);
		mutex_unlock(&texts_lock);
	}
}
