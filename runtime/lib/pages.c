// SPDX-License-Identifier: Apache-2.0
/* Giving back memory that only the start needed. */
#include "lib/pages.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <unistd.h>

#define STACK_BELOW (128u << 10) /* nothing else is mapped so close below the first thread's stack */

static void leave(uintptr_t start, uintptr_t end)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	start &= -page;
	madvise((void *)start, ((end + page - 1) & -page) - start, MADV_DONTNEED);
}

/* Text and constants: they are the first segments of a file, and come back from it. */
static int leave_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uintptr_t low = UINTPTR_MAX, high = 0;

	(void)size;
	(void)ctx;
	if (info->dlpi_addr == getauxval(AT_SYSINFO_EHDR))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) { /* the headers themselves lie in what is left afterwards */
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_flags & PF_W)
			break;
		if (ph->p_vaddr < low)
			low = ph->p_vaddr;
		high = ph->p_vaddr + ph->p_memsz;
	}
	if (high)
		leave(info->dlpi_addr + low, info->dlpi_addr + high);
	return 0;
}

void pages_rest(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	malloc_trim(0);
	leave(here - STACK_BELOW, here - (8u << 10)); /* what is in use of it is above, and in a page or two below */
	dl_iterate_phdr(leave_object, NULL);
}
