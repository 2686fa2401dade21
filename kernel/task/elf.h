/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files for execution: pure functions over bytes of the file, which nobody vouches for. */
#ifndef ELF_H
#define ELF_H

#include "kernel.h"

#define ELF_MAX_LOADS 32
#define ELF_PHENT     56u /* size of a program header */
#define ELF_MAX_PHNUM 585 /* what fits into 32 KiB */

struct elf_load {
	u64 vaddr, off; /* equal modulo the page size */
	u64 filesz, memsz;
	u32 prot;
};

struct elf_image {
	u64 entry;
	bool pie;	 /* addresses are relative to a base of our choice */
	bool exec_stack; /* PT_GNU_STACK asks for it */
	u64 phoff;	 /* the program headers in the file */
	u32 phnum;
	u64 phdr_vaddr; /* and in memory; 0: not mapped */
	u64 low, high;	/* what all segments take, whole pages */
	u64 align;	/* largest alignment asked for; a power of two, at least a page */
	u64 interp_off; /* path of the interpreter with its NUL; length 0: none */
	u32 interp_len;
	u32 nloads;
	struct elf_load loads[ELF_MAX_LOADS];
};

/*
 * The file's first `len` bytes: fills entry, pie, phoff, phnum. 0, or -ENOEXEC for what is not an
 * x86-64 program.
 */
int elf_header(const void *hdr, size_t len, struct elf_image *out);
/* Then its phnum program headers: fills in the rest. -ENOEXEC for what makes no sense. */
int elf_segments(const void *phdrs, struct elf_image *out);
/* Both, if the program headers are within the first `len` bytes, as they nearly always are; else
 * -ERANGE. */
int elf_parse(const void *hdr, size_t len, struct elf_image *out);

/*
 * The first line of a script, in its first `len` bytes. Both texts lie in buf, which is changed, and has room
 * for a NUL behind these bytes if they are fewer than SCRIPT_LINE;
 * *arg is NULL if there is none. -ENOEXEC: not a script.
 */
int script_parse(char *buf, size_t len, char **interp, char **arg);
#define SCRIPT_LINE 256 /* bytes of a script that are looked at */

#endif
