// SPDX-License-Identifier: Apache-2.0
/*
 * Which cpuid instructions of a text segment may be replaced by a jump. They can't be made to trap, so they are looked for, and only those are
 * taken of which it is certain what they and their neighbours are:
 *
 * - the bytes 0f a2 lie in a function that .eh_frame has: where it begins and ends is known;
 * - decoded from its begin it consists of whole instructions to its end, and this is one of them;
 * - it has no jump to an unknown place (those by tables are known if they look as compilers write them), and none of its jumps leads into the
 *   bytes that are replaced, other than to the first;
 * - nor does any of a function that it jumps to: that may be a part of it that the compiler put elsewhere.
 *
 * What a program's file says here can harm that program only.
 */
#include <linux/elf.h>

#include "cpuid_sites.h"
#include "eh_frame.h"
#include "insn.h"

#define PAGE 4096u
#define JUMP_LEN 5u
#define CHUNK EH_CHUNK
#define FUNCTION_MAX 0x4000u
#define SHT_X86_64_UNWIND 0x70000001u

struct finder {
	const struct cpuid_file *file;
	struct cpuid_site *sites;
	u8 owner[CPUID_SITES]; /* each site's function */
	u32 nsites;
	u64 vaddr; /* of the segment's begin */
	Elf64_Phdr loads[8];
	u32 nloads;
	struct eh_frame eh;
	u64 found[128]; /* addresses of 0f a2, ascending */
	u32 nfound;
	struct function functions[48];
	u32 nfunctions;
	struct { u64 to; u8 owner; bool known; } outs[64]; /* where functions jump out of themselves */
	u32 nouts;
	u8 buf[CHUNK];
	u8 code[FUNCTION_MAX];
	u8 begins[FUNCTION_MAX / 8], targets[FUNCTION_MAX / 8]; /* offsets in the function: of instructions; that are jumped to */
};

size_t cpuid_room(void) { return sizeof(struct finder); }

static bool bit(const u8 *map, u32 i) { return map[i / 8] >> (i % 8) & 1; }
static void set_bit(u8 *map, u32 i) { map[i / 8] |= (u8)(1u << (i % 8)); }

static bool read_all(const struct finder *f, void *buf, u64 len, u64 off)
{
	return off < (u64)1 << 62 && f->file->read(f->file->ctx, buf, len, off) == (long)len;
}

/* ---- the file ---- */

/* In f->code is the begin of the file. */
static bool find_segment(struct finder *f, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;
	bool found = false;

	if (h->e_phentsize != sizeof(p) || h->e_phoff > PAGE || h->e_phoff + h->e_phnum * sizeof(p) > PAGE)
		return false;
	for (u32 i = 0; i < h->e_phnum; i++) {
		__builtin_memcpy(&p, f->code + h->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP)
			return false;
		if (p.p_type == PT_LOAD && f->nloads < sizeof(f->loads) / sizeof(*f->loads))
			f->loads[f->nloads++] = p;
		if (p.p_type == PT_LOAD && p.p_flags & PF_X && (p.p_offset & ~(u64)(PAGE - 1)) == f->file->off) {
			f->vaddr = p.p_vaddr & ~(u64)(PAGE - 1);
			found = true;
		}
	}
	return found;
}

static bool is_eh_frame(const Elf64_Shdr *s, const u8 *names, u64 len)
{
	return s->sh_name < len && len - s->sh_name >= sizeof(".eh_frame") &&
	       !__builtin_memcmp(names + s->sh_name, ".eh_frame", sizeof(".eh_frame")) && s->sh_flags & SHF_ALLOC &&
	       (s->sh_type == SHT_PROGBITS || s->sh_type == SHT_X86_64_UNWIND);
}

static bool find_eh_frame(struct finder *f, const Elf64_Ehdr *h)
{
	Elf64_Shdr s;
	u64 len;

	if (h->e_shentsize != sizeof(s) || h->e_shnum > 128 || h->e_shstrndx >= h->e_shnum ||
	    !read_all(f, f->buf, h->e_shnum * sizeof(s), h->e_shoff))
		return false;
	__builtin_memcpy(&s, f->buf + h->e_shstrndx * sizeof(s), sizeof(s));
	len = s.sh_size < sizeof(f->code) ? s.sh_size : sizeof(f->code);
	if (!read_all(f, f->code, len, s.sh_offset))
		return false;
	for (u32 i = 0; i < h->e_shnum; i++) {
		__builtin_memcpy(&s, f->buf + i * sizeof(s), sizeof(s));
		if (!is_eh_frame(&s, f->code, len))
			continue;
		f->eh = (struct eh_frame){ .file = f->file, .addr = s.sh_addr, .off = s.sh_offset, .size = s.sh_size, .buf = f->buf };
		return s.sh_size < (u64)1 << 30;
	}
	return false;
}

/* Eight bytes at a time: is one of them `byte`? */
static bool has_byte(const u8 *p, u8 byte)
{
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	v ^= byte * 0x0101010101010101ULL;
	return (v - 0x0101010101010101ULL) & ~v & 0x8080808080808080ULL;
}

static bool scan(struct finder *f)
{
	u64 at = 0;
	u8 last = 0;

	while (at < f->file->len) {
		u64 want = f->file->len - at < CHUNK ? f->file->len - at : CHUNK;
		long n = f->file->read(f->file->ctx, f->buf, want, f->file->off + at);

		if (n <= 0)
			return at > 0;
		for (u32 i = 0; i < n; i++) {
			if (!(i & 7) && i + 8 <= n && !has_byte(f->buf + i, 0xa2)) {
				i += 7;
				continue;
			}
			if (f->buf[i] != 0xa2 || (i ? f->buf[i - 1] : last) != 0x0f)
				continue;
			if (f->nfound == sizeof(f->found) / sizeof(*f->found))
				return false;
			f->found[f->nfound++] = f->vaddr + at + i - 1;
		}
		last = f->buf[n - 1];
		at += (u64)n;
	}
	return true;
}

/* ---- functions ---- */

static bool has_found(const struct finder *f, const struct function *fn)
{
	u32 low = 0, high = f->nfound;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (f->found[mid] < fn->start)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->nfound && f->found[low] - fn->start < fn->len;
}

static void note_function(void *ctx, const struct function *fn)
{
	struct finder *f = ctx;
	u32 i;

	if (fn->len > FUNCTION_MAX || fn->start < f->vaddr || fn->start + fn->len > f->vaddr + f->file->len || !has_found(f, fn))
		return;
	for (i = 0; i < f->nfunctions; i++)
		if (f->functions[i].start == fn->start)
			return;
	if (i < sizeof(f->functions) / sizeof(*f->functions))
		f->functions[f->nfunctions++] = *fn;
}

static bool note_out(struct finder *f, u64 to, u8 owner)
{
	for (u32 i = 0; i < f->nouts; i++)
		if (f->outs[i].to == to && f->outs[i].owner == owner)
			return true;
	if (f->nouts == sizeof(f->outs) / sizeof(*f->outs))
		return false;
	f->outs[f->nouts].to = to;
	f->outs[f->nouts].known = false;
	f->outs[f->nouts++].owner = owner;
	return true;
}

static bool jumped_into(const struct finder *f, u32 from, u32 end)
{
	for (u32 i = from + 1; i < end; i++)
		if (bit(f->targets, i))
			return true;
	return false;
}

static bool note_jump(struct finder *f, const struct function *fn, s64 to, u8 owner)
{
	if (to < 0 || to >= (s64)fn->len)
		return note_out(f, fn->start + (u64)to, owner);
	set_bit(f->targets, (u32)to);
	return true;
}

/* Of what the program can't write: a table. */
static bool read_constant(const struct finder *f, void *buf, u64 len, u64 vaddr)
{
	for (u32 i = 0; i < f->nloads; i++) {
		const Elf64_Phdr *p = &f->loads[i];

		if (!(p->p_flags & PF_W) && vaddr >= p->p_vaddr && vaddr - p->p_vaddr < p->p_filesz && len <= p->p_filesz - (vaddr - p->p_vaddr))
			return read_all(f, buf, len, p->p_offset + (vaddr - p->p_vaddr));
	}
	return false;
}

/* The last six instructions end in a jump by a table: all that is in it. */
static bool note_table(struct finder *f, const struct function *fn, const u32 at[6], u8 owner)
{
	s32 words[256];
	s64 table;
	u32 n;

	if (!insn_table_jump(f->code, at, &table, &n) || !read_constant(f, words, n * sizeof(*words), fn->start + (u64)table))
		return false;
	for (u32 i = 0; i < n; i++)
		if (!note_jump(f, fn, table + words[i], owner))
			return false;
	return true;
}

/* Into f->code; f->begins and f->targets are what it is. False: not certain. */
static bool decode_function(struct finder *f, const struct function *fn, u8 owner)
{
	struct { u32 from, to; } tables[8]; /* what must be executed as a whole */
	u32 at = 0, last[6] = { 0 }, n = 0, ntables = 0;
	struct insn insn;

	if (!read_all(f, f->code, fn->len, f->file->off + (fn->start - f->vaddr)))
		return false;
	__builtin_memset(f->begins, 0, sizeof(f->begins));
	__builtin_memset(f->targets, 0, sizeof(f->targets));
	for (; at < fn->len; at += insn.len) {
		if (!insn_decode(f->code + at, fn->len - at, &insn))
			return false;
		set_bit(f->begins, at);
		__builtin_memmove(last, last + 1, sizeof(last) - sizeof(*last));
		last[5] = at;
		n++;
		if (insn.kind == INSN_INDIRECT) {
			if (n < 6 || ntables == sizeof(tables) / sizeof(*tables) || !note_table(f, fn, last, owner))
				return false;
			tables[ntables].from = last[0];
			tables[ntables++].to = at + 1;
		}
		if (insn.kind == INSN_CALL && (u64)((s64)at + insn.target) < fn->len)
			set_bit(f->targets, (u32)((s64)at + insn.target));
		if (insn.kind == INSN_JUMP && !note_jump(f, fn, (s64)at + insn.target, owner))
			return false;
	}
	while (ntables--)
		if (jumped_into(f, tables[ntables].from, tables[ntables].to))
			return false;
	return at == fn->len;
}

/* Movable instructions from `from` on that make `want` bytes; `s` grows by them. */
static bool movable(const struct finder *f, u32 from, u32 end, u32 want, struct cpuid_site *s)
{
	struct insn insn;
	u32 at = from;

	for (; at < from + want; at += insn.len) {
		if (at >= end || !insn_decode(f->code + at, end - at, &insn) || insn.kind != INSN_PLAIN || (insn.disp && s->disp))
			return false;
		if (insn.disp)
			s->disp = (u8)(s->len + insn.disp);
		s->len = (u8)(s->len + insn.len);
	}
	return true;
}

/* The cpuid and what follows it, or, if that is jumped to, what comes before it. At `at` in the function. */
static bool choose(const struct finder *f, u32 at, u32 len, struct cpuid_site *s)
{
	u32 prev = at;

	*s = (struct cpuid_site){ .from = at, .len = 2 };
	if (movable(f, at + 2, len, JUMP_LEN - 2, s) && !jumped_into(f, at, at + s->len))
		return true;
	while (prev && at - prev < JUMP_LEN - 2) {
		prev--;
		while (prev && !bit(f->begins, prev))
			prev--;
	}
	*s = (struct cpuid_site){ .from = prev, .at = (u8)(at - prev) };
	if (at - prev < JUMP_LEN - 2 || !movable(f, prev, at, at - prev, s) || jumped_into(f, prev, at + 2))
		return false;
	s->len = (u8)(s->len + 2);
	return true;
}

static void sites_of(struct finder *f, const struct function *fn, u8 owner)
{
	u64 base = fn->start - f->vaddr, free = base;
	struct cpuid_site s;

	for (u32 i = 0; i < f->nfound && f->nsites < CPUID_SITES; i++) {
		u64 at = f->found[i] - fn->start;

		if (at >= fn->len || at + 2 > fn->len || !bit(f->begins, (u32)at) || !choose(f, (u32)at, fn->len, &s))
			continue;
		s.from += (u32)base;
		if (s.from < free || s.from % PAGE + s.len >= PAGE)
			continue;
		free = s.from + s.len;
		f->owner[f->nsites] = owner;
		f->sites[f->nsites++] = s;
	}
}

/* ---- what functions jump to ---- */

static void drop_owner(struct finder *f, u8 owner)
{
	u32 n = 0;

	for (u32 i = 0; i < f->nsites; i++) {
		f->sites[n] = f->sites[i];
		f->owner[n] = f->owner[i];
		n += f->owner[i] != owner;
	}
	f->nsites = n;
}

/* In f->code is a function that f->functions[owner] jumps to: does it jump back into the middle of what is replaced? */
static bool comes_back(const struct finder *f, const struct function *fn, u8 owner)
{
	struct insn insn;

	for (u32 at = 0; at < fn->len; at += insn.len) {
		u64 to;

		if (!insn_decode(f->code + at, fn->len - at, &insn) || insn.kind == INSN_INDIRECT)
			return true;
		to = fn->start + at + (u64)insn.target - f->vaddr;
		for (u32 i = 0; insn.kind == INSN_JUMP && i < f->nsites; i++)
			if (f->owner[i] == owner && to > f->sites[i].from && to < f->sites[i].from + f->sites[i].len)
				return true;
	}
	return false;
}

static void look_at_out(void *ctx, const struct function *fn)
{
	struct finder *f = ctx;

	for (u32 i = 0; i < f->nouts; i++) {
		if (f->outs[i].to - fn->start >= fn->len || f->outs[i].known)
			continue;
		f->outs[i].known = fn->len <= FUNCTION_MAX && fn->start >= f->vaddr && fn->start + fn->len <= f->vaddr + f->file->len &&
				   read_all(f, f->code, fn->len, f->file->off + (fn->start - f->vaddr)) && !comes_back(f, fn, f->outs[i].owner);
	}
}

static void sort(struct finder *f)
{
	for (u32 i = 1; i < f->nsites; i++)
		for (u32 k = i; k && f->sites[k - 1].from > f->sites[k].from; k--) {
			struct cpuid_site s = f->sites[k];

			f->sites[k] = f->sites[k - 1];
			f->sites[k - 1] = s;
		}
}

u32 cpuid_find(const struct cpuid_file *file, struct cpuid_site sites[CPUID_SITES], void *room)
{
	struct finder *f = room;
	Elf64_Ehdr h;

	__builtin_memset(f, 0, offsetof(struct finder, buf));
	f->file = file;
	f->sites = sites;
	if (!read_all(f, f->code, PAGE, 0))
		return 0;
	__builtin_memcpy(&h, f->code, sizeof(h));
	if (__builtin_memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    !find_segment(f, &h) || !find_eh_frame(f, &h) || !scan(f) || !f->nfound)
		return 0;
	eh_frame_walk(&f->eh, note_function, f);
	for (u32 i = 0; i < f->nfunctions; i++) {
		u32 outs = f->nouts;

		if (decode_function(f, &f->functions[i], (u8)i))
			sites_of(f, &f->functions[i], (u8)i);
		else
			f->nouts = outs;
	}
	if (f->nsites && f->nouts)
		eh_frame_walk(&f->eh, look_at_out, f);
	for (u32 i = 0; i < f->nouts; i++)
		if (!f->outs[i].known)
			drop_owner(f, f->outs[i].owner);
	sort(f);
	return f->nsites;
}
