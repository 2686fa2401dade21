// SPDX-License-Identifier: Apache-2.0
/*
 * The FPU: switched with the thread, and its image in signal frames: an XSAVE area in standard format with Linux'
 * magic words (arch/x86/include/uapi/asm/sigcontext.h).
 */
#include <asm/sigcontext.h>

#include "kvm_impl.h"

#define FXSAVE_SIZE 512
#define XCR0_OFFSET 464
#define XSAVE_HDR_END 576

static u64 xfeatures;
static u32 xsize;

void fpu_init_cpu(void)
{
	u32 a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0)); /* the hypervisor has set it */
	xfeatures = (u64)d << 32 | a;
	xsize = call_begin()->xsave_size;
	__asm__ volatile("fninit");
}

static void xsave(void *to)
{
	__asm__ volatile("xsave64 (%0)" ::"r"(to), "a"((u32)xfeatures), "d"((u32)(xfeatures >> 32)) : "memory");
}

static void xrstor(const void *from)
{
	__asm__ volatile("xrstor64 (%0)" ::"r"(from), "a"((u32)xfeatures), "d"((u32)(xfeatures >> 32)) : "memory");
}

static void set_initial(u8 *area)
{
	*(u16 *)area = 0x37f;          /* FCW */
	*(u32 *)(area + 24) = 0x1f80; /* MXCSR: loaded even when XSTATE_BV is 0 */
}

/* Page aligned, as everything of at least a page: XSAVE wants 64 bytes. */
u8 *fpu_alloc(void)
{
	u8 *area = kzalloc(max(xsize, (u32)PAGE_SIZE));

	if (area)
		set_initial(area);
	return area;
}

void fpu_save(struct thread *t) { xsave(t->fpu); }
void fpu_load(struct thread *t) { xrstor(t->fpu); }

/* Only what xrstor takes without a fault: no reserved bits. */
static bool area_valid(const u8 *area, u64 features)
{
	static const u8 zeros[48];
	const u64 *header = (const u64 *)(area + FXSAVE_SIZE);

	return !(*(const u32 *)(area + 24) & ~0xffffu) && !(header[0] & ~features) && !memcmp(header + 2, zeros, sizeof(zeros)) &&
	       !header[1];
}

void mc_fpu_get(void *to)
{
	struct thread *t = self();

	xsave(t->fpu);
	memcpy(to, t->fpu, xsize);
	*(u64 *)((u8 *)to + XCR0_OFFSET) = xfeatures;
}

int mc_fpu_put(const void *from)
{
	struct thread *t = self();

	if (!area_valid(from, xfeatures))
		return -EINVAL;
	memcpy(t->fpu, from, xsize);
	xrstor(t->fpu);
	return 0;
}

size_t mc_fpu_size(void) { return xsize + FP_XSTATE_MAGIC2_SIZE; }

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
	struct thread *t = self();

	if (to & 63 || to >= USER_END || xsize > USER_END - to)
		return -EFAULT;
	xsave(t->fpu);
	if (mc_copy_to_user(to, t->fpu, xsize))
		return -EFAULT;
	return write_magic(to);
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
	struct thread *t = self();
	struct _fpx_sw_bytes sw;
	bool extended;

	memset(t->fpu, 0, xsize);
	set_initial(t->fpu);
	if (from && (from >= USER_END || xsize > USER_END - from))
		return -EFAULT;
	if (from & 63)
		return -EINVAL;
	extended = from && is_extended(from, &sw);
	if (from && mc_copy_from_user(t->fpu, from, extended ? sw.xstate_size : FXSAVE_SIZE))
		return -EFAULT;
	if (from && !extended)
		*(u64 *)(t->fpu + FXSAVE_SIZE) = 3; /* x87 and SSE are in use */
	if (extended)
		*(u64 *)(t->fpu + FXSAVE_SIZE) &= sw.xfeatures;
	if (!area_valid(t->fpu, xfeatures))
		return -EINVAL;
	xrstor(t->fpu);
	return 0;
}
