/* SPDX-License-Identifier: Apache-2.0 */
/* PV_DECODE's judgement of system call sites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "call/control.h"

/* Bytes before the site that are instructions of different lengths, as a compiler would write them.
 */
#define PROLOGUE                                                                                   \
	0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x83, 0xec, 0x18, 0x89, 0x7d, 0xec, 0x48, 0x8b, 0x05,  \
		0x10, 0x20, 0x00, 0x00, 0x48, 0x85, 0xc0, 0x74, 0x05, 0x48, 0x89, 0xc7, 0xff,      \
		0xd0, 0x31, 0xd2, 0x48, 0x89, 0xde, 0x31, 0xff

static struct pv_site find(const u8 *code, size_t len)
{
	struct pv_site site;
	const u8 *at = memmem(code, len, "\x0f\x05", 2);

	assert_non_null(at);
	/* Exactly as long as given, so that the address sanitizer sees a read beyond. */
	u8 *copy = malloc(len);

	memcpy(copy, code, len);
	site_find(copy, len, at - code, &site);
	free(copy);
	return site;
}

static void mov_before_syscall(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_MOV);
	assert_int_equal(site.patch_off, sizeof(code) - 8);
	assert_int_equal(site.patch_len, 5);
	assert_int_equal(site.nr, 0x27);
}

static void mov_to_another_register(void **state)
{
	/* mov $0x27,%r8d */
	static const u8 code[] = { PROLOGUE, 0x41, 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_PREV);
	assert_int_equal(site.patch_len, 6);
}

static void number_is_the_tail_of_another_instruction(void **state)
{
	/* movl $0x27,-0x47ccddef(%rax): the displacement ends in b8 */
	static const u8 code[] = { PROLOGUE, 0xc7, 0x80, 0x11, 0x22, 0x33, 0xb8,
				   0x27,     0,	   0,	 0,    0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_PREV);
	assert_int_equal(site.patch_len, 10);
}

static void number_too_large(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xb8, 0x27, 0x02, 0, 0, 0x0f, 0x05, 0xc3 };

	assert_int_not_equal(find(code, sizeof(code)).kind, PV_SITE_MOV);
}

static void no_evidence(void **state)
{
	static const u8 code[] = { 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	assert_int_equal(find(code, sizeof(code)).kind, PV_SITE_NONE);
}

static void short_instruction_with_a_hole(void **state)
{
	/* xor %eax,%eax; syscall; cmp $-4096,%rax; ja; ret; nopw: read(2) of glibc */
	static const u8 code[] = { PROLOGUE, 0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff,
				   0xff,     0x77, 0x40, 0xc3, 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_PREV);
	assert_int_equal(site.patch_len, 2);
	assert_int_equal(code[site.patch_off], 0x31);
	assert_int_equal(site.hole, sizeof(code) - 6);
	assert_int_equal(site.hole_len, 6); /* all of the nop, not only the bytes of the jump */
}

/* What follows a function whose padding has been used: sched_setaffinity(2) behind sched_getaffinity(2) in glibc. */
static void behind_a_hole_in_use(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xc3, 0xe9, 0x31, 0xe0, 0xdc, 0x00, 0x90,
				   0xb8,     0xcb, 0,	 0,    0,    0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_MOV);
	assert_int_equal(site.nr, 0xcb);
}

/* A zero before the mov makes both together a six-byte add: which of them is right can't be known. */
static void mov_in_the_middle_of_another(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xc3, 0xe9, 0x31, 0xe0, 0xdc, 0x00, 0x00,
				   0xb8,     0xcb, 0,	 0,    0,    0x0f, 0x05, 0xc3 };

	assert_int_equal(find(code, sizeof(code)).kind, PV_SITE_NONE);
}

static void long_instruction_needs_no_hole(void **state)
{
	/* mov $0x27,%rax; syscall; ret */
	static const u8 code[] = { PROLOGUE, 0x48, 0xc7, 0xc0, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_PREV);
	assert_int_equal(site.patch_len, 7);
	assert_int_equal(site.hole, 0);
	assert_int_equal(site.nr, ~0u);
}

/* mov $0xe,%eax; lea sigall_set(%rip),%rsi; syscall: pthread_create(3) of glibc */
static void address_relative_to_rip(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xb8, 0x0e, 0, 0, 0, 0x48, 0x8d, 0x35, 0xd5, 0x6d, 0x07, 0x00, 0x0f, 0x05, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_PREV);
	assert_int_equal(site.patch_len, 7);
	assert_int_equal(site.nr, 3); /* where the displacement is */
}

/* call *0x10(%rip); syscall: where it goes on is not the place that it was copied to */
static void call_relative_to_rip(void **state)
{
	static const u8 code[] = { PROLOGUE, 0xff, 0x15, 0x10, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	assert_int_not_equal(find(code, sizeof(code)).kind, PV_SITE_PREV);
}

static void entry_of_a_function_is_no_hole(void **state)
{
	/* ret; endbr64; nop ... */
	static const u8 code[] = { PROLOGUE, 0x31, 0xc0, 0x0f, 0x05, 0xc3,
				   0xf3,     0x0f, 0x1e, 0xfa, 0x90, 0xc3 };

	assert_int_not_equal(find(code, sizeof(code)).kind, PV_SITE_PREV);
}

static void nops_that_are_run_are_no_hole(void **state)
{
	static const u8 code[] = { PROLOGUE, 0x31, 0xc0, 0x0f, 0x05, 0x66, 0x0f, 0x1f,
				   0x44,     0x00, 0x00, 0xc3, 0x90, 0x90, 0xc3 };

	assert_int_not_equal(find(code, sizeof(code)).kind, PV_SITE_PREV);
}

static void tail_of_generic_wrapper(void **state)
{
	/* mov %rdi,%rax; syscall; cmp $-4095,%rax; jae */
	static const u8 code[] = { PROLOGUE, 0x48, 0x89, 0xf8, 0x0f, 0x05, 0x48, 0x3d,
				   0x01,     0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3 };
	struct pv_site site = find(code, sizeof(code));

	assert_int_equal(site.kind, PV_SITE_TAIL);
	assert_int_equal(code[site.patch_off], 0x0f);
	assert_int_equal(site.patch_len, 8);
}

static void tail_that_is_jumped_into(void **state)
{
	/* as above, with a `jmp` from before to the cmp */
	static const u8 code[] = { PROLOGUE, 0xeb, 0x05, 0x48, 0x89, 0xf8, 0x0f, 0x05, 0x48,
				   0x3d,     0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3 };

	assert_int_equal(find(code, sizeof(code)).kind, PV_SITE_NONE);
}

static void tail_that_cannot_move(void **state)
{
	/* syscall; ret / syscall; lea 0x10(%rip),%rdx */
	static const u8 ret[] = { PROLOGUE, 0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90 };
	static const u8 lea[] = { PROLOGUE, 0x0f, 0x05, 0x48, 0x8d, 0x15, 0x10, 0, 0, 0, 0xc3 };

	assert_int_equal(find(ret, sizeof(ret)).kind, PV_SITE_NONE);
	assert_int_equal(find(lea, sizeof(lea)).kind, PV_SITE_NONE);
}

static void not_a_syscall(void **state)
{
	static const u8 code[] = { 0x90, 0x90, 0x90 };
	struct pv_site site;

	for (size_t at = 0; at < 5; at++) {
		site_find(code, sizeof(code), at, &site);
		assert_int_equal(site.kind, PV_SITE_NONE);
	}
}

static void any_bytes_will_do(void **state)
{
	unsigned int seed = 7;

	for (int i = 0; i < 3000; i++) {
		size_t len = 2 + rand_r(&seed) % 200, at = rand_r(&seed) % (len - 1);
		struct pv_site site;
		u8 *code = malloc(len);

		for (size_t b = 0; b < len; b++)
			code[b] = rand_r(&seed);
		code[at] = 0x0f;
		code[at + 1] = 0x05;
		site_find(code, len, at, &site);
		if (site.kind != PV_SITE_NONE) {
			assert_true(site.patch_off + site.patch_len <= len);
			assert_true(site.patch_len >= (site.hole ? 2 : 5));
			assert_true(!site.hole || (site.hole_len >= 5 && site.hole_len < 20));
			assert_true(!site.hole || site.hole + site.hole_len <= len);
			assert_true(site.kind != PV_SITE_PREV || site.nr == ~0u || site.nr + 4 <= site.patch_len);
		}
		free(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mov_before_syscall),
		cmocka_unit_test(mov_to_another_register),
		cmocka_unit_test(number_is_the_tail_of_another_instruction),
		cmocka_unit_test(number_too_large),
		cmocka_unit_test(no_evidence),
		cmocka_unit_test(short_instruction_with_a_hole),
		cmocka_unit_test(behind_a_hole_in_use),
		cmocka_unit_test(mov_in_the_middle_of_another),
		cmocka_unit_test(long_instruction_needs_no_hole),
		cmocka_unit_test(address_relative_to_rip),
		cmocka_unit_test(call_relative_to_rip),
		cmocka_unit_test(entry_of_a_function_is_no_hole),
		cmocka_unit_test(nops_that_are_run_are_no_hole),
		cmocka_unit_test(tail_of_generic_wrapper),
		cmocka_unit_test(tail_that_is_jumped_into),
		cmocka_unit_test(tail_that_cannot_move),
		cmocka_unit_test(not_a_syscall),
		cmocka_unit_test(any_bytes_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
