/* SPDX-License-Identifier: Apache-2.0 */
/* The host's BPF machine, as far as the filters of guest processes and of the hypervisor need it, for their tests. */
#ifndef CALLGATE_TEST_BPF_MACHINE_H
#define CALLGATE_TEST_BPF_MACHINE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include <cmocka.h>

static unsigned int bpf_machine_steps; /* instructions before the last answer */

static uint32_t bpf_machine_load(const struct seccomp_data *d, uint32_t offset)
{
	uint32_t word;

	if (offset % 4 || offset > sizeof(*d) - 4)
		fail_msg("load from offset %u", offset);
	memcpy(&word, (const char *)d + offset, sizeof(word));
	return word;
}

static bool bpf_machine_jumps(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGE:
		return a >= f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JSET:
		return a & f->k;
	}
	fail_msg("unknown jump %#x", f->code);
	return false;
}

/* The result of the program for these data; a program that is none fails the test. */
static uint32_t bpf_machine_run(const struct sock_filter *program, int length, const struct seccomp_data *d)
{
	uint32_t a = 0;

	bpf_machine_steps = 0;
	for (int pc = 0; pc < length; pc++, bpf_machine_steps++) {
		const struct sock_filter *f = &program[pc];

		if (f->code == (BPF_LD | BPF_W | BPF_ABS))
			a = bpf_machine_load(d, f->k);
		else if (f->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= f->k;
		else if (f->code == (BPF_JMP | BPF_JA))
			pc += (int)f->k;
		else if (BPF_CLASS(f->code) == BPF_JMP)
			pc += bpf_machine_jumps(f, a) ? f->jt : f->jf;
		else if (f->code == (BPF_RET | BPF_K))
			return f->k;
		else
			fail_msg("unknown instruction %#x", f->code);
	}
	fail_msg("fell off the end of the program");
	return 0;
}

#endif
