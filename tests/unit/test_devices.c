/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container may open: linux.resources.devices, and what nobody may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "vm/devices.h"

#define S(text) ((char *)(text))
#define N(v) { true, (v) }
#define RULES(...)                                                                                \
	struct oci_device_rule rules[] = { __VA_ARGS__ };                                         \
	struct oci_linux l = { .resources = { .devices = rules, .n_devices = sizeof(rules) / sizeof(*rules) } }

static struct oci_device disk = { .type = S_IFBLK, .major = 8, .minor = 1 };
static struct oci_device tape = { .type = S_IFCHR, .major = 9, .minor = 1 };

static void test_nothing_without_a_rule(void **state)
{
	struct oci_linux l = { .n_devices = 0 };

	assert_false(devices_allowed(&l, &disk, O_RDONLY));
	assert_false(devices_allowed(&l, &disk, O_WRONLY));
}

static void test_last_match_decides(void **state)
{
	RULES({ .allow = false, .access = S("rwm") }, { .allow = true, .type = S("b"), .major = N(8), .access = S("rwm") },
	      { .allow = false, .type = S("b"), .major = N(8), .minor = N(1), .access = S("w") });

	assert_true(devices_allowed(&l, &disk, O_RDONLY));
	assert_false(devices_allowed(&l, &disk, O_WRONLY));
	assert_false(devices_allowed(&l, &disk, O_RDWR));
	assert_false(devices_allowed(&l, &tape, O_RDONLY));
	disk.minor = 2;
	assert_true(devices_allowed(&l, &disk, O_RDWR));
	disk.minor = 1;
}

static void test_wildcards(void **state)
{
	RULES({ .allow = true, .type = S("c"), .major = N(-1), .minor = N(1), .access = S("r") });

	assert_true(devices_allowed(&l, &tape, O_RDONLY));
	assert_false(devices_allowed(&l, &tape, O_RDWR));
	assert_false(devices_allowed(&l, &disk, O_RDONLY));
	assert_false(devices_allowed(&l, &tape, O_ACCMODE));
}

static void test_barred_for_everybody(void **state)
{
	static const unsigned int barred[][2] = { { 1, 1 }, { 1, 2 }, { 1, 4 }, { 1, 11 }, { 10, 232 }, { 10, 196 },
						  { 10, 238 }, { 202, 3 } };
	RULES({ .allow = true, .type = S("a"), .access = S("rwm") });

	for (size_t i = 0; i < sizeof(barred) / sizeof(*barred); i++) {
		struct oci_device d = { .type = S_IFCHR, .major = barred[i][0], .minor = barred[i][1] };

		assert_false(devices_allowed(&l, &d, O_RDONLY));
		d.type = S_IFBLK; /* these are numbers of character devices */
		assert_true(devices_allowed(&l, &d, O_RDONLY));
	}
	assert_true(devices_allowed(&l, &tape, O_RDWR));
}

static void test_whose(void **state)
{
	struct oci_device d = { .type = S_IFCHR, .major = 1, .minor = 3 };

	assert_false(devices_from_host(&d));
	d.minor = 6;
	assert_true(devices_from_host(&d));
	d.type = S_IFBLK;
	d.minor = 3;
	assert_true(devices_from_host(&d));
	d.type = S_IFIFO;
	assert_false(devices_from_host(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_without_a_rule),
		cmocka_unit_test(test_last_match_decides),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_barred_for_everybody),
		cmocka_unit_test(test_whose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
