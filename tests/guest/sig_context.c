/* SPDX-License-Identifier: Apache-2.0 */
/* The frame a handler gets: registers and vector state, which it may look at and change. */
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t hits;

static void skip(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;

	hits++;
	if (sig == SIGILL) {
		CHECK(si->si_addr == (void *)regs[REG_RIP] && regs[REG_R12] == 0x1234567);
		regs[REG_RIP] += 2;
		regs[REG_R12] = 0x7654321;
	} else if (sig == SIGFPE) {
		CHECK(si->si_code == FPE_INTDIV);
		regs[REG_RCX] = 1;
	} else if (sig == SIGTRAP) {
		CHECK(*(uint8_t *)(regs[REG_RIP] - 1) == 0xcc);
	} else if (sig == SIGUSR1) {
		sigaddset(&uc->uc_sigmask, SIGUSR2); /* in force after the return */
	}
}

/* No address at all, which the way back to the program finds out. */
static void derail(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000123456789abcull;
}

static void handle(int sig, void (*f)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO };

	OK(sigaction(sig, &sa, NULL));
}

static void test_changes(void)
{
	long value, dividend = 10, rest = 0, divisor = 0;
	sigset_t mask;

	__asm__ volatile("mov $0x1234567, %%r12\n\tud2\n\tmov %%r12, %0" : "=r"(value)::"r12");
	CHECK(value == 0x7654321);
	__asm__ volatile("idivq %%rcx" : "+a"(dividend), "+d"(rest), "+c"(divisor));
	CHECK(dividend == 10 && divisor == 1);
	__asm__ volatile("int3");
	raise(SIGUSR1);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	CHECK(hits == 4 && sigismember(&mask, SIGUSR2));
}

static void test_wild_return(void)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		handle(SIGUSR1, derail);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK(reap(pid) == 1000 + SIGSEGV);
}

/* All callee-clobbered registers and the red zone survive signals at any instruction. */
static void clobber(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	CHECK(uc->uc_mcontext.fpregs != NULL);
	CHECK(((uintptr_t)uc->uc_mcontext.fpregs & 15) == 0);
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm7\n\tmovdqa %%xmm0, %%xmm15" ::
				 : "xmm0", "xmm7", "xmm15");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vxorps %%ymm0, %%ymm0, %%ymm0\n\tvxorps %%ymm15, %%ymm15, %%ymm15" ::
					 : "xmm0", "xmm15");
	hits++;
}

static __attribute__((noinline, target("avx"))) void spin_avx(void)
{
	static const uint64_t pattern[4] __attribute__((aligned(32))) = { 1, 2, 3, 4 };
	uint64_t a[4] __attribute__((aligned(32))), b[4] __attribute__((aligned(32)));

	for (hits = 0; hits < 30;) {
		__asm__ volatile("vmovdqa %2, %%ymm0\n\tvmovdqa %2, %%ymm15\n\t"
				 "mov $20000, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
				 "vmovdqa %%ymm0, %0\n\tvmovdqa %%ymm15, %1"
				 : "=m"(a), "=m"(b)
				 : "m"(pattern)
				 : "ecx", "xmm0", "xmm15", "memory");
		CHECK(!memcmp(a, pattern, 32) && !memcmp(b, pattern, 32));
	}
}

static __attribute__((noinline)) void spin_general(void)
{
	for (hits = 0; hits < 30;) {
		uint64_t sum;

		__asm__ volatile("movq $77, -8(%%rsp)\n\tmovq $78, -120(%%rsp)\n\t"
				 "mov $1, %%r8\n\tmov $2, %%r9\n\tmov $3, %%r10\n\tmov $4, %%r11\n\t"
				 "mov $5, %%rcx\n\tmov $6, %%rdx\n\tmov $7, %%rsi\n\tmov $8, %%rdi\n\tstc\n\t"
				 "mov $20000, %%eax\n1:\tdec %%eax\n\tjnz 1b\n\t"
				 "adc $0, %%rax\n\tadd %%r8, %%rax\n\tadd %%r9, %%rax\n\tadd %%r10, %%rax\n\t"
				 "add %%r11, %%rax\n\tadd %%rcx, %%rax\n\tadd %%rdx, %%rax\n\tadd %%rsi, %%rax\n\t"
				 "add %%rdi, %%rax\n\tadd -8(%%rsp), %%rax\n\tadd -120(%%rsp), %%rax"
				 : "=a"(sum)
				 :
				 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
		CHECK(sum == 37 + 77 + 78);
	}
}

static void test_preserved(void)
{
	handle(SIGALRM, clobber);
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 2000 }, { 0, 2000 } }, NULL));
	if (__builtin_cpu_supports("avx"))
		spin_avx();
	spin_general();
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
}

/* A system call keeps vector registers and all but rax, rcx and r11. */
static void test_across_call(void)
{
	uint64_t low = 0x1122334455667788, after;
	long ret, r8, r10;

	__asm__ volatile("movq %4, %%xmm5\n\tmov $8, %%r8\n\tmov $10, %%r10\n\tmovq $5, -16(%%rsp)\n\tsyscall\n\t"
			 "movq %%xmm5, %1\n\tmov %%r8, %2\n\tmov %%r10, %3\n\tadd -16(%%rsp), %3"
			 : "=a"(ret), "=r"(after), "=&r"(r8), "=&r"(r10)
			 : "r"(low), "a"(39L)
			 : "rcx", "r11", "r8", "r10", "xmm5", "memory");
	CHECK(ret == getpid() && after == low && r8 == 8 && r10 == 15);
}

int main(void)
{
	handle(SIGILL, skip);
	handle(SIGFPE, skip);
	handle(SIGTRAP, skip);
	handle(SIGUSR1, skip);
	test_changes();
	test_wild_return();
	test_preserved();
	test_across_call();
	return 0;
}
