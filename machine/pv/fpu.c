// SPDX-License-Identifier: Apache-2.0
/*
 * The FPU image of signal frames: an XSAVE area in standard format with Linux' magic words
 * (arch/x86/include/uapi/asm/sigcontext.h). AMX tiles are left out: nobody has permission to use them.
 */
#include <asm/sigcontext.h>

#include "hostcall.h"

#define XCR0_AMX 0x60000ULL
#define FXSAVE_SIZE 512
#define XSAVE_HDR_END 576
#define XCR0_WORD 464

static u64 xfeatures;
static u32 xsize;

static void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

void pv_fpu_setup(void)
{
	u32 a, b, c, d, i;

	if (xsize)
		return;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	xfeatures = ((u64)d << 32 | a) & ~XCR0_AMX;
	b = XSAVE_HDR_END;
	for (i = 2; i < 63; i++) {
		u32 size, off;

		if (!(xfeatures & (1ULL << i)))
			continue;
		cpuid(0xd, i, &size, &off, &c, &d);
		b = max(b, size + off);
	}
	xsize = b;
}

size_t mc_fpu_size(void)
{
	pv_fpu_setup();
	return xsize + FP_XSTATE_MAGIC2_SIZE;
}

static int write_magic(uaddr_t to)
{
	struct _fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = xsize + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = xfeatures,
		.xstate_size = xsize,
	};
	u32 magic2 = FP_XSTATE_MAGIC2;

	if (mc_copy_to_user(to + offsetof(struct _fpstate_64, sw_reserved), &sw, sizeof(sw)))
		return -EFAULT;
	return mc_copy_to_user(to + xsize, &magic2, sizeof(magic2));
}

int mc_fpu_save(uaddr_t to)
{
	pv_fpu_setup();
	if (to & 63 || to >= USER_END || xsize > USER_END - to)
		return -EFAULT;
	/* xsave leaves the rest of the header as it is: it must be zero for xrstor. */
	if (mc_clear_user(to + FXSAVE_SIZE, XSAVE_HDR_END - FXSAVE_SIZE) || pv_xsave((void *)to, xfeatures))
		return -EFAULT;
	return write_magic(to);
}

void mc_fpu_get(void *to)
{
	u8 *image = to;

	memset(image + FXSAVE_SIZE, 0, XSAVE_HDR_END - FXSAVE_SIZE);
	pv_xsave(image, xfeatures);
	memcpy(image + XCR0_WORD, &xfeatures, sizeof(xfeatures));
}

int mc_fpu_put(const void *from) { return pv_xrstor(from, xfeatures) ? -EINVAL : 0; }

static int fpu_init(void)
{
	static u8 zero[XSAVE_HDR_END] __attribute__((aligned(64)));

	*(u16 *)zero = 0x37f;          /* FCW */
	*(u32 *)(zero + 24) = 0x1f80; /* MXCSR: loaded even when XSTATE_BV is 0 */
	return (int)pv_xrstor(zero, xfeatures);
}

static bool is_extended(uaddr_t from, struct _fpx_sw_bytes *sw)
{
	u32 magic2;

	if (mc_copy_from_user(sw, from + offsetof(struct _fpstate_64, sw_reserved), sizeof(*sw)))
		return false;
	if (sw->magic1 != FP_XSTATE_MAGIC1 || sw->xstate_size > xsize || sw->xstate_size < XSAVE_HDR_END)
		return false;
	return !mc_copy_from_user(&magic2, from + sw->xstate_size, 4) && magic2 == FP_XSTATE_MAGIC2;
}

int mc_fpu_restore(uaddr_t from)
{
	struct _fpx_sw_bytes sw;

	pv_fpu_setup();
	if (!from)
		return fpu_init();
	if (from >= USER_END || xsize > USER_END - from)
		return -EFAULT;
	if (from & 63)
		return -EINVAL;
	if (is_extended(from, &sw))
		return pv_xrstor((void *)from, xfeatures & sw.xfeatures) ? -EFAULT : 0;
	return pv_fxrstor((void *)from) ? -EFAULT : 0;
}
