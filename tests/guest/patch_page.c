/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call sites at the borders of pages, called often enough that a kernel which rewrites them does: the results
 * stay right. `patch_page show`: says whether it has rewritten them.
 */
#include "check.h"
#include <sys/syscall.h>

/* The function begins in one page, and the instruction before its syscall is the first of the next; the last of one. */
#define SITE(name, fill)                                                                          \
	__asm__(".pushsection .text\n.balign 4096\n.skip " #fill ", 0x90\n.type " #name ", @function\n" #name ":\n" \
		"push %rbx\nmov %edi, %ebx\nxor %esi, %esi\nlea 1(%rsi), %edx\nmov %edx, %ecx\n" #name "_mov:\n"    \
		"mov $110, %eax\nsyscall\nadd %ebx, %eax\npop %rbx\nret\n.balign 64\n.popsection");  \
	long name(int);                                                                           \
	extern const unsigned char name##_mov[]

SITE(first_of_page, 4086);
SITE(across_pages, 4083); /* the instruction itself lies in two pages */
SITE(last_of_page, 4079);

int main(int argc, char **argv)
{
	int parent = getppid();

	CHECK(((unsigned long)first_of_page_mov & 4095) == 0);
	CHECK(((unsigned long)across_pages_mov & 4095) == 4093);
	CHECK(((unsigned long)last_of_page_mov & 4095) == 4089);
	for (int i = 0; i < 100; i++) {
		CHECK(first_of_page(i) == parent + i);
		CHECK(across_pages(i) == parent + i);
		CHECK(last_of_page(i) == parent + i);
	}
	if (argc > 1 && !strcmp(argv[1], "show"))
		printf("%d %d %d\n", *first_of_page_mov == 0xe9, *across_pages_mov == 0xe9, *last_of_page_mov == 0xe9);
	return 0;
}
