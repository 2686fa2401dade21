// SPDX-License-Identifier: Apache-2.0
/* A vCPU: its state before the first instruction, and its thread. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call/confine.h"
#include "kvm/kvm_impl.h"
#include "kvm/probe.h"

#define CR0_LONG_MODE 0x80050033ULL /* PE MP ET NE WP AM PG */
#define CR4_PAE 0x20ULL
#define EFER_LONG_MODE 0xd00ULL /* LME LMA NXE */
#define APIC_X2 0x400ULL
#define XCR0_AMX 0x60000ULL /* nobody asks for permission to use its tiles */
#define XCR0_LEAST 3ULL

/* Here, and not by the guest: QEMU's emulation of AMD's virtualization does not tell KVM of xsetbv. */
static int set_xcr0(struct vcpu *c, const struct kvm_cpuid2 *id)
{
	struct kvm_xcrs x = { .nr_xcrs = 1 };

	for (u32 i = 0; i < id->nent; i++)
		if (id->entries[i].function == 0xd && id->entries[i].index == 0)
			x.xcrs[0].value = ((u64)id->entries[i].edx << 32 | id->entries[i].eax) & ~XCR0_AMX;
	if ((x.xcrs[0].value & XCR0_LEAST) != XCR0_LEAST)
		return -ENOTSUP; /* a CPU without XSAVE */
	return ioctl(c->fd, KVM_SET_XCRS, &x) ? -errno : 0;
}

static int set_cpuid(struct vcpu *c, int kvm_fd)
{
	struct kvm_cpuid2 *id = kvm_supported_cpuid(kvm_fd);
	int ret = 0;

	if (!id)
		return -errno;
	for (u32 i = 0; i < id->nent; i++) {
		struct kvm_cpuid_entry2 *e = &id->entries[i];

		if (e->function == 1) { /* initial APIC number; x2APIC */
			e->ebx = (e->ebx & 0xffffff) | c->id << 24;
			e->ecx |= 1u << 21;
		}
		if (e->function == 0xb || e->function == 0x1f)
			e->edx = c->id;
	}
	if (ioctl(c->fd, KVM_SET_CPUID2, id))
		ret = -errno;
	if (!ret)
		ret = set_xcr0(c, id);
	free(id);
	return ret;
}

static int set_registers(struct vcpu *c, u64 entry)
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
	s.cr4 = CR4_PAE;
	s.efer = EFER_LONG_MODE;
	s.apic_base |= APIC_X2;
	if (ioctl(c->fd, KVM_SET_SREGS, &s) || ioctl(c->fd, KVM_SET_REGS, &regs) ||
	    ioctl(c->fd, KVM_SET_MP_STATE, &runnable))
		return -errno;
	return 0;
}

int vcpu_make(struct kvm_guest *g, unsigned int id, int kvm_fd, u64 entry, struct error *err)
{
	struct vcpu *c = &g->cpus[id];
	int ret;

	c->guest = g;
	c->stats.fd = -1;
	c->id = id;
	c->call = (struct kvm_call *)(g->slots[SLOT_LOW].at + KVM_CALLS_GPA + (u64)id * KVM_CALL_ROOM);
	c->fd = ioctl(g->vm_fd, KVM_CREATE_VCPU, id);
	if (c->fd < 0)
		return error_errno(err, errno, "virtual CPU %u", id);
	c->run = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED) {
		c->run = NULL;
		return error_errno(err, errno, "virtual CPU %u", id);
	}
	counts_open(c);
	ret = set_cpuid(c, kvm_fd);
	if (!ret)
		ret = set_registers(c, entry);
	return ret ? error_errno(err, -ret, "state of virtual CPU %u", id) : 0;
}

void vcpu_free(struct vcpu *c)
{
	counts_close(c);
	if (c->run)
		munmap(c->run, c->guest->run_size);
	if (c->guest && c->fd >= 0)
		close(c->fd);
}

/* ---- the thread ---- */

static void failed(struct vcpu *c, const char *what, u64 detail)
{
	struct kvm_regs regs = { 0 };
	char why[160];

	ioctl(c->fd, KVM_GET_REGS, &regs);
	snprintf(why, sizeof(why), "%s (%#llx) on virtual CPU %u at %#llx", what, (unsigned long long)detail, c->id,
		 (unsigned long long)regs.rip);
	c->guest->on_end(c->guest->ctx, why);
}

/* False: the VM is to end. */
static bool port_written(struct vcpu *c)
{
	const struct kvm_run *run = c->run;
	const char *why = NULL;
	u32 nr;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != KVM_PORT || run->io.size != 4 || run->io.count != 1) {
		failed(c, "access to a port that is not there", run->io.port);
		return false;
	}
	memcpy(&nr, (const u8 *)run + run->io.data_offset, sizeof(nr));
	if (serve_call(c, nr, &why))
		return true;
	if (why)
		failed(c, why, nr);
	return false;
}

static bool handle_exit(struct vcpu *c)
{
	switch (c->run->exit_reason) {
	case KVM_EXIT_IO:
		return port_written(c);
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		failed(c, "the guest kernel has crashed (triple fault)", 0);
		return false;
	case KVM_EXIT_MMIO:
		failed(c, "access to physical memory that is not there", c->run->mmio.phys_addr);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		failed(c, "KVM: internal error", c->run->internal.suberror);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		failed(c, "KVM: the CPU refuses the guest's state", c->run->fail_entry.hardware_entry_failure_reason);
		return false;
	default:
		failed(c, "KVM: unexpected exit", c->run->exit_reason);
		return false;
	}
}

static bool raise_exception(struct vcpu *c, u8 vector)
{
	struct kvm_vcpu_events ev;

	if (ioctl(c->fd, KVM_GET_VCPU_EVENTS, &ev))
		return false;
	ev.exception.injected = 1;
	ev.exception.nr = vector;
	ev.exception.has_error_code = 0;
	return !ioctl(c->fd, KVM_SET_VCPU_EVENTS, &ev);
}

static bool run_failed(struct vcpu *c)
{
	if (errno == EINTR || errno == EAGAIN) {
		count(&c->kicks);
		return true;
	}
	if (errno == EFAULT && window_shrunk(c->guest) && raise_exception(c, KVM_VEC_SHRUNK))
		return true;
	failed(c, "KVM_RUN failed", (u64)errno);
	return false;
}

/* The first one starts the others, which inherit its filter. */
static void *vcpu_main(void *arg)
{
	struct vcpu *c = arg;
	char name[16];
	bool ok;

	snprintf(name, sizeof(name), "vcpu%u", c->id);
	pthread_setname_np(pthread_self(), name);
	if (caller_init(&c->me, c->guest->server) < 0 || (c->id == 0 && confine_vcpu() < 0)) {
		c->guest->on_end(c->guest->ctx, "a virtual CPU's thread cannot be set up");
		return NULL;
	}
	do {
		if (ioctl(c->fd, KVM_RUN, 0) < 0)
			ok = run_failed(c);
		else
			ok = handle_exit(c);
	} while (ok && !__atomic_load_n(&c->guest->stopping, __ATOMIC_SEQ_CST));
	caller_exit(&c->me);
	return NULL;
}

int vcpu_start(struct vcpu *c)
{
	int ret = pthread_create(&c->thread, NULL, vcpu_main, c);

	c->started = !ret;
	return -ret;
}
