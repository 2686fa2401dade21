/* SPDX-License-Identifier: Apache-2.0 */
/* Parsers of executable files: pure functions, also on hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/elf.h>
#include <linux/mman.h>

#include "elf.h"
#include "harness.h"
#include "layout.h"

struct file_image {
	Elf64_Ehdr h;
	Elf64_Phdr p[4];
	char interp[32];
};

static struct file_image good(void)
{
	struct file_image f = {
		.h = {.e_type = ET_DYN,
		      .e_machine = EM_X86_64,
		      .e_entry = 0x1040,
		      .e_phoff = sizeof(Elf64_Ehdr),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 4},
		.p = {{.p_type = PT_LOAD,
		       .p_flags = PF_R | PF_X,
		       .p_filesz = 0x1800,
		       .p_memsz = 0x1800,
		       .p_align = 0x1000},
		      {.p_type = PT_LOAD,
		       .p_flags = PF_R | PF_W,
		       .p_offset = 0x1e00,
		       .p_vaddr = 0x2e00,
		       .p_filesz = 0x300,
		       .p_memsz = 0x1400,
		       .p_align = 0x1000},
		      {.p_type = PT_INTERP,
		       .p_offset = offsetof(struct file_image, interp),
		       .p_filesz = 17},
		      {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W}},
		.interp = "/lib/ld-linux.so",
	};

	memcpy(f.h.e_ident, ELFMAG, SELFMAG);
	f.h.e_ident[EI_CLASS] = ELFCLASS64;
	f.h.e_ident[EI_DATA] = ELFDATA2LSB;
	f.h.e_ident[EI_VERSION] = 1;
	return f;
}

static void elf_good(void **state)
{
	struct file_image f = good();
	struct elf_image e;

	assert_int_equal(elf_parse(&f, sizeof(f), &e), 0);
	assert_true(e.pie && !e.exec_stack);
	assert_int_equal(e.entry, 0x1040);
	assert_int_equal(e.nloads, 2);
	assert_int_equal(e.low, 0);
	assert_int_equal(e.high, 0x5000);
	assert_int_equal(e.phdr_vaddr, 64);
	assert_int_equal(e.interp_len, 17);
	assert_int_equal(e.interp_off, offsetof(struct file_image, interp));
	assert_int_equal(e.loads[0].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(e.loads[1].prot, PROT_READ | PROT_WRITE);
	assert_int_equal(e.align, 0x1000);
}

static void elf_truncated(void **state)
{
	struct file_image f = good();
	struct elf_image e;

	for (size_t n = 0; n < sizeof(Elf64_Ehdr); n++)
		assert_int_equal(elf_parse(&f, n, &e), -ENOEXEC);
	for (size_t n = sizeof(Elf64_Ehdr); n < offsetof(struct file_image, interp); n++)
		assert_int_equal(elf_parse(&f, n, &e), -ERANGE);
	assert_int_equal(elf_parse(&f, offsetof(struct file_image, interp), &e), 0);
}

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct file_image f = good();                                                      \
		struct elf_image e;                                                                \
		f.change;                                                                          \
		if (elf_parse(&f, sizeof(f), &e) != -ENOEXEC)                                      \
			fail_msg("accepted: %s", #change);                                         \
	} while (0)

static void elf_refused(void **state)
{
	REFUSED(h.e_ident[0] = 'x');
	REFUSED(h.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(h.e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED(h.e_machine = EM_386);
	REFUSED(h.e_type = ET_REL);
	REFUSED(h.e_type = ET_CORE);
	REFUSED(h.e_phentsize = 32);
	REFUSED(h.e_phnum = 0);
	REFUSED(h.e_phnum = 0xffff);
	REFUSED(h.e_phoff = ~0ULL);
	REFUSED(h.e_type = ET_EXEC); /* at address 0 */
	REFUSED(p[0].p_filesz = 0x1801);
	REFUSED(p[0].p_memsz = ~0ULL);
	REFUSED(p[1].p_vaddr = ~0xfffULL + 0xe00);
	REFUSED(p[1].p_vaddr = USER_END + 0xe00);
	REFUSED(p[1].p_vaddr = USER_END - 0x200);
	REFUSED(p[1].p_vaddr = 0x2e01);
	REFUSED(p[1].p_offset = ~0ULL - 0x1ff);
	REFUSED(p[2].p_filesz = 1);
	REFUSED(p[2].p_filesz = 1 << 20);
	REFUSED(p[2].p_offset = ~0ULL);
}

static void elf_many_segments(void **state)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[ELF_MAX_LOADS + 1];
	} f = {.h = good().h};
	struct elf_image e;

	for (int i = 0; i <= ELF_MAX_LOADS; i++)
		f.p[i] = (Elf64_Phdr){
			.p_type = PT_LOAD, .p_vaddr = (u64)i * 0x1000, .p_memsz = 0x1000};
	f.h.e_phnum = ELF_MAX_LOADS;
	assert_int_equal(elf_parse(&f, sizeof(f), &e), 0);
	f.h.e_phnum = ELF_MAX_LOADS + 1;
	assert_int_equal(elf_parse(&f, sizeof(f), &e), -ENOEXEC);
}

/* What is accepted makes sense, whatever the input was. */
static void elf_sane(const struct elf_image *e)
{
	assert_true(e->nloads && e->nloads <= ELF_MAX_LOADS);
	assert_true(e->low < e->high && e->high <= USER_END);
	assert_true(e->align && !(e->align & (e->align - 1)));
	for (u32 i = 0; i < e->nloads; i++) {
		const struct elf_load *l = &e->loads[i];

		assert_true(l->filesz <= l->memsz && l->vaddr >= e->low);
		assert_true(l->vaddr + l->memsz <= e->high && !((l->vaddr ^ l->off) & 4095));
		assert_true(!(l->prot & ~7u));
	}
}

static void elf_hostile(void **state)
{
	static const u8 interesting[] = {0, 1, 2, 0x7f, 0x80, 0xff};
	struct elf_image e;
	u32 seed = 1, accepted = 0;

	for (int i = 0; i < 200000; i++) {
		struct file_image f = good();
		u8 *bytes = (u8 *)&f;

		for (int n = 0; n < 1 + i % 4; n++) {
			seed = seed * 1664525 + 1013904223;
			bytes[(seed >> 8) % sizeof(f)] =
				seed & 128 ? interesting[(seed >> 20) % sizeof(interesting)]
					   : (u8)(seed >> 24);
		}
		if (elf_parse(&f, sizeof(f), &e) == 0) {
			elf_sane(&e);
			accepted++;
		}
	}
	assert_true(accepted > 1000);
}

static void script(const char *line, size_t len, int ret, const char *interp, const char *arg)
{
	char buf[SCRIPT_LINE + 64] = {0}, *i, *a;

	memcpy(buf, line, len);
	assert_int_equal(script_parse(buf, len, &i, &a), ret);
	if (ret)
		return;
	assert_string_equal(i, interp);
	if (arg)
		assert_string_equal(a, arg);
	else
		assert_null(a);
}

static void scripts(void **state)
{
	char longest[SCRIPT_LINE + 1];

#define SCRIPT(line, ...) script(line, strlen(line), __VA_ARGS__)
	SCRIPT("#!/bin/sh\nrest", 0, "/bin/sh", NULL);
	SCRIPT("#! /bin/sh\n", 0, "/bin/sh", NULL);
	SCRIPT("#!\t/bin/sh  \t\n", 0, "/bin/sh", NULL);
	SCRIPT("#!/bin/sh -e\n", 0, "/bin/sh", "-e");
	SCRIPT("#!/bin/sh   -e  -x \n", 0, "/bin/sh", "-e  -x");
	SCRIPT("#!/bin/sh", 0, "/bin/sh", NULL);
	SCRIPT("#!\n/bin/sh", -ENOEXEC, NULL, NULL);
	SCRIPT("#!   \n", -ENOEXEC, NULL, NULL);
	SCRIPT("#!", -ENOEXEC, NULL, NULL);
	SCRIPT("#", -ENOEXEC, NULL, NULL);
	SCRIPT("", -ENOEXEC, NULL, NULL);
	SCRIPT("/bin/sh\n", -ENOEXEC, NULL, NULL);
	/* A name that may go on is refused; an argument is cut. */
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "#!/", 3);
	script(longest, sizeof(longest), -ENOEXEC, NULL, NULL);
	longest[10] = ' ';
	script(longest, 20, 0, "/xxxxxxx", "xxxxxxxxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_good),    cmocka_unit_test(elf_truncated),
		cmocka_unit_test(elf_refused), cmocka_unit_test(elf_many_segments),
		cmocka_unit_test(elf_hostile), cmocka_unit_test(scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
