// SPDX-License-Identifier: Apache-2.0
/*
 * The lengths of x86-64 instructions. What is rare or odd is refused (prefixes in places where no compiler puts them, jumps of 16
 * bits, far ones, what only kernels execute): whoever asks leaves the code around it alone then.
 */
#include "insn.h"

/*
 * What follows an opcode. m: ModRM; b: ModRM and a byte; z: ModRM and an immediate (2 or 4 bytes); i: a byte; I: an immediate; v: one that
 * REX.W makes 8 bytes; j, J: a displacement of 1, 4 bytes; .: nothing. Fixed are f: nothing; n: a byte; w: two; M: ModRM. g: as the group says; C: cpuid; x: refused.
 */
static const char one_byte[] =
	"mmmmiIxxmmmmiIxx" "mmmmiIxxmmmmiIxx" "mmmmiIxxmmmmiIxx" "mmmmiIxxmmmmiIxx" /* 00 */
	"xxxxxxxxxxxxxxxx" "................" "xxxmxxxxIzibffff" "jjjjjjjjjjjjjjjj" /* 40 */
	"bzxbmmmmmmmmmmmg" "..........x....." "xxxx....iI......" "iiiiiiiivvvvvvvv" /* 80 */
	"bbwfxxggx.wffnxf" "mmmmxxx.mmmmmmmm" "jjjjnnnnJJxjffff" "xfxxf.gg..ff..gg"; /* c0 */

static const char two_bytes[] =
	"MMmmxfffffxfxmxx" "mmmmmmmmmmmmmmmm" "xxxxxxxxmmmmmmmm" "f.ffffxxxxxxxxxx" /* 00 */
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "bbbbmmm.xxxxmmmm" /* 40 */
	"JJJJJJJJJJJJJJJJ" "mmmmmmmmmmmmmmmm" "..Cmbmxx..fmbmmm" "mmmmmmmmmmbmmmmm" /* 80 */
	"mmbmbbbm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmx"; /* c0 */

struct decoder {
	const u8 *code;
	size_t room, at;
	bool word, wide, addr32, rep, other; /* prefixes: 66, REX.W, 67, F3; F2 or lock */
	u8 rex;
	u8 op;
	struct insn *out;
};

static bool take(struct decoder *d, u8 *to)
{
	if (d->at >= d->room || d->at >= 15)
		return false;
	*to = d->code[d->at++];
	return true;
}

static bool skip(struct decoder *d, size_t n)
{
	d->at += n;
	return d->at <= d->room && d->at <= 15;
}

static bool prefixes(struct decoder *d)
{
	for (;;) {
		if (!take(d, &d->op))
			return false;
		switch (d->op) {
		case 0x66: d->word = true; break;
		case 0x67: d->addr32 = true; break;
		case 0xf3: d->rep = true; break;
		case 0xf0: case 0xf2: d->other = true; break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: break;
		default:
			if ((d->op & 0xf0) != 0x40)
				return true;
			d->rex = d->op;
			d->wide = d->op & 8;
			return take(d, &d->op); /* a prefix behind REX is refused by the tables */
		}
	}
}

static bool modrm(struct decoder *d, u8 *byte)
{
	u8 mod, rm, sib = 0;

	if (!take(d, byte))
		return false;
	mod = *byte >> 6;
	rm = *byte & 7;
	if (mod == 3)
		return true;
	if (rm == 4 && !take(d, &sib))
		return false;
	if (mod == 0 && rm == 5) {
		if (d->addr32)
			return false;
		d->out->disp = (u32)d->at;
	}
	if (mod == 1)
		return skip(d, 1);
	return mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5) ? skip(d, 4) : true;
}

static bool immediate(struct decoder *d) { return skip(d, d->word && !d->wide ? 2 : 4); }

static bool jump(struct decoder *d, bool wide)
{
	const u8 *p = d->code + d->at;
	s32 rel;

	if (d->word || !skip(d, wide ? 4 : 1))
		return false;
	if (wide)
		__builtin_memcpy(&rel, p, sizeof(rel));
	else
		rel = (s8)*p;
	d->out->kind = wide && d->op == 0xe8 ? INSN_CALL : INSN_JUMP;
	d->out->target = (s64)d->at + rel;
	return true;
}

/* One-byte opcodes of which ModRM says more. */
static bool group(struct decoder *d)
{
	u8 byte, reg;

	if (!modrm(d, &byte))
		return false;
	reg = byte >> 3 & 7;
	switch (d->op) {
	case 0x8f: case 0xc6: case 0xc7: /* XOP; xabort, xbegin */
		return !reg && (d->op == 0x8f || (d->op == 0xc6 ? skip(d, 1) : immediate(d)));
	case 0xf6: return reg > 1 || skip(d, 1);
	case 0xf7: return reg > 1 || immediate(d);
	case 0xfe: return reg <= 1;
	}
	if (reg == 2 || reg == 3 || reg == 5)
		d->out->kind = INSN_FIXED;
	if (reg == 4 || reg == 5)
		d->out->kind = INSN_INDIRECT;
	return reg != 7;
}

static bool operands(struct decoder *d, char what)
{
	u8 byte;

	switch (what) {
	case '.': return true;
	case 'm': return modrm(d, &byte);
	case 'b': return modrm(d, &byte) && skip(d, 1);
	case 'z': return modrm(d, &byte) && immediate(d);
	case 'i': return skip(d, 1);
	case 'I': return immediate(d);
	case 'v': return d->wide ? skip(d, 8) : immediate(d);
	case 'j': case 'J': return jump(d, what == 'J');
	case 'C': d->out->kind = INSN_CPUID; return !d->word && !d->addr32 && !d->rep && !d->other && !d->rex && d->at == 2;
	case 'g': return group(d);
	}
	d->out->kind = INSN_FIXED;
	switch (what) {
	case 'f': return true;
	case 'n': return skip(d, 1);
	case 'w': return skip(d, 2);
	case 'M': return modrm(d, &byte);
	}
	return false;
}

/* VEX and EVEX: maps 1 to 3 are those of 0f, 0f 38, 0f 3a; 5 and 6 EVEX's own. */
static bool vector(struct decoder *d)
{
	u8 p0, p1, p2, map = 1, pp;

	if (d->word || d->rep || d->other || d->rex || !take(d, &p0))
		return false;
	pp = p0;
	if (d->op != 0xc5) {
		if (!take(d, &p1))
			return false;
		pp = p1;
	}
	if (d->op == 0xc4)
		map = p0 & 0x1f;
	if (d->op == 0x62) {
		map = p0 & 7;
		if (p0 & 8 || !(p1 & 4) || !take(d, &p2))
			return false;
	}
	if (!map || map == 4 || map > (d->op == 0x62 ? 6 : 3) || !take(d, &d->op))
		return false;
	if (map == 1 && ((d->op & 0xf0) == 0x80 || ((d->op & 0xfe) == 0x74 && !(pp & 3))))
		return false; /* jumps of a processor that is no more */
	if (map == 1 && d->op == 0x77)
		return true;
	if (map == 3 || (map == 1 && ((d->op >= 0x70 && d->op <= 0x73) || d->op == 0xc2 || (d->op >= 0xc4 && d->op <= 0xc6))))
		return operands(d, 'b');
	return operands(d, 'm');
}

static bool escaped(struct decoder *d)
{
	bool endbr = d->rep && d->room - d->at >= 2 && d->code[d->at] == 0x1e && (d->code[d->at + 1] & 0xfe) == 0xfa;

	if (!take(d, &d->op))
		return false;
	if (endbr) /* where unknown jumps lead */
		return operands(d, 'M');
	if (d->op == 0x38 || d->op == 0x3a) {
		char what = d->op == 0x38 ? 'm' : 'b';

		return take(d, &d->op) && operands(d, what);
	}
	return operands(d, two_bytes[d->op]);
}

bool insn_decode(const u8 *code, size_t room, struct insn *out)
{
	struct decoder d = { .code = code, .room = room, .out = out };
	bool ok;

	*out = (struct insn){ 0 };
	if (!prefixes(&d))
		return false;
	if (d.op == 0x0f)
		ok = escaped(&d);
	else if (d.op == 0xc4 || d.op == 0xc5 || d.op == 0x62)
		ok = vector(&d);
	else
		ok = operands(&d, one_byte[d.op]);
	out->len = (u32)d.at;
	return ok;
}

/* ---- jumps by a table ---- */

struct plain {
	u8 op, rex, reg, rm; /* registers with their bits of REX */
	const u8 *behind; /* ModRM */
};

/* An instruction with a one-byte opcode and ModRM, and no prefix but REX. */
static struct plain plain(const u8 *p)
{
	struct plain i = { 0 };

	if ((*p & 0xf0) == 0x40)
		i.rex = *p++;
	i.op = *p++;
	i.reg = (u8)((*p >> 3 & 7) | (i.rex & 4) << 1);
	i.rm = (u8)((*p & 7) | (i.rex & 1) << 3);
	i.behind = p + 1;
	return i;
}

static u8 mod(const struct plain *i) { return i->behind[-1] >> 6; }
static bool is_wide(const struct plain *i, u8 op) { return i->op == op && i->rex & 8; }

/* cmp $last, register */
static bool compares(const u8 *p, u8 reg, u32 *last)
{
	struct plain i = plain(p);

	*last = ~0u;
	if (i.op == 0x83 && mod(&i) == 3 && (i.reg & 7) == 7 && i.rm == reg && !(i.rex & 8) && *i.behind < 0x80)
		*last = *i.behind;
	else if (i.op == 0x81 && mod(&i) == 3 && (i.reg & 7) == 7 && i.rm == reg && !(i.rex & 8))
		__builtin_memcpy(last, i.behind, 4);
	else if (*p == 0x3d && !reg)
		__builtin_memcpy(last, p + 1, 4);
	return *last < 256;
}

bool insn_table_jump(const u8 *code, const u32 at[6], s64 *table, u32 *entries)
{
	const u8 *ja = code + at[1], *notrack = code + at[5];
	struct plain lea = plain(code + at[2]), load = plain(code + at[3]), add = plain(code + at[4]), jmp = plain(notrack + (*notrack == 0x3e));
	u8 sib = *load.behind, index = (u8)((sib >> 3 & 7) | (load.rex & 2) << 2), base = (u8)((sib & 7) | (load.rex & 1) << 3);
	u32 last;
	s32 disp;

	if (!is_wide(&lea, 0x8d) || mod(&lea) || (lea.rm & 7) != 5 || !is_wide(&load, 0x63) || mod(&load) || (load.rm & 7) != 4 || sib >> 6 != 2 ||
	    index == 4 || (base & 7) == 5 || base != lea.reg)
		return false;
	if (!is_wide(&add, 0x01) || mod(&add) != 3 || add.reg != base || add.rm != load.reg)
		return false;
	if (jmp.op != 0xff || mod(&jmp) != 3 || (jmp.reg & 7) != 4 || jmp.rm != load.reg)
		return false;
	if (!(ja[0] == 0x77 || (ja[0] == 0x0f && ja[1] == 0x87)) || !compares(code + at[0], index, &last))
		return false;
	__builtin_memcpy(&disp, lea.behind, 4);
	*table = (s64)at[3] + disp;
	*entries = last + 1;
	return true;
}
