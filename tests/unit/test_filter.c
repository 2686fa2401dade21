/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated seccomp filter, run in an interpreter, against a description of what it should
 * allow that was written by hand and shares nothing with abi/hypercalls.def: numbers,
 * flags and bounds are literal here on purpose.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "bpf_machine.h"
#include "vm/filter.h"

#define BLOCK 0x7ff0f0001000ull
#define USER_END 0x7eef00000000ull
#define MAX_LEN 0x100ffffffffull /* 1 TiB, and the rest of those 4 GiB */
#define LAST_NR 600
#define X32 0x40000000
#define MAX_ENTRIES 32

#define ALLOW SECCOMP_RET_ALLOW
#define TRAP SECCOMP_RET_TRAP
#define REPORT SECCOMP_RET_USER_NOTIF

static struct sock_filter program[FILTER_MAX];
static int length;

/* ---- what should be allowed ---- */

typedef uint64_t args_t[6];

static bool donated(uint64_t fd)
{
	int32_t n = (int32_t)fd;

	return n >= 64;
}

static bool in_user(uint64_t addr, uint64_t len)
{
	return addr < USER_END && len <= MAX_LEN;
}

static bool mmap_allowed(const uint64_t *a)
{
	uint32_t prot = (uint32_t)a[2], flags = (uint32_t)a[3];
	bool window = a[0] >= 0x7ff100000000 && a[0] <= 0x7ff1ffffffff && a[1] <= 0xffffffff && !(prot & ~3u);

	if (window && flags == 0x11) /* FIXED SHARED, of the VM's memory or its ring */
		return (int32_t)a[4] == 4 || (int32_t)a[4] == 5;
	if (window)
		return flags == 0x4032; /* FIXED PRIVATE ANONYMOUS NORESERVE */
	/* SHARED PRIVATE FIXED ANONYMOUS LOCKED NORESERVE POPULATE */
	if (!in_user(a[0], a[1]) || flags & ~0xe033u || !(flags & 0x10))
		return false;
	return (flags & 0x20) || donated(a[4]);
}

static bool mremap_allowed(const uint64_t *a)
{
	uint32_t flags = (uint32_t)a[3];

	if (!in_user(a[0], a[1]) || !in_user(0, a[2]))
		return false;
	if (flags == 0)
		return true; /* grows in place, below the limit */
	return (flags == 3 || flags == 7) && a[4] < USER_END;
}

static bool clone_allowed(uint64_t flags)
{
	return flags == 0x150f00 || flags == 0x108000 || flags == 0x108500 || flags == 0x100011;
}

static bool memory_allowed(long nr, const uint64_t *a)
{
	switch (nr) {
	case 9:
		return mmap_allowed(a);
	case 10: /* mprotect */
		return in_user(a[0], a[1]) && !((uint32_t)a[2] & ~7u);
	case 11: /* munmap; the second is the whole user half at once */
		return in_user(a[0], a[1]) || (a[0] == 0x10000 && a[1] == USER_END - 0x10000);
	case 25:
		return mremap_allowed(a);
	case 28: /* madvise */
		return in_user(a[0], a[1]);
	}
	return false;
}

static bool data_allowed(long nr, const uint64_t *a)
{
	switch (nr) {
	case 0: /* read */
	case 1: /* write */
	case 5: /* fstat */
	case 8: /* lseek */
	case 17: /* pread64 */
	case 18: /* pwrite64 */
	case 45: /* recvfrom */
	case 441: /* epoll_pwait2 */
	case 327: /* preadv2 */
	case 328: /* pwritev2 */
		return donated(a[0]);
	case 44: /* sendto */
		return donated(a[0]) && a[4] == 0;
	case 47: /* recvmsg: the donation channel only */
		return (int32_t)a[0] == 6;
	case 233: /* epoll_ctl */
		return donated(a[0]) && donated(a[2]);
	case 271: /* ppoll */
		return true;
	case 292: /* dup3 */
		return donated(a[1]);
	case 3: /* close: negative numbers are no descriptors */
		return (int32_t)a[0] > 6 || (int32_t)a[0] < 0;
	}
	return false;
}

static bool process_allowed(long nr, const uint64_t *a)
{
	switch (nr) {
	case 13: /* rt_sigaction */
	case 15: /* rt_sigreturn */
	case 60: /* exit */
	case 61: /* wait4 */
	case 131: /* sigaltstack */
	case 219: /* restart_syscall */
	case 228: /* clock_gettime */
		return true;
	case 56:
		return clone_allowed(a[0]);
	case 202: /* futex */
		return (uint32_t)a[1] == 0 || (uint32_t)a[1] == 1 || (uint32_t)a[1] == 9;
	case 234: /* tgkill */
		return (uint32_t)a[2] == 12;
	case 322: /* execveat: the guest kernel's image, by an empty path in its own text */
		return (uint32_t)a[0] == 3 && a[1] == 0x7ff0f0000000 && (uint32_t)a[4] == 0x1000;
	}
	return false;
}

static bool expected(long nr, const uint64_t *a)
{
	return memory_allowed(nr, a) || data_allowed(nr, a) || process_allowed(nr, a);
}

/* ---- one call ---- */

static uint64_t allowed_count[LAST_NR + 1];

static uint32_t verdict(uint32_t arch, uint64_t ip, long nr, const uint64_t *a)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = arch, .instruction_pointer = ip };

	memcpy(d.args, a, sizeof(d.args));
	return bpf_machine_run(program, length, &d);
}

static void check(long nr, const uint64_t *a)
{
	bool allow = expected(nr, a);
	uint32_t got = verdict(AUDIT_ARCH_X86_64, BLOCK + 2, nr, a);

	if (got != (allow ? ALLOW : REPORT))
		fail_msg("call %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx): %s expected, got %#x", nr, a[0], a[1],
			 a[2], a[3], a[4], a[5], allow ? "allow" : "report", got);
	if (nr >= 0 && nr <= LAST_NR)
		allowed_count[nr] += allow;
}

/* ---- arguments ---- */

static const uint64_t values[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 63, 64, 65, 0x7fffffff, 0x80000000, 0xffffffc0,
	0xffffffff, 0x100000000, 0x100000003, 0x100000040, ~0ull, ~0ull - 99 /* AT_FDCWD */,
	/* flags of mmap, mremap, clone, execveat */
	0x10, 0x11, 0x12, 0x21, 0x22, 0x30, 0x31, 0x32, 0x33, 0x100, 0x110, 0x400, 0x1000, 0x1100, 0x4022, 0x4032,
	0x8032, 0x40032, 0x100032, 0x150f00, 0x108000, 0x108500, 0x100011, 0x3d0f00, 0x10000011,
	/* futex: private, realtime */
	0x80, 0x81, 0x89, 0x109,
	/* lengths and addresses on both sides of each bound */
	0x10000, 0x10000000000, MAX_LEN, MAX_LEN + 1, USER_END - 0x10000, USER_END - 1, USER_END, USER_END + 0x1000,
	0x7ff0f0000000, 0x7ff0f0000001, 0x7ff0f0001000, 0x7ff0ffffffff, 0x7ff100000000, 0x7ff190000000,
	0x7ff1a0000000, 0x7ff1b0000000, 0x7ff1ffffffff, 0x7ff200000000, 0x7ffff7fc0000, 0xffffffffff600000,
	0x8000000000000000,
};
#define VALUES (sizeof(values) / sizeof(values[0]))

/* At least one allowed call of each entry: what follows departs from these. */
static const struct {
	long nr;
	args_t a;
} good[] = {
	{ 0, { 64 } }, { 1, { 1000 } }, { 3, { 7 } }, { 5, { 64 } }, { 8, { 64 } }, { 17, { 64 } }, { 18, { 64 } },
	{ 9, { 0x10000, 0x1000, 7, 0x32, ~0ull, 0 } },
	{ 9, { 0x10000, MAX_LEN, 5, 0x12, 64, 0 } },
	{ 9, { 0x400000, 0x1000, 3, 0xe011, 0x8003f, 0 } },
	{ 9, { 0x7ff110000000, 0xa0000000, 3, 0x11, 4, 0 } },
	{ 9, { 0x7ff100000000, 0xc00000, 3, 0x11, 5, 0 } },
	{ 9, { 0x7ff10f000000, 0x800000, 3, 0x4032, ~0ull, 0 } },
	{ 10, { 0x10000, 0x1000, 7 } }, { 11, { 0x10000, 0x1000 } }, { 11, { 0x10000, USER_END - 0x10000 } },
	{ 13, { 12, 0x7ff10f000000, 0, 8 } }, { 15, { 0 } },
	{ 25, { 0x10000, 0x1000, 0x2000, 3, 0x40000 } }, { 25, { 0x10000, 0x1000, 0x2000, 7, 0x40000 } },
	{ 25, { 0x10000, 0x1000, 0x2000, 0, 0 } },
	{ 28, { 0x10000, 0x1000, 4 } },
	{ 44, { 64, 0x10000, 1, 0x40, 0, 0 } }, { 45, { 64 } }, { 47, { 6 } },
	{ 56, { 0x150f00 } }, { 56, { 0x108000 } }, { 56, { 0x108500 } }, { 56, { 0x100011 } },
	{ 60, { 0 } }, { 61, { ~0ull } }, { 131, { 0 } },
	{ 202, { 0x7ff100000000, 0, 1 } }, { 202, { 0x7ff100000000, 1, 1 } }, { 202, { 0x7ff100000000, 9, 1 } },
	{ 219, { 0 } }, { 228, { 1 } }, { 233, { 64, 1, 65, 0 } }, { 234, { 2, 2, 12 } }, { 271, { 0 } },
	{ 441, { 64 } }, { 292, { 9, 64, 0 } }, { 322, { 3, 0x7ff0f0000000, 0, 0, 0x1000 } }, { 327, { 64 } },
	{ 328, { 64 } },
};
#define GOOD (sizeof(good) / sizeof(good[0]))

/* ---- tests ---- */

static void test_size(void **state)
{
	assert_in_range(length, 1, FILTER_MAX);
	assert_in_range(filter_table_size(), 1, MAX_ENTRIES);
	assert_int_equal(filter_build(program, (size_t)length - 1), -E2BIG);
	length = filter_build(program, FILTER_MAX);
}

static void test_names(void **state)
{
	assert_string_equal(filter_call_name(SYS_mmap), "mmap");
	assert_string_equal(filter_call_name(SYS_execveat), "execveat");
	assert_null(filter_call_name(SYS_openat));
	assert_null(filter_call_name(-1));
}

/* The host refuses a program with a jump out of itself: better to know before it does. */
static void test_jumps(void **state)
{
	for (int pc = 0; pc < length; pc++) {
		const struct sock_filter *f = &program[pc];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (f->code == (BPF_JMP | BPF_JA)) {
			assert_true(f->k < (uint32_t)(length - pc - 1));
			continue;
		}
		assert_true(pc + 1 + f->jt < length);
		assert_true(pc + 1 + f->jf < length);
	}
}

/* Calls from anywhere else trap, whatever they are: the guest kernel serves them. */
static void test_outside(void **state)
{
	static const uint64_t places[] = {
		0, 2, 0x401000, USER_END - 1, BLOCK - 0x1000, BLOCK - 1, BLOCK + 0x100, BLOCK + 0x102, BLOCK + 0x1000,
		BLOCK & 0xffffffff, BLOCK + 0x100000000, BLOCK - 0x100000000, BLOCK | 1ull << 63, 0x7ff1f0001002,
		0x7ffff7fc1000, 0xffffffffff600002, ~0ull,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (long nr = -1; nr <= LAST_NR; nr++)
			assert_int_equal(verdict(AUDIT_ARCH_X86_64, places[i], nr, (args_t){ 64, 1, 2, 3, 0, 5 }), TRAP);
		for (size_t g = 0; g < GOOD; g++)
			assert_int_equal(verdict(AUDIT_ARCH_X86_64, places[i], good[g].nr, good[g].a), TRAP);
	}
}

static void test_whole_block(void **state)
{
	for (uint64_t ip = BLOCK; ip < BLOCK + 0x100; ip++)
		assert_int_equal(verdict(AUDIT_ARCH_X86_64, ip, 60, (args_t){ 0 }), ALLOW);
}

/* Numbers mean other calls there: i386's 60 is umask, x32's bit selects other entry points. */
static void test_other_abis(void **state)
{
	for (long nr = 0; nr <= LAST_NR; nr++) {
		const args_t a = { 64, 1, 2, 3, 0, 5 };

		assert_int_equal(verdict(AUDIT_ARCH_I386, BLOCK + 2, nr, a), TRAP);
		assert_int_equal(verdict(AUDIT_ARCH_X86_64, BLOCK + 2, nr | X32, a), REPORT);
	}
	for (size_t g = 0; g < GOOD; g++) {
		assert_int_equal(verdict(AUDIT_ARCH_I386, BLOCK + 2, good[g].nr, good[g].a), TRAP);
		assert_int_equal(verdict(AUDIT_ARCH_X86_64, BLOCK + 2, good[g].nr | X32, good[g].a), REPORT);
		assert_int_equal(verdict(AUDIT_ARCH_X86_64, BLOCK + 2, (int)(good[g].nr | 1u << 31), good[g].a), REPORT);
	}
	assert_int_equal(verdict(AUDIT_ARCH_X86_64, BLOCK + 2, -1, (args_t){ 0 }), REPORT);
}

static void test_good_calls(void **state)
{
	for (size_t g = 0; g < GOOD; g++) {
		assert_true(expected(good[g].nr, good[g].a));
		check(good[g].nr, good[g].a);
	}
}

/* Every allowed call with one bit of one argument turned. */
static void test_one_bit_off(void **state)
{
	for (size_t g = 0; g < GOOD; g++) {
		for (int bit = 0; bit < 6 * 64; bit++) {
			args_t a;

			memcpy(a, good[g].a, sizeof(a));
			a[bit / 64] ^= 1ull << bit % 64;
			check(good[g].nr, a);
		}
	}
}

/* ... and with one or two arguments replaced by a notable value. */
static void test_replaced_arguments(void **state)
{
	for (size_t g = 0; g < GOOD; g++) {
		for (size_t i = 0; i < 36 * VALUES * VALUES; i++) {
			args_t a;

			memcpy(a, good[g].a, sizeof(a));
			a[i % 6] = values[i / 36 % VALUES];
			a[i / 6 % 6] = values[i / 36 / VALUES];
			check(good[g].nr, a);
		}
	}
}

/* Any number with any notable values, in a fixed sequence. */
static void test_every_number(void **state)
{
	uint64_t seed = 1;

	for (long nr = 0; nr <= LAST_NR; nr++) {
		for (int n = 0; n < 2000; n++) {
			args_t a;

			for (int i = 0; i < 6; i++) {
				seed = seed * 6364136223846793005ull + 1442695040888963407ull;
				a[i] = values[(seed >> 33) % VALUES];
			}
			check(nr, a);
		}
	}
}

struct hostile {
	const char *what;
	long nr;
	args_t a;
};

static const struct hostile attacks[] = {
	{ "mmap of the image's descriptor", 9, { 0x10000, 0x1000, 1, 0x11, 3, 0 } },
	{ "mmap of the VM's memory in the user half", 9, { 0x10000, 0x1000, 3, 0x11, 4, 0 } },
	{ "mmap of the last undonated descriptor", 9, { 0x10000, 0x1000, 1, 0x12, 63, 0 } },
	{ "mmap of no descriptor and not anonymous", 9, { 0x10000, 0x1000, 3, 0x12, ~0ull, 0 } },
	{ "mmap where the host likes", 9, { 0, 0x1000, 3, 0x22, ~0ull, 0 } },
	{ "mmap with a hint", 9, { 0x10000, 0x1000, 3, 0x22, ~0ull, 0 } },
	{ "mmap over the kernel's text", 9, { 0x7ff0f0000000, 0x1000, 7, 0x32, ~0ull, 0 } },
	{ "mmap over the hostcall block", 9, { BLOCK, 0x1000, 5, 0x12, 64, 0 } },
	{ "mmap of executable memory in the kernel's window", 9, { 0x7ff1b0000000, 0x1000, 7, 0x4032, ~0ull, 0 } },
	{ "mmap of a donated file in the kernel's window", 9, { 0x7ff1b0000000, 0x1000, 3, 0x11, 64, 0 } },
	{ "mmap of the image in the kernel's window", 9, { 0x7ff1b0000000, 0x1000, 1, 0x11, 3, 0 } },
	{ "mmap that reaches the kernel", 9, { USER_END - 0x1000, 0x20000000000, 3, 0x32, ~0ull, 0 } },
	{ "mmap that begins in the window and leaves it far", 9, { 0x7ff100000000, 0x100000000, 3, 0x4032, ~0ull, 0 } },
	{ "mmap of a stack that grows", 9, { 0x10000, 0x1000, 3, 0x132, ~0ull, 0 } },
	{ "mmap of huge pages", 9, { 0x10000, 0x200000, 3, 0x40032, ~0ull, 0 } },
	{ "mmap over the vdso", 9, { 0x7ffff7fc0000, 0x1000, 7, 0x32, ~0ull, 0 } },
	{ "munmap of the kernel's text", 11, { 0x7ff0f0000000, 0x1000 } },
	{ "munmap that reaches the kernel", 11, { 0x10000, 0x7ff000000000 } },
	{ "munmap of nearly the user half", 11, { 0x11000, USER_END - 0x10000 } },
	{ "mprotect of the kernel's text", 10, { 0x7ff0f0000000, 0x1000, 7 } },
	{ "mprotect of the window", 10, { 0x7ff100000000, 0x1000, 7 } },
	{ "mprotect that grows down", 10, { 0x10000, 0x1000, 0x1000003 } },
	{ "mremap of the kernel's text", 25, { 0x7ff0f0000000, 0x1000, 0x1000, 3, 0x10000 } },
	{ "mremap onto the kernel's text", 25, { 0x10000, 0x1000, 0x1000, 3, 0x7ff0f0000000 } },
	{ "mremap where the host likes", 25, { 0x10000, 0x1000, 0x2000, 1, 0 } },
	{ "mremap to a length that reaches the kernel", 25, { 0x10000, 0x1000, 0x7ff000000000, 0, 0 } },
	{ "madvise of the window", 28, { 0x7ff100000000, 0x1000, 9 } },
	{ "clone in a new user namespace", 56, { 0x10108000 } },
	{ "clone with a traced child", 56, { 0x102000 | 0x108000 } },
	{ "clone untraced", 56, { 0x808000 | 0x100000 } },
	{ "clone with a pidfd", 56, { 0x109000 } },
	{ "clone with TLS", 56, { 0x1d0f00 } },
	{ "fork", 57, { 0 } },
	{ "vfork", 58, { 0 } },
	{ "clone3", 435, { 0x10000, 88 } },
	{ "requeue of futexes", 202, { 0x10000, 3, 1, 1, 0x20000 } },
	{ "futex with priority inheritance", 202, { 0x10000, 6 } },
	{ "wake and operate", 202, { 0x10000, 5, 1, 1, 0x20000, 0 } },
	{ "sendto an address", 44, { 64, 0x10000, 1, 0, 0x20000, 16 } },
	{ "sendto on the donation channel", 44, { 6, 0x10000, 1, 0, 0, 0 } },
	{ "sendto an address in the upper half", 44, { 64, 0x10000, 1, 0, 0x7ff100000000, 16 } },
	{ "sendmsg", 46, { 64, 0x10000, 0 } },
	{ "execveat of another descriptor", 322, { 64, 0x7ff0f0000000, 0, 0, 0x1000 } },
	{ "execveat of a path", 322, { 3, 0x10000, 0, 0, 0x1000 } },
	{ "execveat of a path in writable memory", 322, { 3, 0x7ff100000000, 0, 0, 0x1000 } },
	{ "execveat without AT_EMPTY_PATH", 322, { 3, 0x7ff0f0000000, 0, 0, 0 } },
	{ "execve", 59, { 0x10000, 0, 0 } },
	{ "close of the image", 3, { 3 } },
	{ "close of the VM's memory", 3, { 4 } },
	{ "close of the ring", 3, { 5 } },
	{ "close of the donation channel", 3, { 6 } },
	{ "dup3 over the image", 292, { 64, 3, 0 } },
	{ "dup3 over the donation channel", 292, { 64, 6, 0 } },
	{ "dup3 below the donated", 292, { 64, 63, 0 } },
	{ "dup2", 33, { 64, 3 } },
	{ "read from the VM's memory object", 0, { 4, 0x10000, 16 } },
	{ "write to stdout's place", 1, { 1, 0x10000, 16 } },
	{ "SIGKILL", 234, { 1, 1, 9 } },
	{ "SIGSTOP", 234, { 2, 2, 19 } },
	{ "signal 0", 234, { 2, 2, 0 } },
	{ "kill", 62, { ~0ull, 9 } },
	{ "tkill", 200, { 1, 12 } },
	{ "rt_tgsigqueueinfo", 297, { 1, 1, 12, 0x10000 } },
	{ "epoll_ctl of a foreign descriptor", 233, { 64, 1, 6, 0x10000 } },
	{ "exit_group", 231, { 0 } },
};

/* By name: what an attacker would try first; and whole calls that no argument makes good. */
static void test_hostile(void **state)
{
	static const long never[] = {
		2 /* open */, 16 /* ioctl */, 29 /* shmget */, 41 /* socket */, 42 /* connect */, 43, 49 /* bind */, 50, 53,
		72 /* fcntl */, 80 /* chdir */, 81 /* fchdir */, 101 /* ptrace */, 105 /* setuid */, 157 /* prctl */,
		158 /* arch_prctl */, 161 /* chroot */, 165 /* mount */, 169 /* reboot */, 175, 186, 246 /* kexec_load */,
		248 /* add_key */, 257 /* openat */, 272 /* unshare */, 298 /* perf_event_open */, 302 /* prlimit64 */,
		308 /* setns */, 310, 311 /* process_vm_* */, 312 /* kcmp */, 317 /* seccomp */, 319 /* memfd_create */,
		321 /* bpf */, 323 /* userfaultfd */, 329 /* pkey_mprotect */, 424 /* pidfd_send_signal */,
		425, 426, 427 /* io_uring_* */, 434 /* pidfd_open */, 435 /* clone3 */, 436, 437 /* openat2 */,
		438 /* pidfd_getfd */, 440 /* process_madvise */, 462 /* mseal */,
	};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (verdict(AUDIT_ARCH_X86_64, BLOCK + 2, attacks[i].nr, attacks[i].a) != REPORT)
			fail_msg("%s passes", attacks[i].what);
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_null(filter_call_name((int)never[i]));
}

/* The tests above would mean little if they had not found each entry's good side. */
static void test_coverage(void **state)
{
	unsigned int entries = 0;

	for (int nr = 0; nr <= LAST_NR; nr++) {
		assert_int_equal(allowed_count[nr] > 0, filter_call_name(nr) != NULL);
		entries += allowed_count[nr] > 0;
	}
	assert_int_equal(entries, filter_table_size());
}

static int setup(void **state)
{
	length = filter_build(program, FILTER_MAX);
	return length > 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_whole_block),
		cmocka_unit_test(test_other_abis),
		cmocka_unit_test(test_good_calls),
		cmocka_unit_test(test_one_bit_off),
		cmocka_unit_test(test_replaced_arguments),
		cmocka_unit_test(test_every_number),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_coverage),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
