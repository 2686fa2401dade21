/* SPDX-License-Identifier: Apache-2.0 */
/* Where an instruction of user code ends and where it leads: enough to find cpuid instructions by. Free of the rest of the kernel. */
#ifndef INSN_H
#define INSN_H

#include "types.h"

enum insn_kind {
	INSN_PLAIN, /* may run at another address */
	INSN_FIXED, /* may not, or control does not go on behind it */
	INSN_CPUID,
	INSN_JUMP, /* to `target`: jmp, jcc, loop */
	INSN_CALL, /* the same, and comes back */
	INSN_INDIRECT, /* jmp to who knows where */
};

struct insn {
	u32 len;
	u32 disp; /* where in it a displacement from rip is; 0: there is none */
	enum insn_kind kind;
	s64 target; /* from its start */
};

/* False: it is none, is one that this decoder does not know, or does not end before `room` does. */
bool insn_decode(const u8 *code, size_t room, struct insn *out);

/*
 * Instructions at code + at[0] to code + at[5], one behind the other: is this how compilers jump by a table (cmp $last, index; ja; lea table(%rip);
 * movslq (table, index, 4); add table; jmp)? *table: its distance from `code`; *entries: how many words it has, each relative to its begin.
 */
bool insn_table_jump(const u8 *code, const u32 at[6], s64 *table, u32 *entries);

#endif
