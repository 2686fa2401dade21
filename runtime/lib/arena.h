/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocation: everything a specification is made of lives and dies together.
 * Memory is zeroed. Running out of memory ends the process: a runtime that cannot
 * allocate a few kilobytes has nothing useful left to do.
 */
#ifndef CALLGATE_RUNTIME_LIB_ARENA_H
#define CALLGATE_RUNTIME_LIB_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* of the first block */
};

void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

#endif
