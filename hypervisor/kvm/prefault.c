// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that every start uses, before its first instruction: a page that the VM touches first is an exit each. The host makes the
 * pages at once, zeros that may be written to; where its KVM can be asked to (since Linux 6.12), they are put into
 * the VM's tables, too. What fails here is made when it is used.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kvm/kvm_impl.h"
#include "ring.h"

#ifndef KVM_CAP_PRE_FAULT_MEMORY /* headers before Linux 6.11 */
#define KVM_CAP_PRE_FAULT_MEMORY 236
struct kvm_pre_fault_memory {
	__u64 gpa, size, flags, padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096ULL

/* But for the image and the kernel's page tables. tests/vm/test_kvm_exits.py tells if these are not what a start uses. */
static const struct kvm_extent used_first[] = {
	{ KVM_CALLS_GPA, PAGE },
	{ KVM_RING_GPA, RING_COUNTERS_OFF + 3 * PAGE },
	{ KVM_RING_GPA + RING_BOOT_OFF, 2 * PAGE },
	{ KVM_RING_GPA + RING_DATA_OFF, PAGE },
	{ KVM_HEAP_GPA, 0x2b * PAGE },
	{ KVM_ARENA_GPA, 2 * PAGE },
	{ KVM_RAM_GPA, 7 * PAGE },
	{ KVM_RAM_GPA + KVM_CHUNK, 2 * PAGE },
};

/* True: as far as the host's KVM can do it. */
static bool into_tables(const struct vcpu *c, u64 gpa, u64 len)
{
	struct kvm_pre_fault_memory m = { .gpa = gpa, .size = len };

	while (m.size)
		if (ioctl(c->fd, KVM_PRE_FAULT_MEMORY, &m) && errno != EINTR && errno != EAGAIN)
			return false;
	return true;
}

static void use(struct vcpu *c, const struct kvm_extent *e, bool *can)
{
	void *at = memory_at(c->guest, e->gpa, e->len);

	if (!at)
		return; /* a smaller VM */
	madvise(at, e->len, MADV_POPULATE_WRITE);
	*can = *can && into_tables(c, e->gpa, e->len);
}

void vcpu_prefault(struct vcpu *c)
{
	struct kvm_guest *g = c->guest;
	bool can = ioctl(g->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_PRE_FAULT_MEMORY) > 0;

	for (u32 i = 0; i < g->nloaded; i++)
		use(c, &g->loaded[i], &can);
	for (size_t i = 0; i < sizeof(used_first) / sizeof(used_first[0]); i++)
		use(c, &used_first[i], &can);
	g->boot.prefaulted = can;
}
