/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets in the guest kernel, on the stub machine: the fuzzer's thread is pid 1 of a VM, and stays it. What an input asks
 * for is done by a child in namespaces of its own (guest_child), so that nothing of it is left for the next one.
 * Needs root.
 */
#ifndef CALLGATE_FUZZ_GUEST_H
#define CALLGATE_FUZZ_GUEST_H

#include "fuzz.h"
#include "kernel.h"

/* The rest of an input. What is not there reads as zeros. */
struct input {
	const u8 *at;
	size_t left;
};

u32 input_number(struct input *in, unsigned int bytes); /* 1 to 4, little endian */
u64 input_u64(struct input *in);
u32 input_below(struct input *in, u32 n); /* by one byte */
/* A piece with a byte of length before it, or two: in guest_memory's next room. Its address; *len is at most max. */
uaddr_t input_piece(struct input *in, size_t max, size_t *len);
uaddr_t input_string(struct input *in); /* the same, as a string */

/* fn runs in a child with namespaces (and a /tmp) of its own; it is killed when it sleeps. */
void guest_child(int (*fn)(struct input *in), struct input *in);
/* Memory of the child's: its room is used again by the next input. */
uaddr_t guest_room(size_t size);

#endif
