// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU before its first instruction. What a kernel would ask for and write at its start leaves the VM each time: here it is
 * set from outside.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/kvm_impl.h"
#include "kvm/probe.h"

#define CR0_LONG_MODE 0x80050033ULL /* PE MP ET NE WP AM PG */
#define CR4_ALWAYS 0x406a0ULL /* PAE PGE OSFXSR OSXMMEXCPT OSXSAVE */
#define CR4_UMIP (1ULL << 11)
#define CR4_FSGSBASE (1ULL << 16)
#define CR4_SMEP (1ULL << 20)
#define CR4_SMAP (1ULL << 21)
#define EFER_LONG_MODE 0xd01ULL /* SCE LME LMA NXE */
#define APIC_X2 0x400ULL
#define XCR0_AMX 0x60000ULL /* nobody asks for permission to use its tiles */
#define XCR0_LEAST 3ULL
#define XSAVE_LEAST 576u /* x87, SSE and the header */

/* Of the local interrupt controller's page. */
#define APIC_SPURIOUS 0xf0
#define APIC_ENABLED 0x100u
#define APIC_LVT_TIMER 0x320 /* one-shot */
#define APIC_TIMER_DIVIDE 0x3e0
#define DIVIDE_BY_1 0xbu

#define KVM_FEATURES 0x40000001u
#define FEATURE_ASYNC_PF (1u << 4)
#define FEATURE_PV_EOI (1u << 6)
#define FEATURE_ASYNC_PF_INT (1u << 14)
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u
#define MSR_KVM_ASYNC_PF_EN 0x4b564d02u
#define MSR_KVM_PV_EOI 0x4b564d04u
#define MSR_KVM_ASYNC_PF_INT 0x4b564d06u
#define ASYNC_PF_ENABLED 9u /* the end of the wait is told by an interrupt; only user code is told of its begin */

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *id, u32 function, u32 index)
{
	for (u32 i = 0; i < id->nent; i++)
		if (id->entries[i].function == function && id->entries[i].index == index)
			return &id->entries[i];
	return NULL;
}

/* Of an area in standard format with all of XCR0. */
static u32 xsave_size(const struct kvm_cpuid2 *id, u64 xcr0)
{
	u32 size = XSAVE_LEAST;

	for (u32 i = 2; i < 63; i++) {
		const struct kvm_cpuid_entry2 *e = xcr0 >> i & 1 ? leaf(id, 0xd, i) : NULL;

		if (e && e->eax + e->ebx > size)
			size = e->eax + e->ebx;
	}
	return size;
}

/* Not by the guest also because QEMU's emulation of AMD's virtualization does not tell KVM of xsetbv. */
static int set_xcr0(struct vcpu *c, const struct kvm_cpuid2 *id)
{
	const struct kvm_cpuid_entry2 *e = leaf(id, 0xd, 0);
	struct kvm_xcrs x = { .nr_xcrs = 1 };

	if (e)
		x.xcrs[0].value = ((u64)e->edx << 32 | e->eax) & ~XCR0_AMX;
	if ((x.xcrs[0].value & XCR0_LEAST) != XCR0_LEAST)
		return -ENOTSUP; /* a CPU without XSAVE */
	c->call->xsave_size = xsave_size(id, x.xcrs[0].value);
	return ioctl(c->fd, KVM_SET_XCRS, &x) ? -errno : 0;
}

static int set_cpuid(struct vcpu *c, struct kvm_cpuid2 *id)
{
	for (u32 i = 0; i < id->nent; i++) {
		struct kvm_cpuid_entry2 *e = &id->entries[i];

		if (e->function == 1) { /* initial APIC number; x2APIC */
			e->ebx = (e->ebx & 0xffffff) | c->id << 24;
			e->ecx |= 1u << 21;
		}
		if (e->function == 0xb || e->function == 0x1f)
			e->edx = c->id;
	}
	return ioctl(c->fd, KVM_SET_CPUID2, id) ? -errno : 0;
}

static u64 cr4(const struct kvm_cpuid2 *id)
{
	const struct kvm_cpuid_entry2 *e = leaf(id, 7, 0);
	u64 v = CR4_ALWAYS;

	if (!e)
		return v;
	v |= e->ebx & 1 ? CR4_FSGSBASE : 0;
	v |= e->ebx >> 7 & 1 ? CR4_SMEP : 0;
	v |= e->ebx >> 20 & 1 ? CR4_SMAP : 0;
	return v | (e->ecx >> 2 & 1 ? CR4_UMIP : 0);
}

static int set_registers(struct vcpu *c, const struct kvm_cpuid2 *id, u64 entry)
{
	struct kvm_regs regs = { .rip = entry, .rflags = 2, .rdi = c->id };
	struct kvm_mp_state runnable = { KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs s;

	if (ioctl(c->fd, KVM_GET_SREGS, &s))
		return -errno;
	s.cs.base = 0;
	s.cs.limit = 0xffffffff;
	s.cs.selector = 8;
	s.cs.type = 11;
	s.cs.present = s.cs.s = s.cs.l = s.cs.g = 1;
	s.cs.dpl = s.cs.db = 0;
	s.ss = s.cs;
	s.ss.selector = 16;
	s.ss.type = 3;
	s.ss.l = 0;
	s.ss.db = 1;
	s.ds = s.es = s.fs = s.gs = s.ss;
	s.cr0 = CR0_LONG_MODE;
	s.cr3 = KVM_TABLES_GPA;
	s.cr4 = cr4(id);
	s.efer = EFER_LONG_MODE;
	s.apic_base |= APIC_X2;
	if (ioctl(c->fd, KVM_SET_SREGS, &s) || ioctl(c->fd, KVM_SET_REGS, &regs) ||
	    ioctl(c->fd, KVM_SET_MP_STATE, &runnable))
		return -errno;
	return 0;
}

static int set_apic(struct vcpu *c)
{
	static const struct {
		u32 at, value;
	} regs[] = {
		{ APIC_SPURIOUS, APIC_ENABLED | KVM_VEC_SPURIOUS },
		{ APIC_LVT_TIMER, KVM_VEC_TIMER },
		{ APIC_TIMER_DIVIDE, DIVIDE_BY_1 },
	};
	struct kvm_lapic_state s;

	if (ioctl(c->fd, KVM_GET_LAPIC, &s))
		return -errno;
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		memcpy(&s.regs[regs[i].at], &regs[i].value, sizeof(u32));
	return ioctl(c->fd, KVM_SET_LAPIC, &s) ? -errno : 0;
}

/* What KVM shares with the vCPU, where it has that. */
static int share(struct vcpu *c, const struct kvm_cpuid2 *id)
{
	const struct kvm_cpuid_entry2 *e = leaf(id, KVM_FEATURES, 0);
	u64 at = KVM_CALLS_GPA + (u64)c->id * KVM_CALL_ROOM;
	u32 has = e ? e->eax : 0;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry msr[4];
	} m = { .msr[0] = { .index = MSR_KVM_SYSTEM_TIME, .data = (at + offsetof(struct kvm_call, time)) | 1 } };
	u32 n = 1;

	if (has & FEATURE_PV_EOI)
		m.msr[n++] = (struct kvm_msr_entry){ .index = MSR_KVM_PV_EOI, .data = (at + offsetof(struct kvm_call, no_eoi)) | 1 };
	if (has & FEATURE_ASYNC_PF && has & FEATURE_ASYNC_PF_INT) {
		m.msr[n++] = (struct kvm_msr_entry){ .index = MSR_KVM_ASYNC_PF_INT, .data = KVM_VEC_PAGE };
		m.msr[n++] = (struct kvm_msr_entry){ .index = MSR_KVM_ASYNC_PF_EN,
						     .data = (at + offsetof(struct kvm_call, apf)) | ASYNC_PF_ENABLED };
	}
	m.head.nmsrs = n;
	return ioctl(c->fd, KVM_SET_MSRS, &m) == (int)n ? 0 : -EIO;
}

int vcpu_set_state(struct vcpu *c, int kvm_fd, u64 entry)
{
	struct kvm_cpuid2 *id = kvm_supported_cpuid(kvm_fd);
	int ret;

	if (!id)
		return -errno;
	ret = set_cpuid(c, id);
	if (!ret)
		ret = set_xcr0(c, id);
	if (!ret)
		ret = set_registers(c, id, entry);
	if (!ret)
		ret = set_apic(c);
	if (!ret)
		ret = share(c, id);
	free(id);
	return ret;
}
