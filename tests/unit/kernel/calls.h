/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls with interesting arguments, decided by chance (test_fuzz.c) or by the bytes of an input
 * (tests/fuzz/fuzz_syscalls.c).
 */
#ifndef CALLS_H
#define CALLS_H

#include "kernel.h"

struct calls {
	u64 state;    /* of the sequence of numbers */
	const u8 *data; /* the input, if there is one */
	size_t size;
	size_t at; /* taken by whatever came of a fork or clone in it, too: never beyond size */
	uaddr_t buffer;
	uaddr_t strings[16];
};

extern u32 calls_done; /* by all, since the beginning */
extern bool calls_traced;

/* Memory, strings and descriptors of the calling process. */
void calls_setup(struct calls *f, u64 seed);
void calls_input(struct calls *f, const u8 *data, size_t size);
bool calls_over(const struct calls *f); /* nothing is left of the input */
void calls_make_one(struct calls *f);

/* Until it ends; or nobody has done anything for a while. All go with it: one of its children may trace it, and not wait for it. */
void calls_wait_or_kill(long pid, u32 stuck_ms);
/* Grandchildren that nobody waited for are ours now. */
void calls_reap(void);

#endif
