/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the guest kernel: the bytes of an input decide which calls of syscalls.tbl are made with which
 * arguments (tests/unit/kernel/calls.c), by a process, or by two threads that share everything if the first is odd.
 */
#include "../unit/kernel/calls.h"
#include "../unit/kernel/harness.h"
#include "guest.h"

#define CALLS_MAX 200

static int make_calls(void *arg)
{
	struct calls *c = arg;

	for (int i = 0; i < CALLS_MAX && !calls_over(c); i++)
		calls_make_one(c);
	return 0;
}

/* Who is killed makes no more calls, but may be about to look for the next one when the next input is there: each has its own, for good. */
static int process(struct input *in)
{
	bool threads = input_number(in, 1) & 1;
	size_t half = threads ? in->left / 2 : in->left;
	struct calls *c = kzalloc(2 * sizeof(*c) + in->left);
	u8 *data = (u8 *)(c + 2);

	CHECK(c);
	memcpy(data, in->at, in->left);
	calls_setup(&c[0], 1);
	calls_input(&c[0], data, half);
	if (threads) {
		calls_setup(&c[1], 2);
		calls_input(&c[1], data + half, in->left - half);
		thread_run(make_calls, &c[1]);
	}
	return make_calls(&c[0]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	guest_child(process, &in);
	return 0;
}
