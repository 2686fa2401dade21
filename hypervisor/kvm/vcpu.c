// SPDX-License-Identifier: Apache-2.0
/* A vCPU and its thread. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call/confine.h"
#include "kvm/kvm_impl.h"

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
	ret = vcpu_set_state(c, kvm_fd, entry);
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
	if (c->id == 0)
		vcpu_prefault(c);
	if (caller_init(&c->me, c->guest->server) < 0 || (c->id == 0 && confine_vcpu() < 0)) {
		c->guest->on_end(c->guest->ctx, "a virtual CPU's thread cannot be set up");
		return NULL;
	}
	do {
		if (__atomic_load_n(&c->look.asked, __ATOMIC_RELAXED))
			look_tell(c);
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
