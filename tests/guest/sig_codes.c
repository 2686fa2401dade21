/* SPDX-License-Identifier: Apache-2.0 */
/* What siginfo says of faults; the CPU limit; children that nobody waits for. */
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static sigjmp_buf back;
static volatile int got_sig, got_code;
static void *volatile got_addr;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	got_sig = sig;
	got_code = si->si_code;
	got_addr = si->si_addr;
	siglongjmp(back, 1);
}

#define FAULT(sig, code, ...)                                                                     \
	do {                                                                                      \
		if (!sigsetjmp(back, 1)) {                                                        \
			__VA_ARGS__;                                                              \
			CHECK(!"survives");                                                       \
		}                                                                                 \
		CHECK(got_sig == (sig) && got_code == (code));                                    \
	} while (0)

#define MXCSR_DEFAULT 0x1f80u

static void set_mxcsr(unsigned value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static void test_instructions(void)
{
	FAULT(SIGFPE, FPE_INTDIV,
	      __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idivl %%ecx" ::
				       : "eax", "ecx", "edx"));
	FAULT(SIGILL, ILL_ILLOPN, __asm__ volatile("ud2"));
	FAULT(SIGTRAP, SI_KERNEL, __asm__ volatile("int3"));
	FAULT(SIGSEGV, SI_KERNEL, __asm__ volatile("hlt"));
	set_mxcsr(MXCSR_DEFAULT & ~0x200u); /* division by zero is no longer masked */
	FAULT(SIGFPE, FPE_FLTDIV, __asm__ volatile("divsd %0, %1" : : "x"(0.0), "x"(1.0)));
	set_mxcsr(MXCSR_DEFAULT);
}

/* Alignment checks, which a program may switch on, are for it alone; and stay on over system calls. */
static void test_alignment(void)
{
	pid_t pid = fork();

	if (!pid) {
		static const char word[16];
		long n = 0;

		signal(SIGBUS, SIG_DFL);
		__asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq\n"
				 "1: mov %1, %%eax; syscall; inc %0; cmp $50, %0; jne 1b\n"
				 "mov 1(%2), %%rax\n"
				 "pushfq; andl $~0x40000, (%%rsp); popfq"
				 : "+r"(n) : "i"(SYS_getpid), "r"(word) : "rax", "rcx", "r11", "memory", "cc");
		_exit(1);
	}
	CHECK(reap(pid) == 1000 + SIGBUS);
}

static void test_memory(void)
{
	char name[] = "/tmp/sig_codes.XXXXXX";
	int fd = OK(mkstemp(name));
	volatile char *page = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	volatile char *file = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	volatile int *volatile wild = (volatile int *)16;

	OK(unlink(name));
	OK(ftruncate(fd, 100));
	FAULT(SIGSEGV, SEGV_MAPERR, *wild = 1);
	CHECK(got_addr == wild);
	FAULT(SIGSEGV, SEGV_ACCERR, *page = 1);
	CHECK(got_addr == page);
	FAULT(SIGBUS, BUS_ADRERR, file[5000] = 1);
	CHECK(got_addr == file + 5000);
	wild = (volatile int *)0x8000000000000000UL; /* not canonical */
	FAULT(SIGSEGV, SI_KERNEL, *wild = 1);
}

static void test_cpu_limit(void)
{
	struct rlimit limit = { 1, 3 };
	pid_t child = fork();

	if (!child) {
		OK(setrlimit(RLIMIT_CPU, &limit));
		for (;;)
			;
	}
	CHECK(reap(child) == 1000 + SIGXCPU);
}

static void test_unwanted_children(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	OK(sigaction(SIGCHLD, &sa, NULL));
	if (!OK(fork()))
		_exit(3);
	FAILS(ECHILD, wait(NULL));
	OK(sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL));
	if (!OK(fork()))
		_exit(3);
	FAILS(ECHILD, wait(NULL));
}

int main(void)
{
	static const int faults[] = { SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		OK(sigaction(faults[i], &sa, NULL));
	test_instructions();
	test_alignment();
	test_memory();
	test_cpu_limit();
	test_unwanted_children();
	return 0;
}
