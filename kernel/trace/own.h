/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_OWN_H
#define TRACE_OWN_H

#include "task.h"
#include "trace_ring.h"

/*
 * Short records that wait with their task (trace_ring.h), in a ring of words: the task adds some without a lock, whoever has
 * the lock of the trace takes some. The longest is of 9 words.
 */
#define OWN_WORDS 1024u /* a power of two */
struct trace_own {
	struct list_head node; /* of all */
	u32 session;
	u32 head; /* words written; the task's */
	u32 tail; /* words taken; with the lock */
	u64 words[OWN_WORDS];
};

void trace_own_boot(void);
bool trace_is_own(u32 nr); /* a call that concerns nobody but the task that makes it */
/* False: there is no room. */
bool trace_own_add(struct trace_own *o, const struct task *t, const struct pt_regs *regs, s64 result);

/* With the lock. The size in bytes of the oldest record; 0: there is none. */
u32 trace_own_next(const struct trace_own *o);

#endif
