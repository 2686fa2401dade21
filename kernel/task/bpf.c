// SPDX-License-Identifier: Apache-2.0
/*
 * Classic BPF, the part of it that seccomp has: a checker, which rejects what Linux rejects
 * (bpf_check_classic() and seccomp_check_filter() there), and an interpreter. A program that passed the
 * check ends, stays in its 16 words, and reads nothing but struct seccomp_data.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "seccomp.h"

static bool known_alu(u16 code)
{
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return true;
	}
	return code == (BPF_ALU | BPF_NEG);
}

static bool known_jump(u16 code)
{
	switch (code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JSET:
		return true;
	}
	return code == (BPF_JMP | BPF_JA);
}

static int check_alu(const struct sock_filter *f)
{
	if (!known_alu(f->code))
		return -EINVAL;
	if (f->code == (BPF_ALU | BPF_DIV | BPF_K) && !f->k)
		return -EINVAL;
	if ((f->code == (BPF_ALU | BPF_LSH | BPF_K) || f->code == (BPF_ALU | BPF_RSH | BPF_K)) && f->k >= 32)
		return -EINVAL;
	return 0;
}

static int check_jump(const struct sock_filter *f, u32 left)
{
	if (!known_jump(f->code))
		return -EINVAL;
	if (f->code == (BPF_JMP | BPF_JA))
		return f->k >= left ? -EINVAL : 0;
	return f->jt >= left || f->jf >= left ? -EINVAL : 0;
}

/* left: instructions behind this one */
static int check_insn(const struct sock_filter *f, u32 left)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return f->k >= sizeof(struct seccomp_data) || f->k & 3 ? -EINVAL : 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return f->k >= BPF_MEMWORDS ? -EINVAL : 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return 0;
	}
	if (BPF_CLASS(f->code) == BPF_ALU)
		return check_alu(f);
	return BPF_CLASS(f->code) == BPF_JMP ? check_jump(f, left) : -EINVAL;
}

/* No word of memory may be read on a way that did not write it. masks: all ones at first; what is written on every way to there */
static int check_memory(const struct sock_filter *f, u32 len, u16 *masks)
{
	u16 valid = 0;

	for (u32 pc = 0; pc < len; pc++) {
		valid &= masks[pc];
		if (f[pc].code == BPF_ST || f[pc].code == BPF_STX) {
			valid |= (u16)(1u << f[pc].k);
		} else if (f[pc].code == (BPF_LD | BPF_MEM) || f[pc].code == (BPF_LDX | BPF_MEM)) {
			if (!(valid & 1u << f[pc].k))
				return -EINVAL;
		} else if (f[pc].code == (BPF_JMP | BPF_JA)) {
			masks[pc + 1 + f[pc].k] &= valid;
			valid = 0xffff;
		} else if (BPF_CLASS(f[pc].code) == BPF_JMP) {
			masks[pc + 1 + f[pc].jt] &= valid;
			masks[pc + 1 + f[pc].jf] &= valid;
			valid = 0xffff;
		}
	}
	return 0;
}

int bpf_check(const struct sock_filter *insns, u32 len)
{
	__kfree u16 *masks = NULL;

	if (!len || len > BPF_MAX_INSNS || BPF_CLASS(insns[len - 1].code) != BPF_RET)
		return -EINVAL;
	for (u32 pc = 0; pc < len; pc++)
		if (check_insn(&insns[pc], len - pc - 1))
			return -EINVAL;
	masks = kmalloc(len * sizeof(*masks));
	if (!masks)
		return -ENOMEM;
	memset(masks, 0xff, len * sizeof(*masks));
	return check_memory(insns, len, masks);
}

static u32 alu(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	}
	return 0 - a; /* BPF_NEG */
}

static bool jumps(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGE:
		return a >= b;
	case BPF_JGT:
		return a > b;
	}
	return a & b; /* BPF_JSET */
}

static u32 load(const struct seccomp_data *data, u32 off)
{
	u32 val;

	memcpy(&val, (const char *)data + off, sizeof(val));
	return val;
}

u32 bpf_run(const struct sock_filter *f, const struct seccomp_data *data)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (;; f++) {
		u32 operand = f->code & BPF_X ? x : f->k;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, f->k);
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_RET | BPF_A:
			return a;
		case BPF_LD | BPF_W | BPF_LEN:
			a = sizeof(*data);
			continue;
		case BPF_LDX | BPF_W | BPF_LEN:
			x = sizeof(*data);
			continue;
		case BPF_LD | BPF_IMM:
			a = f->k;
			continue;
		case BPF_LDX | BPF_IMM:
			x = f->k;
			continue;
		case BPF_LD | BPF_MEM:
			a = mem[f->k];
			continue;
		case BPF_LDX | BPF_MEM:
			x = mem[f->k];
			continue;
		case BPF_ST:
			mem[f->k] = a;
			continue;
		case BPF_STX:
			mem[f->k] = x;
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_MISC | BPF_TXA:
			a = x;
			continue;
		case BPF_JMP | BPF_JA:
			f += f->k;
			continue;
		case BPF_ALU | BPF_DIV | BPF_X:
			if (!x)
				return 0; /* the program ends so */
			break;
		}
		if (BPF_CLASS(f->code) == BPF_JMP)
			f += jumps(BPF_OP(f->code), a, operand) ? f->jt : f->jf;
		else
			a = alu(BPF_OP(f->code), a, operand);
	}
}

/*
 * Runs the program with nothing known but the call's number and the architecture. It gives up (no) at the first
 * instruction for which that is not enough: libseccomp's programs look at arguments last.
 */
bool bpf_always_allows(const struct sock_filter *f, u32 nr, u32 arch)
{
	u32 a = 0;

	for (;; f++) {
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k != offsetof(struct seccomp_data, nr) && f->k != offsetof(struct seccomp_data, arch))
				return false;
			a = f->k == offsetof(struct seccomp_data, nr) ? nr : arch;
			break;
		case BPF_RET | BPF_K:
			return (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW;
		case BPF_JMP | BPF_JA:
			f += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			f += jumps(BPF_OP(f->code), a, f->k) ? f->jt : f->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		default:
			return false;
		}
	}
}
