/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that has taken over a guest process, and attacks the guest kernel's own memory: attack_kernel HOW ADDRESS, and
 * what is to happen is that it dies of the host's page protection.
 *
 * write ADDRESS: stores there. execute ADDRESS: stores a return instruction there, and calls it.
 * unprotect ADDRESS: asks for the page to be writable and executable, by mprotect, mmap and mremap, then stores there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

static void unprotect(char *p)
{
	char *page = (char *)((unsigned long)p & ~(PAGE - 1));

	printf("%d %d %d\n", mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC),
	       mmap(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page,
	       mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x100000000) != MAP_FAILED);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	volatile unsigned char *p = (unsigned char *)(argc == 3 ? strtoul(argv[2], NULL, 0) : 0);

	if (!p)
		return 2;
	if (!strcmp(argv[1], "unprotect"))
		unprotect((char *)p);
	*p = 0xc3; /* ret */
	if (!strcmp(argv[1], "execute"))
		((void (*)(void))(unsigned long)p)();
	puts("survived");
	return 0;
}
