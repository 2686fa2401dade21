/* SPDX-License-Identifier: Apache-2.0 */
/* execve end to end: what the new program finds in memory, on its stack and in its registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "fs.h"
#include "harness.h"
#include "mm.h"
#include "task.h"

/* ---- files ---- */

#define TEXT	  0x400000ULL
#define DATA	  0x402f00ULL
#define DATA_SIZE 0x80
#define BSS_SIZE  0x3000

/* Page 0: headers and code. Page 1 from 0xf00: data. */
struct program {
	Elf64_Ehdr h;
	Elf64_Phdr p[4];
	char interp[32];
	u8 pad[0x2000 - sizeof(Elf64_Ehdr) - 4 * sizeof(Elf64_Phdr) - 32];
};

static struct program program(u16 type, u64 base, const char *interp)
{
	struct program f = {
		.h = {.e_type = type,
		      .e_machine = EM_X86_64,
		      .e_entry = base + 0x500,
		      .e_phoff = sizeof(Elf64_Ehdr),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = interp ? 3 : 2},
		.p = {{.p_type = PT_LOAD,
		       .p_flags = PF_R | PF_X,
		       .p_vaddr = base,
		       .p_filesz = 0x1000,
		       .p_memsz = 0x1000,
		       .p_align = 0x1000},
		      {.p_type = PT_LOAD,
		       .p_flags = PF_R | PF_W,
		       .p_offset = 0x1f00,
		       .p_vaddr = base + 0x2f00,
		       .p_filesz = DATA_SIZE,
		       .p_memsz = DATA_SIZE + BSS_SIZE,
		       .p_align = 0x1000},
		      {.p_type = PT_INTERP, .p_offset = offsetof(struct program, interp)}},
	};

	memcpy(f.h.e_ident, ELFMAG, SELFMAG);
	f.h.e_ident[EI_CLASS] = ELFCLASS64;
	f.h.e_ident[EI_DATA] = ELFDATA2LSB;
	memset((u8 *)&f + 0x1f00, 0xdd, 0x100);
	if (interp) {
		strlcpy(f.interp, interp, sizeof(f.interp));
		f.p[2].p_filesz = strlen(interp) + 1;
	}
	return f;
}

static void put_program(const char *name, u16 type, u64 base, const char *interp)
{
	struct program f = program(type, base, interp);

	host_file(name, &f, sizeof(f), 0755);
}

static void put_text(const char *name, const char *text, u32 mode)
{
	host_file(name, text, strlen(text), mode);
}

static void files(void)
{
	put_program("static", ET_EXEC, TEXT, NULL);
	put_program("pie", ET_DYN, 0, NULL);
	put_program("dynamic", ET_DYN, 0, "/ld.so");
	put_program("ld.so", ET_DYN, 0, NULL);
	put_program("orphan", ET_DYN, 0, "/missing.so");
	put_program("odd", ET_DYN, 0, "/garbage");
	put_text("garbage", "this is not a program", 0755);
	put_text("empty", "", 0755);
	put_text("plain", "#!/static\n", 0644);
	put_text("script", "#!/static -a  b \n", 0755);
	put_text("script2", "#! /script\n", 0755);
	put_text("loop", "#!/loop\n", 0755);
	put_text("lost", "#!/missing\n", 0755);
}

/* ---- calls ---- */

static uaddr_t vector(const char *const *strings)
{
	u64 v[32];
	u32 n = 0;

	for (; strings[n]; n++)
		v[n] = ustr(strings[n]);
	v[n] = 0;
	return uput(v, (n + 1) * sizeof(u64));
}

static long exec(const char *path, const char *const *argv, const char *const *envp)
{
	return sc(__NR_execve, ustr(path), vector(argv), vector(envp));
}

static const char *const some_args[] = {"prog", "one", "", "three", NULL};
static const char *const some_env[] = {"A=1", "PATH=/bin", NULL};
static const char *const nothing[] = {NULL};

/* ---- what the program sees ---- */

static u64 sp(void)
{
	return mc_regs(current)->rsp;
}

/* The auxiliary vector behind argc, arguments and environment. */
static u64 auxv(u64 type)
{
	uaddr_t at = sp();

	at += (1 + peek64(at) + 1) * 8;
	while (peek64(at))
		at += 8;
	for (at += 8; peek64(at); at += 16) {
		if (peek64(at) == type)
			return peek64(at + 8);
	}
	return ~0ULL;
}

static void check_strings(uaddr_t at, const char *const *want)
{
	for (; *want; want++, at += 8) {
		CHECK(peek64(at));
		CHECK(ueq(peek64(at), *want));
		CHECK(!(peek32(peek64(at) + strlen(*want)) & 0xff));
	}
	CHECK_EQ(peek64(at), 0);
}

static void check_registers(u64 rip)
{
	const struct pt_regs *r = mc_regs(current);

	CHECK_EQ(r->rip, rip);
	CHECK_EQ(r->rsp % 16, 0);
	CHECK(!r->rax && !r->rbx && !r->rcx && !r->rdx && !r->rsi && !r->rdi && !r->rbp && !r->r8 &&
	      !r->r15);
	CHECK_EQ(r->cs, 0x33);
	CHECK_EQ(mc_get_fsbase(), 0);
}

static void check_memory(u64 base)
{
	u8 byte;

	CHECK(ueq(base + 1, "ELF"));
	CHECK_EQ(stub_page_prot(base), PROT_READ | PROT_EXEC);
	CHECK_EQ(stub_page_prot(base + 0x2f00), PROT_READ | PROT_WRITE);
	CHECK_EQ(peek32(base + 0x2f00), 0xdddddddd);
	/* The file goes on behind the segment; memory does not show that. */
	for (u64 at = base + 0x2f00 + DATA_SIZE; at < base + 0x3000; at++) {
		peek(at, &byte, 1);
		CHECK_EQ(byte, 0);
	}
	CHECK_EQ(peek32(base + 0x2f00 + DATA_SIZE + BSS_SIZE - 4), 0);
	CHECK_EQ(stub_page_prot(base + 0x1000), -1);
}

static void check_auxv(u64 base, u64 interp)
{
	CHECK_EQ(auxv(AT_PAGESZ), 4096);
	CHECK_EQ(auxv(AT_PHDR), base + sizeof(Elf64_Ehdr));
	CHECK_EQ(auxv(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK_EQ(auxv(AT_ENTRY), base + 0x500);
	CHECK_EQ(auxv(AT_BASE), interp);
	CHECK_EQ(auxv(AT_UID), 0);
	CHECK_EQ(auxv(AT_SECURE), 0);
	CHECK_EQ(auxv(AT_CLKTCK), 100);
	CHECK(ueq(auxv(AT_PLATFORM), "x86_64"));
	CHECK(peek64(auxv(AT_RANDOM)) != peek64(auxv(AT_RANDOM) + 8));
	CHECK(auxv(AT_HWCAP) & 1);
	CHECK_EQ(auxv(27), ~0ULL);
}

/* Between the program and its heap, a page from either, where the random distance is enough for it. */
static void check_trampoline(struct mm *mm)
{
	uaddr_t at = mm_trampoline_page(mm, TEXT + 0x1000);

	CHECK(at && at < TEXT + 0x60000000);
	if (mm->brk_start >= TEXT + 0x6000 + 3 * 4096)
		CHECK_EQ(at, TEXT + 0x6000 + 4096);
}

static int static_image(void *arg)
{
	struct mm *mm = current->mm;

	check_registers(TEXT + 0x500);
	check_memory(TEXT);
	CHECK_EQ(peek64(sp()), 4);
	check_strings(sp() + 8, some_args);
	check_strings(sp() + 8 * 6, some_env);
	check_auxv(TEXT, 0);
	CHECK(ueq(auxv(AT_EXECFN), "/static"));
	CHECK(ueq(mm->arg_start, "prog") && mm->arg_end == mm->env_start);
	CHECK(ueq(mm->env_start, "A=1"));
	CHECK(!strcmp(current->comm, "static"));
	CHECK_EQ(current->proc->cmdline_len, sizeof("prog") + sizeof("one") + 1 + sizeof("three"));
	CHECK(mm->brk_start >= TEXT + 0x6000 && !(mm->brk_start & 4095));
	check_trampoline(mm);
	CHECK_EQ(sc(__NR_brk, mm->brk_start + 100), mm->brk_start + 100);
	poke32(sp() - (4 << 20), 1); /* 8 MiB of stack are there */
	return 17;
}

static int exec_static(void *arg)
{
	stub_next_image(static_image, NULL);
	exec("/static", some_args, some_env);
	return 1;
}

VM_TEST(static_program)
{
	CHECK_EQ(wait_status(fork_run(exec_static, NULL)), 17 << 8);
}

static int pie_image(void *arg)
{
	u64 base = auxv(AT_ENTRY) - 0x500;

	CHECK(base > 0x500000000000 && !(base & 4095));
	check_registers(base + 0x500);
	check_memory(base);
	check_auxv(base, 0);
	return 18;
}

static int exec_pie(void *arg)
{
	stub_next_image(pie_image, NULL);
	exec("/pie", some_args, nothing);
	return 1;
}

static int dynamic_image(void *arg)
{
	u64 base = auxv(AT_ENTRY) - 0x500, interp = auxv(AT_BASE);

	check_registers(interp + 0x500);
	check_memory(base);
	check_memory(interp);
	check_auxv(base, interp);
	CHECK(interp > base);
	return 19;
}

static int exec_dynamic(void *arg)
{
	stub_next_image(dynamic_image, NULL);
	exec("/dynamic", some_args, some_env);
	return 1;
}

VM_TEST(relocated_programs)
{
	CHECK_EQ(wait_status(fork_run(exec_pie, NULL)), 18 << 8);
	CHECK_EQ(wait_status(fork_run(exec_dynamic, NULL)), 19 << 8);
	CHECK_EQ(wait_status(vfork_run(exec_dynamic, NULL)), 19 << 8);
}

static int script_image(void *arg)
{
	static const char *const want[] = {"/static", "-a  b", "/script", "one", "", "three", NULL};

	check_registers(TEXT + 0x500);
	CHECK_EQ(peek64(sp()), 6);
	check_strings(sp() + 8, want);
	CHECK(ueq(auxv(AT_EXECFN), "/script"));
	CHECK(!strcmp(current->comm, "script"));
	return 20;
}

static int exec_script(void *arg)
{
	stub_next_image(script_image, NULL);
	exec("/script", some_args, some_env);
	return 1;
}

static int nested_image(void *arg)
{
	static const char *const want[] = {"/static", "-a  b", "/script", "/script2", NULL};

	CHECK_EQ(peek64(sp()), 4);
	check_strings(sp() + 8, want);
	return 21;
}

static int exec_nested(void *arg)
{
	stub_next_image(nested_image, NULL);
	exec("/script2", nothing, nothing);
	return 1;
}

VM_TEST(script_programs)
{
	CHECK_EQ(wait_status(fork_run(exec_script, NULL)), 20 << 8);
	CHECK_EQ(wait_status(fork_run(exec_nested, NULL)), 21 << 8);
}

VM_TEST(exec_errors)
{
	uaddr_t prog = ustr("/static"), bad = 0x1000, args = vector(some_args);
	u64 wrong[] = {prog, bad, 0};

	CHECK_EQ(exec("/missing", some_args, some_env), -ENOENT);
	CHECK_EQ(exec("/static/x", some_args, some_env), -ENOTDIR);
	CHECK_EQ(exec("/plain", some_args, some_env), -EACCES);
	CHECK_EQ(exec("/tmp", some_args, some_env), -EACCES);
	CHECK_EQ(exec("/garbage", some_args, some_env), -ENOEXEC);
	CHECK_EQ(exec("/empty", some_args, some_env), -ENOEXEC);
	CHECK_EQ(exec("/orphan", some_args, some_env), -ENOENT);
	CHECK_EQ(exec("/odd", some_args, some_env), -ELIBBAD);
	CHECK_EQ(exec("/loop", some_args, some_env), -ELOOP);
	CHECK_EQ(exec("/lost", some_args, some_env), -ENOENT);
	CHECK_EQ(sc(__NR_execve, bad, args, 0), -EFAULT);
	CHECK_EQ(sc(__NR_execve, prog, bad, 0), -EFAULT);
	CHECK_EQ(sc(__NR_execve, prog, uput(wrong, sizeof(wrong)), 0), -EFAULT);
	CHECK_EQ(sc(__NR_execveat, AT_FDCWD, prog, args, 0, 0x10000), -EINVAL);
	CHECK_EQ(sc(__NR_execveat, 77, ustr("static"), args, 0, 0), -EBADF);
}

/* Too much: one string over 128 KiB, all over a quarter of the stack. */
VM_TEST(exec_too_big)
{
	uaddr_t big = ualloc(132 << 10), half;
	u64 v[40];

	for (u32 i = 0; i < 132 << 10; i += 8)
		poke64(big + i, 0x6161616161616161);
	v[0] = big;
	v[1] = 0;
	CHECK_EQ(sc(__NR_execve, ustr("/static"), uput(v, sizeof(v)), 0), -E2BIG);
	half = big + (66 << 10);
	poke(half + (60 << 10), "", 1);
	for (u32 i = 0; i < 39; i++)
		v[i] = half;
	v[39] = 0;
	CHECK_EQ(sc(__NR_execve, ustr("/static"), uput(v, sizeof(v)), 0), -E2BIG);
}

static int many_image(void *arg)
{
	CHECK_EQ(peek64(sp()), 3000);
	CHECK(ueq(peek64(sp() + 8 * 3000), "argument"));
	CHECK_EQ(sp() % 16, 0);
	return 22;
}

static int exec_many(void *arg)
{
	uaddr_t one = ustr("argument"), v = ualloc(3001 * 8 + 4096);

	/* The array ends where memory ends. */
	v = PAGE_ALIGN(v + 3001 * 8) - 3001 * 8;
	CHECK_EQ(sc(__NR_munmap, PAGE_ALIGN(v + 3001 * 8), 4096), 0);
	for (int i = 0; i < 3000; i++)
		poke64(v + i * 8, one);
	stub_next_image(many_image, NULL);
	sc(__NR_execve, ustr("/pie"), v, 0);
	return 1;
}

VM_TEST(exec_many_arguments)
{
	CHECK_EQ(wait_status(fork_run(exec_many, NULL)), 22 << 8);
}

static int kept, lost;

static int files_image(void *arg)
{
	CHECK_EQ(sc(__NR_fcntl, kept, F_GETFD), 0);
	CHECK_EQ(sc(__NR_fcntl, lost, F_GETFD), -EBADF);
	CHECK_EQ(peek64(sp()), 1); /* argv[0] is always there */
	CHECK(ueq(auxv(AT_EXECFN), "/dev/fd/"));
	return 23;
}

static int spin(void *arg)
{
	for (;;)
		sleep_ms(1000);
	return 0;
}

static int exec_files(void *arg)
{
	int fd;

	kept = (int)sc(__NR_openat, AT_FDCWD, ustr("/garbage"), O_RDONLY, 0);
	lost = (int)sc(__NR_openat, AT_FDCWD, ustr("/garbage"), O_RDONLY | O_CLOEXEC, 0);
	fd = (int)sc(__NR_openat, AT_FDCWD, ustr("/static"), O_RDONLY, 0);
	/* Other threads do not survive. */
	CHECK(thread_run(spin, NULL) > 0);
	CHECK(thread_run(spin, NULL) > 0);
	stub_next_image(files_image, NULL);
	sc(__NR_execveat, fd, ustr(""), vector(nothing), 0, AT_EMPTY_PATH);
	return 1;
}

VM_TEST(exec_keeps)
{
	CHECK_EQ(wait_status(fork_run(exec_files, NULL)), 23 << 8);
}

static int exec_in_thread(void *arg)
{
	int pid = (int)sc(__NR_getpid);

	stub_next_image(static_image, NULL);
	CHECK(sc(__NR_gettid) != pid);
	exec("/static", some_args, some_env);
	return 1;
}

static int exec_by_thread(void *arg)
{
	CHECK(thread_run(exec_in_thread, NULL) > 0);
	return spin(NULL);
}

VM_TEST(exec_from_thread)
{
	CHECK_EQ(wait_status(fork_run(exec_by_thread, NULL)), 17 << 8);
}

/* 300 times, so that what is lost each time would show. */
VM_TEST(exec_leaks)
{
	u64 before = 0;

	for (int i = 0; i < 300; i++) {
		if (i == 100)
			before = kheap_bytes();
		CHECK_EQ(wait_status(fork_run(exec_dynamic, NULL)), 19 << 8);
	}
	CHECK(kheap_bytes() <= before + 16 * PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_program),  cmocka_unit_test(relocated_programs),
		cmocka_unit_test(script_programs), cmocka_unit_test(exec_errors),
		cmocka_unit_test(exec_too_big),	   cmocka_unit_test(exec_many_arguments),
		cmocka_unit_test(exec_keeps),	   cmocka_unit_test(exec_from_thread),
		cmocka_unit_test(exec_leaks),
	};

	host_files_on_boot(files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
