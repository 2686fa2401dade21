// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of text segments with patched call sites (text.c). The trampolines are in the last page, behind the end of the segment, where the
 * linker left zeros: so they are as far from the sites in each process, wherever it has the mapping. For the same reason their
 * code is relative to itself. An image does not change once it is mapped.
 */
#include <asm/mman.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "patch.h"
#include "text.h"

#define IMAGES 64
#define IMAGE_PAGES 4096 /* of all of them; or what is the sixteenth part of the container's memory */
#define CHUNK 0x10000u
#define TRAMP_LEN 24
#define TRAMP_MAX (PAGE_SIZE / TRAMP_LEN)

static struct text_image images[IMAGES] BSS_LARGE;
static u32 nimages __attribute__((section(".data.hot")));
static struct mutex images_lock; /* of who makes one */
static u32 pages_used;

#define CPUID_LEN 2
#define ASK_LEN 13 /* of the instructions that go to pv_cpuid_entry */

/* What is being made. */
struct maker {
	struct text_image *image;
	const struct text_id *id;
	const struct text_patches *what;
	u64 tail, tail_end; /* where trampolines go, and as far as they do */
	u8 *mem; /* of a sparse one: all that the object will hold */
	u8 page[PAGE_SIZE];
};

static bool object_io(const struct maker *m, void *buf, u64 len, u64 off, bool write)
{
	int fd = pv_fd(m->image->handle);

	if (fd < 0)
		return false;
	if (write)
		return hostcall(pwrite64, fd, buf, len, off) == (long)len;
	return hostcall(pread64, fd, buf, len, off) == (long)len;
}

long text_file_read(u32 file, void *buf, u64 len, u64 off)
{
	int fd = pv_fd(file);

	return fd < 0 ? fd : hostcall(pread64, fd, buf, len, off);
}

/* Number of that page in a list that has it, else npages. */
static u32 listed(const struct text_image *image, u64 page)
{
	u32 i = 0;

	while (i < image->npages && image->pages[i] != page)
		i++;
	return i;
}

/* What will be mapped at that offset in the segment. */
static bool text_io(const struct maker *m, void *buf, u64 len, u64 off, bool write)
{
	u8 *at = m->mem + listed(m->image, off / PAGE_SIZE) * PAGE_SIZE + off % PAGE_SIZE;

	if (!m->image->sparse)
		return object_io(m, buf, len, off, write);
	if (listed(m->image, off / PAGE_SIZE) == m->image->npages)
		return false;
	memcpy(write ? at : buf, write ? buf : at, len);
	return true;
}

/* Where in its last page the segment that is mapped so ends, as an offset in the segment; 0: there is none. */
static u64 segment_end(const struct text_id *id, const u8 *head, u64 len)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;

	memcpy(&h, head, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_phentsize != sizeof(p) || h.e_phoff > len)
		return 0;
	for (u64 at = h.e_phoff; h.e_phnum-- && at + sizeof(p) <= len; at += sizeof(p)) {
		memcpy(&p, head + at, sizeof(p));
		if (p.p_type != PT_LOAD || !(p.p_flags & PF_X) || (p.p_flags & PF_W) || p.p_filesz != p.p_memsz)
			continue;
		if ((p.p_offset & PAGE_MASK) == id->off && p.p_filesz <= id->len &&
		    PAGE_ALIGN(p.p_offset + p.p_filesz) == id->off + id->len)
			return p.p_offset + p.p_filesz - id->off;
	}
	return 0;
}

static bool find_tail(struct maker *m, u32 file)
{
	long n = text_file_read(file, m->page, PAGE_SIZE, 0);
	u64 end = n < (long)sizeof(Elf64_Ehdr) ? 0 : segment_end(m->id, m->page, (u64)n);

	if (!end || !(end & ~PAGE_MASK))
		return false;
	m->tail = (end + 15) & ~15ULL;
	m->tail_end = m->id->len;
	memset(m->page, 0, PAGE_SIZE);
	if (text_file_read(file, m->page, PAGE_SIZE, m->id->off + m->id->len - PAGE_SIZE) < 0)
		return false;
	for (u64 i = end & ~PAGE_MASK; i < PAGE_SIZE; i++)
		if (m->page[i])
			return false;
	return m->tail + 8 + TRAMP_LEN <= m->tail_end;
}

static bool make_object(struct maker *m, u64 len)
{
	struct pv_slot s;
	s64 r;

	m->image->handle = mc_handle_alloc();
	if (!m->image->handle)
		return false;
	mc_pv_get(&s);
	s.req.cmd = PV_MEMFD;
	s.req.u.handle = (struct pv_req_handle){ .id = m->image->handle, .len = len };
	r = mc_pv_call(&s);
	mc_pv_put(&s);
	return r >= 0;
}

static bool copy(struct maker *m, u32 file)
{
	char *buf __kfree = kmalloc(CHUNK);
	u64 at = 0;

	while (buf && at < m->id->len) {
		u64 want = min(m->id->len - at, (u64)CHUNK);
		long n = text_file_read(file, buf, want, m->id->off + at);

		/* The last page may end behind the file. */
		if (n <= 0 || (n < (long)want && at + want < m->id->len))
			return false;
		if (!object_io(m, buf, (u64)n, at, true))
			return false;
		at += want;
	}
	return buf != NULL;
}

/* the replaced instruction; lea ret(%rip),%rcx; jmp *entry(%rip), which is what `tail` begins with */
static bool write_tramp(struct maker *m, u64 at, const u8 *insn, u32 len, u64 ret, u64 tail)
{
	u8 code[TRAMP_LEN] = { 0 };
	s32 rel;

	memcpy(code, insn, len);
	memcpy(code + len, "\x48\x8d\x0d", 3);
	rel = (s32)(ret - (at + len + 7));
	memcpy(code + len + 3, &rel, 4);
	memcpy(code + len + 7, "\xff\x25", 2);
	rel = (s32)(tail - (at + len + 13));
	memcpy(code + len + 9, &rel, 4);
	return text_io(m, code, TRAMP_LEN, at, true);
}

/* The page is in m->page. */
static bool keep_original(struct maker *m, u32 number)
{
	if (listed(m->image, number) < m->image->npages)
		return true;
	if (!object_io(m, m->page, PAGE_SIZE, m->image->originals + m->image->npages * PAGE_SIZE, true))
		return false;
	m->image->pages[m->image->npages++] = number;
	return true;
}

static bool look(struct maker *m, u64 site, struct window *w)
{
	u64 from = site - min(site, (u64)WINDOW), page_end = (site & PAGE_MASK) + PAGE_SIZE;

	w->at = (u32)(site - from);
	w->len = (u32)(min(site + WINDOW_BEHIND, page_end) - from);
	return w->at >= 32 && w->len >= w->at + 2 && text_io(m, w->code, w->len, from, false) &&
	       w->code[w->at] == 0x0f && w->code[w->at + 1] == 0x05;
}

/* False: of no use any more. A site that can't be patched is just left. */
static bool patch_site(struct maker *m, const struct text_site *s, u64 tail, u64 at)
{
	struct window w;
	struct verdict v;
	u8 insn[INSN_MAX];
	u64 page = s->off & PAGE_MASK;

	if (s->off >= tail || !look(m, s->off, &w) || !pv_patch_judge(s->off, s->nr, &w, &v))
		return true;
	memcpy(insn, w.code + w.at - v.len, v.len);
	if (v.disp && !pv_patch_adapt(insn, v.disp, s->off - v.len, at))
		return true;
	if (!write_tramp(m, at, insn, v.len, s->off + 2, tail) || !text_io(m, m->page, PAGE_SIZE, page, false) ||
	    !keep_original(m, (u32)(page / PAGE_SIZE)))
		return false;
	pv_patch_write(m->page, s->off, &v, at);
	m->tail = at + TRAMP_LEN;
	return text_io(m, m->page, PAGE_SIZE, page, true);
}

/*
 * What was before the cpuid; lea back(%rip),%rdx; jmp *entry(%rip); what was behind it; jmp to what follows. `is`: the bytes that
 * are replaced. Its length; 0: it is too far.
 */
static u32 cpuid_tramp(const struct cpuid_site *s, u8 *is, u64 at, u64 entry, u8 *code)
{
	u32 before = s->at, behind = s->len - CPUID_LEN - before, ask = before, back = ask + ASK_LEN;
	u64 moved = s->disp > before ? at + ASK_LEN - CPUID_LEN : at;
	s32 rel;

	if (s->disp && !pv_patch_adapt(is, s->disp, s->from, moved))
		return 0;
	memcpy(code, is, before);
	memcpy(code + ask, "\x48\x8d\x15", 3);
	rel = behind ? ASK_LEN - 7 : (s32)(s->from + s->len - (at + ask + 7));
	memcpy(code + ask + 3, &rel, 4);
	memcpy(code + ask + 7, "\xff\x25", 2);
	rel = (s32)(entry - (at + back));
	memcpy(code + ask + 9, &rel, 4);
	if (!behind)
		return back;
	memcpy(code + back, is + before + CPUID_LEN, behind);
	code[back + behind] = JMP_REL32;
	rel = (s32)(s->from + s->len - (at + back + behind + 5));
	memcpy(code + back + behind + 1, &rel, 4);
	return back + behind + 5;
}

static bool patch_cpuid(struct maker *m, const struct cpuid_site *s, u64 tail, u64 entry)
{
	u8 code[64] = { 0 }, is[32];
	u64 page = s->from & PAGE_MASK;
	struct verdict v = { .len = s->len };
	u32 len;

	if (s->from + s->len > tail || s->len > sizeof(is) || !text_io(m, m->page, PAGE_SIZE, page, false))
		return true;
	memcpy(is, m->page + (s->from - page), s->len);
	len = cpuid_tramp(s, is, m->tail, entry, code);
	if (!len || m->tail + len > m->tail_end)
		return true;
	if (!text_io(m, code, len, m->tail, true) || !text_io(m, m->page, PAGE_SIZE, page, false) || !keep_original(m, (u32)(page / PAGE_SIZE)))
		return false;
	pv_patch_write(m->page, s->from + s->len, &v, m->tail);
	m->tail += len;
	return text_io(m, m->page, PAGE_SIZE, page, true);
}

/* In the original of the last page, too: somebody may be in a trampoline when it comes back. */
static bool keep_tramps(struct maker *m, u64 tail)
{
	u64 last = m->id->len - PAGE_SIZE, to;
	u32 i = listed(m->image, last / PAGE_SIZE);

	if (i == m->image->npages)
		return true;
	to = m->image->originals + i * PAGE_SIZE + (tail - last);
	if (!text_io(m, m->page, m->tail - tail, tail, false))
		return false;
	if (!m->image->sparse)
		return object_io(m, m->page, m->tail - tail, to, true);
	memcpy(m->mem + to, m->page, m->tail - tail);
	return true;
}

static bool patch_all(struct maker *m)
{
	u64 entries[] = { (u64)pv_syscall_entry, (u64)pv_cpuid_entry }, tail = m->tail;

	m->tail += sizeof(entries);
	if (m->tail > m->tail_end || !text_io(m, entries, sizeof(entries), tail, true))
		return false;
	for (u32 i = 0; i < m->what->ncpuids; i++)
		if (!patch_cpuid(m, &m->what->cpuids[i], tail, tail + sizeof(*entries)))
			return false;
	for (u32 i = 0; i < m->what->ncalls && m->tail + TRAMP_LEN <= m->tail_end; i++)
		if (!patch_site(m, &m->what->calls[i], tail, m->tail))
			return false;
	return keep_tramps(m, tail);
}

/* The pages with cpuids, and the last one; in ascending order, as the cpuids are. What there is no room for is left alone. */
static void list_pages(struct maker *m)
{
	struct text_image *image = m->image;
	u32 last = (u32)(m->id->len / PAGE_SIZE) - 1;

	for (u32 i = 0; i < m->what->ncpuids && image->npages < SPARSE_PAGES - 1; i++)
		if (listed(image, m->what->cpuids[i].from / PAGE_SIZE) == image->npages)
			image->pages[image->npages++] = (u32)(m->what->cpuids[i].from / PAGE_SIZE);
	if (listed(image, last) == image->npages)
		image->pages[image->npages++] = last;
	image->originals = image->npages * PAGE_SIZE;
}

static bool make_sparse(struct maker *m, u32 file)
{
	struct text_image *image = m->image;
	u8 *mem __kfree = NULL;

	list_pages(m);
	m->mem = mem = kzalloc(2 * image->originals); /* zeros: the file may end in the last page */
	if (!mem)
		return false;
	for (u32 i = 0; i < image->npages; i++)
		if (text_file_read(file, mem + i * PAGE_SIZE, PAGE_SIZE, m->id->off + image->pages[i] * PAGE_SIZE) <= 0)
			return false;
	memcpy(mem + image->originals, mem, image->originals);
	if (!patch_all(m) || !make_object(m, 2 * image->originals))
		return false;
	if (object_io(m, mem, 2 * image->originals, 0, true))
		return true;
	mc_handle_release(image->handle);
	return false;
}

static u32 pages_of_copy(const struct text_id *id, const struct text_patches *what)
{
	return (u32)(id->len / PAGE_SIZE) + what->ncalls + what->ncpuids + 1;
}

static bool make(struct maker *m, u32 file)
{
	if (!find_tail(m, file))
		return false;
	if (m->image->sparse)
		return make_sparse(m, file);
	m->image->originals = m->id->len;
	if (!make_object(m, pages_of_copy(m->id, m->what) * PAGE_SIZE))
		return false;
	if (copy(m, file) && patch_all(m) && m->image->npages)
		return true;
	mc_handle_release(m->image->handle);
	return false;
}

static u64 pages_allowed(void)
{
	u64 limit = BOOT->mem_limit / PAGE_SIZE / 16;

	return limit && limit < IMAGE_PAGES ? limit : IMAGE_PAGES;
}

/* They are never given back: whoever has one mapped may need the original pages yet. */
const struct text_image *text_image_build(const struct text_id *id, u32 file, const struct text_patches *what, bool sparse)
{
	u32 pages = sparse ? 2 * SPARSE_PAGES : pages_of_copy(id, what);
	struct maker *m __kfree = kmalloc(sizeof(*m));

	guard(&images_lock);
	if (!m || nimages == IMAGES || pages_used + pages > pages_allowed())
		return NULL;
	m->id = id;
	m->what = what;
	m->image = &images[nimages];
	memset(m->image, 0, sizeof(*m->image));
	m->image->sparse = sparse;
	if (!make(m, file))
		return NULL;
	pages_used += sparse ? 2 * m->image->npages : pages;
	__atomic_store_n(&nimages, nimages + 1, __ATOMIC_RELEASE);
	return m->image;
}

static long map_page(const struct text_image *image, int fd, uaddr_t addr, u32 i, u32 n, u64 off)
{
	return hostcall(mmap, addr + image->pages[i] * PAGE_SIZE, n * PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, off);
}

/* The last page first: that is where jumps in the others lead. If one of these fails it is as it was. */
bool text_image_lay(const struct text_image *image, uaddr_t addr)
{
	int fd = pv_fd(image->handle);
	u32 end = image->npages;

	while (end) {
		u32 from = end - 1;

		while (end < image->npages && from && image->pages[from - 1] + 1 == image->pages[from])
			from--;
		if (map_page(image, fd, addr, from, end - from, from * PAGE_SIZE) < 0 && end == image->npages)
			return false;
		end = from;
	}
	return true;
}

void text_image_undo(const struct text_image *image, uaddr_t addr)
{
	int fd = pv_fd(image->handle);

	for (u32 i = 0; i < image->npages; i++)
		map_page(image, fd, addr, i, 1, image->originals + i * PAGE_SIZE);
}

void pv_text_fetch(void)
{
	while (PRIV->images_seen < __atomic_load_n(&nimages, __ATOMIC_ACQUIRE))
		pv_fd(images[PRIV->images_seen++].handle);
}
