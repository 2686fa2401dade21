/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF file asks for, checked: every number in it may be a lie. */
#include <linux/elf.h>
#include <linux/mman.h>

#include "elf.h"
#include "layout.h"

_Static_assert(sizeof(Elf64_Phdr) == ELF_PHENT, "size of a program header");

int elf_header(const void *hdr, size_t len, struct elf_image *out)
{
	Elf64_Ehdr h;

	*out = (struct elf_image){.align = PAGE_SIZE, .low = ~0ULL};
	if (len < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, hdr, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_phentsize != ELF_PHENT || !h.e_phnum || h.e_phnum > ELF_MAX_PHNUM)
		return -ENOEXEC;
	if (h.e_phoff > (1ULL << 62))
		return -ENOEXEC;
	out->entry = h.e_entry;
	out->pie = h.e_type == ET_DYN;
	out->phoff = h.e_phoff;
	out->phnum = h.e_phnum;
	return 0;
}

static u32 prot_of(u32 flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

static int add_load(const Elf64_Phdr *p, struct elf_image *out)
{
	if (!p->p_memsz)
		return 0;
	if (out->nloads == ELF_MAX_LOADS || p->p_filesz > p->p_memsz || p->p_memsz > USER_END)
		return -ENOEXEC;
	if (p->p_vaddr > USER_END - p->p_memsz || p->p_offset > (1ULL << 62))
		return -ENOEXEC;
	if ((p->p_vaddr ^ p->p_offset) & ~PAGE_MASK)
		return -ENOEXEC;
	out->loads[out->nloads++] = (struct elf_load){p->p_vaddr, p->p_offset, p->p_filesz,
						      p->p_memsz, prot_of(p->p_flags)};
	out->low = min(out->low, p->p_vaddr & PAGE_MASK);
	out->high = max(out->high, PAGE_ALIGN(p->p_vaddr + p->p_memsz));
	/* Not a power of two: as Linux does, take no notice. */
	if (!(p->p_align & (p->p_align - 1)) && p->p_align <= 1ULL << 30)
		out->align = max(out->align, p->p_align);
	return 0;
}

static int add_interp(const Elf64_Phdr *p, struct elf_image *out)
{
	if (out->interp_len)
		return 0; /* the first one counts */
	if (p->p_filesz < 2 || p->p_filesz > PV_PATH_MAX || p->p_offset > (1ULL << 62))
		return -ENOEXEC;
	out->interp_off = p->p_offset;
	out->interp_len = (u32)p->p_filesz;
	return 0;
}

/* Where the program headers are in memory: in the segment that covers their place in the file. */
static u64 find_phdrs(const struct elf_image *out)
{
	for (u32 i = 0; i < out->nloads; i++) {
		const struct elf_load *l = &out->loads[i];

		if (l->off <= out->phoff && out->phoff - l->off < l->filesz)
			return l->vaddr + (out->phoff - l->off);
	}
	return 0;
}

int elf_segments(const void *phdrs, struct elf_image *out)
{
	for (u32 i = 0; i < out->phnum; i++) {
		Elf64_Phdr p;
		int ret = 0;

		memcpy(&p, (const char *)phdrs + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD)
			ret = add_load(&p, out);
		else if (p.p_type == PT_INTERP)
			ret = add_interp(&p, out);
		else if (p.p_type == PT_GNU_STACK)
			out->exec_stack = p.p_flags & PF_X;
		if (ret)
			return ret;
	}
	if (!out->nloads || (!out->pie && out->low < USER_START))
		return -ENOEXEC;
	out->phdr_vaddr = find_phdrs(out);
	return 0;
}

int elf_parse(const void *hdr, size_t len, struct elf_image *out)
{
	int ret = elf_header(hdr, len, out);

	if (ret)
		return ret;
	if (out->phoff > len || out->phnum * ELF_PHENT > len - out->phoff)
		return -ERANGE;
	return elf_segments((const char *)hdr + out->phoff, out);
}
