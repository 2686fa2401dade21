// SPDX-License-Identifier: Apache-2.0
/* What is said of a /dev/kvm that lacks something: here it is made up, and lacks one thing after the other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kvm/kvm_guest.h"
#include "kvm/probe.h"

#define DEVICE 1000 /* a descriptor that is not there */

static int open_errno, lacks, version, closed;
static struct {
	struct kvm_cpuid2 id;
	struct kvm_cpuid_entry2 entries[5];
} cpu;

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);

int __wrap_open(const char *path, int flags, ...)
{
	assert_string_equal(path, "/dev/kvm");
	errno = open_errno;
	return open_errno ? -1 : DEVICE;
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

int __wrap_close(int fd)
{
	assert_int_equal(fd, DEVICE);
	closed++;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	assert_int_equal(fd, DEVICE);
	switch (request) {
	case KVM_GET_API_VERSION:
		return version;
	case KVM_CHECK_EXTENSION:
		return (int)(intptr_t)arg == lacks ? 0 : 64;
	case KVM_GET_SUPPORTED_CPUID:
		assert_true(((struct kvm_cpuid2 *)arg)->nent >= cpu.id.nent);
		memcpy(arg, &cpu, sizeof(cpu));
		return 0;
	default:
		fail_msg("a guest is made: %#lx", request);
		return -1;
	}
}

static int whole(void **state)
{
	open_errno = closed = 0;
	lacks = -1;
	version = KVM_API_VERSION;
	memset(&cpu, 0, sizeof(cpu));
	cpu.id.nent = 5;
	cpu.id.entries[0] = (struct kvm_cpuid_entry2){ .function = 1, .ecx = 1u << 26 };
	cpu.id.entries[1] = (struct kvm_cpuid_entry2){ .function = 7, .ebx = 1 };
	cpu.id.entries[2] = (struct kvm_cpuid_entry2){ .function = 0x80000001, .edx = 1u << 20 | 1u << 26 | 1u << 29 };
	cpu.id.entries[3] = (struct kvm_cpuid_entry2){ .function = 0x40000001, .eax = 8 };
	cpu.id.entries[4] = (struct kvm_cpuid_entry2){ .function = 0x80000008, .eax = 40 };
	return 0;
}

static void refused(const char *word)
{
	struct error err = { 0 };

	assert_true(kvm_open(&err) < 0);
	assert_non_null(strstr(err.text, "/dev/kvm"));
	if (!strstr(err.text, word))
		fail_msg("'%s' does not name %s", err.text, word);
	assert_int_equal(closed, open_errno ? 0 : 1);
}

static void test_whole(void **state)
{
	struct error err = { 0 };

	assert_int_equal(kvm_open(&err), DEVICE);
	assert_int_equal(closed, 0);
}

static void test_not_there(void **state)
{
	open_errno = ENOENT;
	refused("no such file");
}

static void test_version(void **state)
{
	version = 11;
	refused("version 11");
}

static void test_capability(void **state)
{
	lacks = KVM_CAP_SIGNAL_MSI;
	refused("KVM_CAP_SIGNAL_MSI");
}

static void test_irqchip(void **state)
{
	lacks = KVM_CAP_IRQCHIP;
	refused("KVM_CAP_IRQCHIP");
}

static void test_xsave(void **state)
{
	cpu.id.entries[0].ecx = 0;
	refused("XSAVE");
}

static void test_huge(void **state)
{
	cpu.id.entries[2].edx &= ~(1u << 26);
	refused("1 GiB");
}

static void test_leaf_not_there(void **state)
{
	cpu.id.entries[3].function = 0x40000002;
	refused("kvmclock");
}

static void test_physical_bits(void **state)
{
	cpu.id.entries[4].eax = 36;
	refused("36 bits");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, whole),
		cmocka_unit_test_setup(test_not_there, whole),
		cmocka_unit_test_setup(test_version, whole),
		cmocka_unit_test_setup(test_capability, whole),
		cmocka_unit_test_setup(test_irqchip, whole),
		cmocka_unit_test_setup(test_xsave, whole),
		cmocka_unit_test_setup(test_huge, whole),
		cmocka_unit_test_setup(test_leaf_not_there, whole),
		cmocka_unit_test_setup(test_physical_bits, whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
