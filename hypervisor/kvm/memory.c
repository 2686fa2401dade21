// SPDX-License-Identifier: Apache-2.0
/* Guest-physical memory, the kernel's page tables in it, and its image. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/kvm_impl.h"
#include "layout.h"

#define PAGE 4096ULL
#define GIB 0x40000000ULL
#define PTE_P 1ULL
#define PTE_W 2ULL
#define PTE_LARGE 0x80ULL
#define PTE_GLOBAL 0x100ULL
#define PTE_NX (1ULL << 63)
#define HUGE_PAGE 0x200000ULL
#define SMALL_PAGES (4 * HUGE_PAGE)

static int add_slot(struct kvm_guest *g, unsigned int n, u64 gpa, u64 size, void *at, struct error *err)
{
	struct kvm_userspace_memory_region r = { .slot = n, .guest_phys_addr = gpa, .memory_size = size,
						 .userspace_addr = (u64)at };

	g->slots[n] = (struct slot){ gpa, size, at };
	if (ioctl(g->vm_fd, KVM_SET_USER_MEMORY_REGION, &r))
		return error_errno(err, errno, "memory of the VM at %#llx", (unsigned long long)gpa);
	return 0;
}

static int make_slot(struct kvm_guest *g, unsigned int n, u64 gpa, u64 size, int prot, struct error *err)
{
	void *room = mmap(NULL, size + HUGE_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *at = (u8 *)(((u64)room + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));

	if (room == MAP_FAILED)
		return error_errno(err, errno, "memory of the VM (%llu MiB)", (unsigned long long)size >> 20);
	/* guest-physical pages of 2 MiB lie as the host's do: only then can both be one */
	if (at > (u8 *)room)
		munmap(room, (size_t)(at - (u8 *)room));
	munmap(at + size, (size_t)((u8 *)room + HUGE_PAGE - at));
	/* guest memory is no business of a core file, nor of a child */
	madvise(at, size, MADV_DONTDUMP);
	madvise(at, size, MADV_DONTFORK);
	return add_slot(g, n, gpa, size, at, err);
}

/*
 * Huge pages where they pay: in memory of processes, one fault of the VM in place of 512. Not for what a small container uses, which
 * would be several times as much, nor for the kernel's own, which is touched here and there.
 */
static void choose_pages(struct kvm_guest *g)
{
	struct slot *ram = &g->slots[SLOT_RAM];
	u64 small = ram->size < SMALL_PAGES ? ram->size : SMALL_PAGES;

	madvise(g->slots[SLOT_LOW].at, g->slots[SLOT_LOW].size, MADV_NOHUGEPAGE);
	madvise(g->slots[SLOT_HEAP].at, g->slots[SLOT_HEAP].size, MADV_NOHUGEPAGE);
	madvise(ram->at, small, MADV_NOHUGEPAGE);
	madvise(ram->at + small, ram->size - small, MADV_HUGEPAGE);
}

bool memory_give(struct kvm_guest *g, u64 gpa, u64 len)
{
	const struct slot *ram = &g->slots[SLOT_RAM];
	u64 off = gpa - ram->gpa;

	if (off % KVM_CHUNK || len % KVM_CHUNK || off >= ram->size || len > ram->size - off)
		return false;
	madvise(ram->at + off, len, MADV_DONTNEED);
	return true;
}

int memory_make(struct kvm_guest *g, void *ring, u64 ram, struct error *err)
{
	u64 size = (ram < KVM_RAM_MAX ? ram : KVM_RAM_MAX) & ~(HUGE_PAGE - 1);
	int ret = make_slot(g, SLOT_LOW, KVM_LOW_GPA, KVM_LOW_SIZE, PROT_READ | PROT_WRITE, err);

	if (!ret)
		ret = add_slot(g, SLOT_RING, KVM_RING_GPA, RING_SIZE, ring, err);
	if (!ret)
		ret = make_slot(g, SLOT_HEAP, KVM_HEAP_GPA, (u64)KHEAP_MAX + KVM_ARENA_SIZE, PROT_READ | PROT_WRITE, err);
	if (!ret)
		ret = make_slot(g, SLOT_RAM, KVM_RAM_GPA, size, PROT_READ | PROT_WRITE, err);
	if (!ret)
		ret = make_slot(g, SLOT_WINDOW, KVM_WINDOW_GPA, KVM_WINDOW_SIZE, PROT_NONE, err);
	if (!ret)
		choose_pages(g);
	return ret;
}

void memory_free(struct kvm_guest *g)
{
	for (int i = 0; i < SLOTS; i++)
		if (g->slots[i].at && i != SLOT_RING)
			munmap(g->slots[i].at, g->slots[i].size);
}

void *memory_at(struct kvm_guest *g, u64 gpa, u64 len)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct slot *s = &g->slots[i];

		if (gpa >= s->gpa && gpa - s->gpa < s->size && len <= s->size - (gpa - s->gpa))
			return s->at + (gpa - s->gpa);
	}
	return NULL;
}

u64 memory_touched(const struct slot *s, u64 from, u64 most)
{
	u8 there[512];
	u64 end = most < s->size - from ? from + most : s->size, n = 0;

	for (; from < end; from += sizeof(there) * PAGE) {
		u64 pages = (end - from) / PAGE < sizeof(there) ? (end - from) / PAGE : sizeof(there);

		if (mincore(s->at + from, pages * PAGE, there))
			return n;
		for (u64 i = 0; i < pages; i++)
			n += (there[i] & 1) * PAGE;
	}
	return n;
}

/* ---- the kernel's page tables, before the first instruction ---- */

struct tables {
	struct kvm_guest *g;
	u64 next; /* address of the next unused page for them */
	bool full;
};

static u64 *table_at(struct tables *t, u64 gpa)
{
	return (u64 *)(t->g->slots[SLOT_LOW].at + gpa);
}

static u64 new_table(struct tables *t)
{
	u64 gpa = t->next;

	if (gpa + PAGE > KVM_TABLES_GPA + KVM_TABLES_SIZE) {
		t->full = true;
		return KVM_TABLES_GPA; /* is not run then */
	}
	t->next += PAGE;
	return gpa;
}

/* The entry of `va` at a level (0: pages of 4 KiB, 1: 2 MiB, 2: 1 GiB), with the tables above it. */
static u64 *entry(struct tables *t, u64 va, int level)
{
	u64 *table = table_at(t, KVM_TABLES_GPA);

	for (int l = 3; l > level; l--) {
		u64 *e = &table[va >> (12 + 9 * l) & 511];

		if (!(*e & PTE_P))
			*e = new_table(t) | PTE_P | PTE_W;
		table = table_at(t, *e & ~(PAGE - 1) & ~PTE_NX);
	}
	return &table[va >> (12 + 9 * level) & 511];
}

static void map_direct(struct tables *t)
{
	for (u64 gpa = GIB; gpa < KVM_PHYS_END; gpa += GIB)
		*entry(t, KVM_DIRECT + gpa, 2) = gpa | PTE_P | PTE_W | PTE_LARGE | PTE_GLOBAL | PTE_NX;
	for (u64 gpa = 0; gpa < KVM_LOWMEM_SIZE; gpa += HUGE_PAGE)
		*entry(t, KVM_LOWMEM + gpa, 1) = gpa | PTE_P | PTE_W | PTE_LARGE | PTE_GLOBAL | PTE_NX;
}

static void map_segment(struct tables *t, const Elf64_Phdr *p)
{
	u64 end = (p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1), bits = PTE_P | PTE_GLOBAL;

	if (p->p_flags & PF_W)
		bits |= PTE_W;
	if (!(p->p_flags & PF_X))
		bits |= PTE_NX;
	for (u64 va = p->p_vaddr & ~(PAGE - 1); va < end; va += PAGE)
		*entry(t, va, 0) = (va - KVM_TEXT + KVM_IMAGE_GPA) | bits;
}

/* ---- the image: the project's own, installed with the program ---- */

static bool segment_fits(const Elf64_Phdr *p)
{
	u64 room = KVM_LOW_SIZE - KVM_IMAGE_GPA;

	if (p->p_flags & PF_W && p->p_flags & PF_X)
		return false;
	return p->p_vaddr >= KVM_TEXT && p->p_filesz <= p->p_memsz && p->p_vaddr - KVM_TEXT <= room &&
	       p->p_memsz <= room - (p->p_vaddr - KVM_TEXT);
}

static int load_segment(struct kvm_guest *g, int fd, const Elf64_Phdr *p)
{
	u8 *to = g->slots[SLOT_LOW].at + KVM_IMAGE_GPA + (p->p_vaddr - KVM_TEXT);
	ssize_t n;

	for (u64 done = 0; done < p->p_filesz; done += (u64)n) {
		n = pread(fd, to + done, p->p_filesz - done, (off_t)(p->p_offset + done));
		if (n <= 0)
			return n < 0 ? -errno : -ENOEXEC;
	}
	return 0;
}

static void add_loaded(struct kvm_guest *g, u64 gpa, u64 len)
{
	if (g->nloaded < LOADED_MAX)
		g->loaded[g->nloaded++] = (struct kvm_extent){ gpa, (len + PAGE - 1) & ~(PAGE - 1) };
}

static int load(struct kvm_guest *g, int fd, u64 *start)
{
	struct tables t = { g, KVM_TABLES_GPA + PAGE, false };
	Elf64_Phdr phdrs[16];
	Elf64_Ehdr eh;
	int ret = 0;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_phnum > 16 ||
	    pread(fd, phdrs, eh.e_phnum * sizeof(*phdrs), (off_t)eh.e_phoff) != (ssize_t)(eh.e_phnum * sizeof(*phdrs)))
		return -ENOEXEC;
	map_direct(&t);
	for (int i = 0; i < eh.e_phnum && !ret; i++) {
		if (phdrs[i].p_type != PT_LOAD)
			continue;
		if (!segment_fits(&phdrs[i]))
			return -ENOEXEC;
		map_segment(&t, &phdrs[i]);
		ret = load_segment(g, fd, &phdrs[i]);
		if (phdrs[i].p_filesz)
			add_loaded(g, phdrs[i].p_vaddr - KVM_TEXT + KVM_IMAGE_GPA, phdrs[i].p_memsz);
	}
	add_loaded(g, KVM_TABLES_GPA, t.next - KVM_TABLES_GPA);
	*start = eh.e_entry;
	return t.full ? -E2BIG : ret;
}

int memory_load(struct kvm_guest *g, int image_fd, u64 *start, struct error *err)
{
	int ret = load(g, image_fd, start);

	return ret ? error_errno(err, -ret, "guest kernel image") : 0;
}
