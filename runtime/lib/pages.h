/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for large structures of which little is used, in pages of its own: calloc() would clear
 * what it takes from its heap, and so touch all of it.
 */
#ifndef CALLGATE_RUNTIME_LIB_PAGES_H
#define CALLGATE_RUNTIME_LIB_PAGES_H

#include <stddef.h>
#include <sys/mman.h>

/* Zeroes, or NULL. */
static inline void *pages_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline void pages_free(void *p, size_t size)
{
	munmap(p, size);
}

/*
 * For the first thread of a process that waits, perhaps for long: gives back what only the start needed of heap, stack and
 * text. What is needed again comes back by page faults.
 */
void pages_rest(void);
#define PAGES_REST_MS 100 /* after so long without anything to do */

#endif
