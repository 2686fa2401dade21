/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest file that execve takes. */
#ifndef TEST_PROGRAMS_H
#define TEST_PROGRAMS_H

#include <linux/elf.h>

#include "harness.h"

#define TEXT 0x400000ULL

static inline void put_program(const char *name, u32 mode)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
		u8 pad[0x1000 - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr)];
	} f = {
		.h = {.e_type = ET_EXEC,
		      .e_machine = EM_X86_64,
		      .e_entry = TEXT + 0x500,
		      .e_phoff = sizeof(Elf64_Ehdr),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 1},
		.p = {.p_type = PT_LOAD,
		      .p_flags = PF_R | PF_X,
		      .p_vaddr = TEXT,
		      .p_filesz = 0x1000,
		      .p_memsz = 0x1000,
		      .p_align = 0x1000},
	};

	memcpy(f.h.e_ident, ELFMAG, SELFMAG);
	f.h.e_ident[EI_CLASS] = ELFCLASS64;
	f.h.e_ident[EI_DATA] = ELFDATA2LSB;
	host_file(name, &f, sizeof(f), mode);
}

#endif
