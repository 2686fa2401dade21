/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PV_DECODE: may a system call site be patched? The guest knows that a syscall instruction is at
 * `at`, because it trapped there. What comes before it can only be inferred, as x86 code cannot be
 * decoded backwards: decoding forwards from many earlier offsets falls into step with the real
 * instructions after a few of them, so if nearly all of those walks meet the start of the `mov`,
 * it is an instruction. Wrong answers crash applications; "no" only costs time.
 */
#include <Zydis/Zydis.h>
#include <string.h>

#include "call/control.h"
#include "call/server_impl.h"

#define MOV_LEN 5u
#define SYSCALL_LEN 2u
#define JUMP_LEN 5u
#define JUMP_SHORT_LEN 2u
#define INSN_MAX 15u
#define NR_MAX 512u
#define FAR 12u /* a walk from here on back has had room to fall into step */
#define WINDOW 96u /* how far back walks start */
#define MIN_WALKS 4u

static const ZydisDecoder *decoder(void)
{
	static _Thread_local ZydisDecoder d;
	static _Thread_local bool ready;

	if (!ready)
		ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ready = true;
	return &d;
}

static bool decode_at(const u8 *code, size_t len, size_t at, ZydisDecodedInstruction *insn)
{
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(decoder(), ZYAN_NULL, code + at, len - at, insn));
}

/*
 * Where a walk goes from `at`. What is no instruction is skipped: data between functions, or a walk
 * out of step. One that is cut off by the end of the buffer reaches there.
 */
static size_t next_at(const u8 *code, size_t len, size_t at)
{
	ZydisDecodedInstruction insn;
	ZyanStatus status =
		ZydisDecoderDecodeInstruction(decoder(), ZYAN_NULL, code + at, len - at, &insn);

	if (ZYAN_SUCCESS(status))
		return at + insn.length;
	return status == ZYDIS_STATUS_NO_MORE_DATA ? len : at + 1;
}

/* Do nearly all walks that start far before `target` meet it? */
static bool boundary(const u8 *code, size_t len, size_t target)
{
	size_t first = target > WINDOW ? target - WINDOW : 0;
	bool meets[WINDOW + 1] = { false };
	u32 walks = 0, hits = 0;

	meets[target - first] = true;
	for (size_t at = target; at-- > first;) {
		size_t next = next_at(code, len, at);

		meets[at - first] = next <= target && meets[next - first];
		if (at + FAR <= target) {
			walks++;
			hits += meets[at - first];
		}
	}
	return walks >= MIN_WALKS && hits * 10 >= walks * 9;
}

static u32 le32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool find_mov(const u8 *code, size_t len, size_t at, struct pv_site *out)
{
	const u8 *mov = code + at - MOV_LEN;

	if (at < MOV_LEN || mov[0] != 0xb8 || le32(mov + 1) >= NR_MAX)
		return false;
	/*
	 * A REX prefix before it would make it another register's: do not trust the walks with
	 * that.
	 */
	if (at > MOV_LEN && (mov[-1] & 0xf0) == 0x40)
		return false;
	if (!boundary(code, len, at - MOV_LEN))
		return false;
	*out = (struct pv_site){ PV_SITE_MOV, at - MOV_LEN, MOV_LEN, le32(mov + 1), 0, 0 };
	return true;
}

/* Offset of a displacement from rip in the instruction, as lea has it; 0: there is none. */
static u32 rip_displacement(const ZydisDecodedInstruction *insn)
{
	bool relative = insn->attributes & ZYDIS_ATTRIB_HAS_MODRM && !insn->raw.modrm.mod && insn->raw.modrm.rm == 5;

	return relative && insn->raw.disp.size == 32 ? insn->raw.disp.offset : 0;
}

/* May the instruction run at another address, and control go on behind it? A displacement from rip can be adapted. */
static bool movable(const ZydisDecodedInstruction *insn, bool adapted)
{
	if (insn->attributes & ZYDIS_ATTRIB_IS_RELATIVE && !(adapted && rip_displacement(insn)))
		return false;
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_INTERRUPT:
		return false;
	default:
		return true;
	}
}

static bool inside(s64 target, size_t from, size_t to)
{
	return target > (s64)from && target < (s64)to;
}

/*
 * Does any branch in sight lead into the middle of [from, to)? Looked for at every byte offset:
 * bytes that only look like a branch cost a site, no more.
 */
static bool jumped_into(const u8 *code, size_t len, size_t from, size_t to)
{
	for (size_t i = 0; i + 2 <= len; i++) {
		u8 op = code[i];
		bool cond = op == 0x0f && (code[i + 1] & 0xf0) == 0x80;

		if ((op == 0xeb || (op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0) &&
		    inside((s64)i + 2 + (s8)code[i + 1], from, to))
			return true;
		if ((op == 0xe9 || op == 0xe8) && i + 5 <= len &&
		    inside((s64)i + 5 + (s32)le32(code + i + 1), from, to))
			return true;
		if (cond && i + 6 <= len && inside((s64)i + 6 + (s32)le32(code + i + 2), from, to))
			return true;
	}
	return false;
}

/* The one instruction that ends at the syscall; its length, 0 if in doubt. *disp: of its displacement from rip, ~0: none. */
static size_t previous(const u8 *code, size_t len, size_t at, u32 *disp)
{
	ZydisDecodedInstruction insn;
	size_t found = 0;

	for (size_t n = JUMP_SHORT_LEN; n <= INSN_MAX && n < at; n++) {
		if (!decode_at(code, len, at - n, &insn) || insn.length != n)
			continue;
		if (!boundary(code, len, at - n))
			continue;
		/* a zero is rather the end of what fills the place before a function than `add %..,(%..)` */
		if (found || !movable(&insn, true) || !code[at - n])
			return 0;
		found = n;
		*disp = rip_displacement(&insn) ? rip_displacement(&insn) : ~0u;
	}
	return found;
}

static bool ends_flow(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_RET ||
	       insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

/*
 * Alignment behind the end of a function: nops or int3 from `from` on, as many as a jump takes the place of. Their bytes;
 * 0: there are not enough.
 */
static size_t padding(const u8 *code, size_t len, size_t from)
{
	ZydisDecodedInstruction insn;
	size_t at = from;

	while (at < from + JUMP_LEN) {
		if (at >= len || !decode_at(code, len, at, &insn) ||
		    (insn.mnemonic != ZYDIS_MNEMONIC_NOP && insn.mnemonic != ZYDIS_MNEMONIC_INT3))
			return 0;
		at += insn.length;
	}
	return at - from;
}

/*
 * Bytes that nobody executes, which a short jump at `from` reaches. Decoding starts behind the
 * syscall, an instruction's start for sure.
 */
static size_t find_hole(const u8 *code, size_t len, size_t at, size_t from, u32 *hole_len)
{
	size_t next = at + SYSCALL_LEN, reach = from + JUMP_SHORT_LEN + 127;

	while (next < len && next <= reach) {
		ZydisDecodedInstruction insn;

		if (!decode_at(code, len, next, &insn))
			return 0;
		next += insn.length;
		*hole_len = (u32)padding(code, len, next);
		if (ends_flow(&insn) && next <= reach && *hole_len &&
		    !jumped_into(code, len, next - 1, next + *hole_len))
			return next;
	}
	return 0;
}

static bool find_prev(const u8 *code, size_t len, size_t at, struct pv_site *out)
{
	u32 disp = ~0u, hole_len = 0;
	size_t n = previous(code, len, at, &disp), hole = 0;

	if (n == 0)
		return false;
	if (n < JUMP_LEN)
		hole = find_hole(code, len, at, at - n, &hole_len);
	if ((n < JUMP_LEN && !hole) || jumped_into(code, len, at - n, at))
		return false;
	*out = (struct pv_site){ PV_SITE_PREV, at - n, n, disp, hole, hole ? hole_len : 0 };
	return true;
}

static void find_tail(const u8 *code, size_t len, size_t at, struct pv_site *out)
{
	size_t end = at + SYSCALL_LEN;

	while (end < at + JUMP_LEN) {
		ZydisDecodedInstruction insn;

		if (end >= len || !decode_at(code, len, end, &insn) || !movable(&insn, false))
			return;
		end += insn.length;
	}
	if (jumped_into(code, len, at, end))
		return;
	*out = (struct pv_site){ PV_SITE_TAIL, at, end - at, ~0u, 0, 0 };
}

void site_find(const u8 *code, size_t len, size_t at, struct pv_site *out)
{
	*out = (struct pv_site){ .kind = PV_SITE_NONE };
	if (len < SYSCALL_LEN || at > len - SYSCALL_LEN || code[at] != 0x0f || code[at + 1] != 0x05)
		return;
	if (!find_mov(code, len, at, out) && !find_prev(code, len, at, out))
		find_tail(code, len, at, out);
}

int site_decode(struct call *c)
{
	if (c->req.u.ctl.len > sizeof(c->path))
		return violation(c, "len", "more code than fits");
	return c->req.u.ctl.arg < c->req.u.ctl.len ? 0 : violation(c, "arg", "offset outside of the code");
}

int site_perform(struct call *c)
{
	u8 *code = (u8 *)c->path; /* room for 8 KiB */
	struct pv_site site;

	fetch(code, c->buf, c->req.u.ctl.len);
	site_find(code, c->req.u.ctl.len, c->req.u.ctl.arg, &site);
	memcpy(c->buf, &site, sizeof(site));
	return 0;
}
