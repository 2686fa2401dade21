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

#endif
