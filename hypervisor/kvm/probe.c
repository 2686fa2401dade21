// SPDX-License-Identifier: Apache-2.0
/* What the host's KVM and CPU must have for the kvm machine: asked for, no guest is run. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm/kvm_impl.h"
#include "kvm/probe.h"

static const struct need {
	int cap, least;
	const char *name;
} needs[] = {
	{ KVM_CAP_USER_MEMORY, 1, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SYNC_MMU, 1, "KVM_CAP_SYNC_MMU" }, /* the window: files come and go */
	{ KVM_CAP_NR_MEMSLOTS, SLOTS, "KVM_CAP_NR_MEMSLOTS" },
	{ KVM_CAP_NR_VCPUS, 1, "KVM_CAP_NR_VCPUS" },
	{ KVM_CAP_IRQCHIP, 1, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_SIGNAL_MSI, 1, "KVM_CAP_SIGNAL_MSI" },
	{ KVM_CAP_EXT_CPUID, 1, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_MP_STATE, 1, "KVM_CAP_MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, 1, "KVM_CAP_VCPU_EVENTS" },
	{ KVM_CAP_XCRS, 1, "KVM_CAP_XCRS" },
	{ KVM_CAP_ADJUST_CLOCK, 1, "KVM_CAP_ADJUST_CLOCK" }, /* KVM_GET_CLOCK */
	{ KVM_CAP_IMMEDIATE_EXIT, 1, "KVM_CAP_IMMEDIATE_EXIT" },
};

enum reg { EAX, EBX, ECX, EDX };

static const struct feature {
	u32 function, index;
	enum reg reg;
	u32 bit;
	const char *name;
} features[] = {
	{ 0x1, 0, ECX, 26, "XSAVE" },
	{ 0x7, 0, EBX, 0, "FSGSBASE" },
	{ 0x80000001, 0, EDX, 20, "NX" },
	{ 0x80000001, 0, EDX, 26, "pages of 1 GiB" },
	{ 0x80000001, 0, EDX, 29, "64-bit mode" },
	{ 0x40000001, 0, EAX, 3, "kvmclock" },
};

#define PHYS_BITS 39 /* KVM_PHYS_END */

struct kvm_cpuid2 *kvm_supported_cpuid(int kvm_fd)
{
	struct kvm_cpuid2 *id = calloc(1, sizeof(*id) + KVM_CPUID_MAX * sizeof(id->entries[0]));
	int ret;

	if (!id)
		return NULL;
	id->nent = KVM_CPUID_MAX;
	if (!ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, id))
		return id;
	ret = errno;
	free(id);
	errno = ret;
	return NULL;
}

static u32 leaf(const struct kvm_cpuid2 *id, u32 function, u32 index, enum reg reg)
{
	for (u32 i = 0; i < id->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &id->entries[i];

		if (e->function == function && e->index == index)
			return (u32[]){ e->eax, e->ebx, e->ecx, e->edx }[reg];
	}
	return 0;
}

int kvm_check_cpuid(const struct kvm_cpuid2 *id, struct error *err)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct feature *f = &features[i];

		if (!(leaf(id, f->function, f->index, f->reg) >> f->bit & 1))
			return error_set(err, ENOTSUP, "/dev/kvm: its CPUs have no %s", f->name);
	}
	if ((leaf(id, 0x80000008, 0, EAX) & 0xff) < PHYS_BITS)
		return error_set(err, ENOTSUP, "/dev/kvm: its CPUs have %u bits of physical address, %d are needed",
				 leaf(id, 0x80000008, 0, EAX) & 0xff, PHYS_BITS);
	return 0;
}

static int check_needs(int fd, struct error *err)
{
	struct kvm_cpuid2 *id;
	int ret;

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needs[i].cap) < needs[i].least)
			return error_set(err, ENOTSUP, "/dev/kvm: %s is missing", needs[i].name);
	id = kvm_supported_cpuid(fd);
	if (!id)
		return error_errno(err, errno, "/dev/kvm: CPUID");
	ret = kvm_check_cpuid(id, err);
	free(id);
	return ret;
}

int kvm_open(struct error *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), version, ret;

	if (fd < 0)
		return error_errno(err, errno, "/dev/kvm");
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		ret = error_errno(err, errno, "/dev/kvm: version of its interface");
	else if (version != KVM_API_VERSION)
		ret = error_set(err, ENOTSUP, "/dev/kvm: version %d of its interface, expected %d", version,
				KVM_API_VERSION);
	else
		ret = check_needs(fd, err);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}
