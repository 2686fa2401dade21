// SPDX-License-Identifier: Apache-2.0
/* The section .eh_frame of a file: where functions begin and end. */
#include "eh_frame.h"

#define PCREL_SDATA4 0x1b

static u32 le32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static bool uleb_skip(const u8 *p, u32 len, u32 *at)
{
	while (*at < len)
		if (!(p[(*at)++] & 0x80))
			return true;
	return false;
}

/* Bytes of a pointer in this encoding; 0: it is not one of a known length. */
static u32 pointer_len(u8 encoding)
{
	switch (encoding & 0xf) {
	case 0: case 4: case 0xc: return 8;
	case 3: case 0xb: return 4;
	case 2: case 0xa: return 2;
	}
	return 0;
}

/* Does what begins at `p`, behind the id, say that its functions' addresses are relative words? */
static bool cie_good(const u8 *p, u32 len)
{
	u32 at = 1, end = 1;

	while (end < len && p[end])
		end++;
	if (!len || p[0] != 1 || end >= len || p[1] != 'z')
		return false;
	at = end + 1;
	if (!uleb_skip(p, len, &at) || !uleb_skip(p, len, &at) || ++at >= len || !uleb_skip(p, len, &at))
		return false;
	for (u32 i = 2; i < end && at < len; i++) {
		switch (p[i]) {
		case 'R': return p[at] == PCREL_SDATA4;
		case 'L': at++; break;
		case 'P':
			if (!pointer_len(p[at]))
				return false;
			at += 1 + pointer_len(p[at]);
			break;
		case 'S': case 'B': break;
		default: return false;
		}
	}
	return false;
}

static bool cie_known_good(const struct eh_frame *f, u64 at)
{
	for (u32 i = f->ncies; i--;)
		if (f->cies[i].at == at)
			return f->cies[i].good;
	return false;
}

/* A record at `at` in the section: `p` has `len` bytes from its id on. */
static void record(struct eh_frame *f, u64 at, const u8 *p, u32 len, function_seen each, void *ctx)
{
	struct function fn;
	u32 id = len < 4 ? 0 : le32(p);

	if (len >= 4 && !id && f->ncies < sizeof(f->cies) / sizeof(*f->cies)) {
		f->cies[f->ncies].at = at;
		f->cies[f->ncies++].good = cie_good(p + 4, len - 4);
	}
	if (!id || len < 12 || !cie_known_good(f, at + 4 - id))
		return;
	fn.start = f->addr + at + 8 + (u64)(s64)(s32)le32(p + 4);
	fn.len = le32(p + 8);
	each(ctx, &fn);
}

/* Its CIEs come before what refers to them. */
void eh_frame_walk(struct eh_frame *f, function_seen each, void *ctx)
{
	u64 at = 0, base = 0, have = 0;

	f->ncies = 0;
	while (at + 8 <= f->size) {
		u64 left = f->size - at, want = left < EH_CHUNK ? left : EH_CHUNK, seen;
		u32 len;

		if (at - base + 64 > have && base + have < f->size) {
			long n = f->file->read(f->file->ctx, f->buf, want, f->off + at);

			base = at;
			have = n < 8 ? 0 : (u64)n;
		}
		seen = have - (at - base);
		if (at - base + 8 > have)
			return;
		len = le32(f->buf + (at - base));
		if (!len || len > left - 4) /* the end; 64 bit lengths nobody has */
			return;
		record(f, at, f->buf + (at - base) + 4, len < seen - 4 ? len : (u32)(seen - 4), each, ctx);
		at += 4 + (u64)len;
	}
}
