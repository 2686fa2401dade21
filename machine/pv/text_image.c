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

/* What is being made. */
struct maker {
	struct text_image *image;
	const struct text_id *id;
	u64 tail, tail_end; /* where trampolines go, and as far as they do */
	u8 page[PAGE_SIZE];
};

static bool object_io(const struct maker *m, void *buf, u64 len, u64 off, bool write)
{
	struct mc_iovec iov = { (u64)buf, len };
	int fd = pv_fd(m->image->handle);

	if (fd < 0)
		return false;
	if (write)
		return hostcall(pwritev2, fd, &iov, 1, off, 0, 0) == (long)len;
	return hostcall(preadv2, fd, &iov, 1, off, 0, 0) == (long)len;
}

static long file_read(u32 file, void *buf, u64 len, u64 off)
{
	struct mc_iovec iov = { (u64)buf, len };
	int fd = pv_fd(file);

	return fd < 0 ? fd : hostcall(preadv2, fd, &iov, 1, off, 0, 0);
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
	long n = file_read(file, m->page, PAGE_SIZE, 0);
	u64 end = n < (long)sizeof(Elf64_Ehdr) ? 0 : segment_end(m->id, m->page, (u64)n);

	if (!end || !(end & ~PAGE_MASK))
		return false;
	m->tail = (end + 15) & ~15ULL;
	m->tail_end = m->id->len;
	memset(m->page, 0, PAGE_SIZE);
	if (file_read(file, m->page, PAGE_SIZE, m->id->off + m->id->len - PAGE_SIZE) < 0)
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
		long n = file_read(file, buf, want, m->id->off + at);

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
	return object_io(m, code, TRAMP_LEN, at, true);
}

/* The page is in m->page. */
static bool keep_original(struct maker *m, u32 number)
{
	for (u32 i = 0; i < m->image->npages; i++)
		if (m->image->pages[i] == number)
			return true;
	if (!object_io(m, m->page, PAGE_SIZE, m->id->len + m->image->npages * PAGE_SIZE, true))
		return false;
	m->image->pages[m->image->npages++] = number;
	return true;
}

static bool look(struct maker *m, u64 site, struct window *w)
{
	u64 from = site - min(site, (u64)WINDOW), page_end = (site & PAGE_MASK) + PAGE_SIZE;

	w->at = (u32)(site - from);
	w->len = (u32)(min(site + WINDOW_BEHIND, page_end) - from);
	return w->at >= 32 && w->len >= w->at + 2 && object_io(m, w->code, w->len, from, false) &&
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
	if (!write_tramp(m, at, insn, v.len, s->off + 2, tail) || !object_io(m, m->page, PAGE_SIZE, page, false) ||
	    !keep_original(m, (u32)(page / PAGE_SIZE)))
		return false;
	pv_patch_write(m->page, s->off, &v, at);
	m->tail = at + TRAMP_LEN;
	return object_io(m, m->page, PAGE_SIZE, page, true);
}

/* In the original of the last page, too: somebody may be in a trampoline when it comes back. */
static bool keep_tramps(struct maker *m, u64 tail)
{
	u64 last = m->id->len - PAGE_SIZE;

	for (u32 i = 0; i < m->image->npages; i++) {
		if (m->image->pages[i] != last / PAGE_SIZE)
			continue;
		if (!object_io(m, m->page, m->tail - tail, tail, false) ||
		    !object_io(m, m->page, m->tail - tail, m->id->len + i * PAGE_SIZE + (tail - last), true))
			return false;
	}
	return true;
}

static bool patch_all(struct maker *m, const struct text_site *sites, u32 n)
{
	u64 entry = (u64)pv_syscall_entry, tail = m->tail;

	m->tail += sizeof(entry);
	if (!object_io(m, &entry, sizeof(entry), tail, true))
		return false;
	for (u32 i = 0; i < n && m->tail + TRAMP_LEN <= m->tail_end; i++)
		if (!patch_site(m, &sites[i], tail, m->tail))
			return false;
	return keep_tramps(m, tail);
}

static bool make(struct maker *m, u32 file, const struct text_site *sites, u32 n)
{
	u64 len = m->id->len;

	if (!find_tail(m, file) || !make_object(m, len + n * PAGE_SIZE))
		return false;
	m->image->len = len;
	if (copy(m, file) && patch_all(m, sites, n) && m->image->npages)
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
const struct text_image *text_image_build(const struct text_id *id, u32 file, const struct text_site *sites, u32 n)
{
	u32 pages = (u32)(id->len / PAGE_SIZE) + n;
	struct maker *m __kfree = kmalloc(sizeof(*m));

	guard(&images_lock);
	if (!m || nimages == IMAGES || pages_used + pages > pages_allowed())
		return NULL;
	m->id = id;
	m->image = &images[nimages];
	memset(m->image, 0, sizeof(*m->image));
	if (!make(m, file, sites, n))
		return NULL;
	pages_used += pages;
	__atomic_store_n(&nimages, nimages + 1, __ATOMIC_RELEASE);
	return m->image;
}

void text_image_undo(const struct text_image *image, uaddr_t addr)
{
	int fd = pv_fd(image->handle);

	for (u32 i = 0; i < image->npages; i++)
		hostcall(mmap, addr + image->pages[i] * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
			 image->len + i * PAGE_SIZE);
}

void pv_text_fetch(void)
{
	while (PRIV->images_seen < __atomic_load_n(&nimages, __ATOMIC_ACQUIRE))
		pv_fd(images[PRIV->images_seen++].handle);
}
