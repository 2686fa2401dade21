// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid answers what the processor does, whether a kernel has rewritten the instruction (as it may, of a static program) or not: all leaves, on
 * each CPU, and nothing but its four registers changes. What only looks like one, or has neighbours that are jumped to, stays what it is, and a
 * debugger sees the program's own bytes. `cpuid show`: says which were rewritten.
 */
#include "check.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

struct leaf {
	uint32_t eax, ebx, ecx, edx;
};

#define LOAD "mov (%rdi), %eax\nmov 8(%rdi), %ecx\n"
#define STORE "mov %eax, (%rdi)\nmov %ebx, 4(%rdi)\nmov %ecx, 8(%rdi)\nmov %edx, 12(%rdi)\npop %rbx\nret\n"
#define FUNCTION(name, body) \
	__asm__(".pushsection .text\n.balign 64\n.globl " #name "\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" body \
		".cfi_endproc\n.size " #name ", . - " #name "\n.popsection"); \
	extern const unsigned char name##_from[]

/* What follows can move. */
FUNCTION(follows, "push %rbx\n" LOAD "follows_from: cpuid\n" STORE); void follows(struct leaf *);
/* What follows is jumped to, by whoever calls with 0: what comes before can move. */
FUNCTION(jumped_behind, "push %rbx\ntest %esi, %esi\nmov (%rdi), %eax\njz 1f\njumped_behind_from: mov 8(%rdi), %ecx\ncpuid\n1: " STORE);
void jumped_behind(struct leaf *, int);
/* A jump follows. */
FUNCTION(before_jump, "push %rbx\nmov (%rdi), %eax\njmp 2f\n1:" STORE "2: before_jump_from: mov 8(%rdi), %ecx\ncpuid\njmp 1b\n"); void before_jump(struct leaf *);
/* The function ends, and another one goes on. */
FUNCTION(at_end, "push %rbx\nmov (%rdi), %eax\nat_end_from: mov 8(%rdi), %ecx\ncpuid\n.cfi_endproc\n.cfi_startproc\n" STORE); void at_end(struct leaf *);
/* It is jumped to itself, and so is what follows. */
FUNCTION(jumped_to, "push %rbx\n" LOAD "test %esi, %esi\njz 1f\njs 2f\n1: jumped_to_from: cpuid\n2: " STORE); void jumped_to(struct leaf *, int);
/* A part of the function lies elsewhere, and comes back behind it. */
FUNCTION(apart, "push %rbx\n" LOAD "test %esi, %esi\nmov %ecx, %ecx\njz 1f\napart_from: cpuid\n2: " STORE ".cfi_endproc\n.cfi_startproc\n1: nopl 16(%rax)\njmp 2b\n");
void apart(struct leaf *, int);
/* Who knows where this leads. */
FUNCTION(table, "push %rbx\nlea 1f(%rip), %rdx\ntest %esi, %esi\n" LOAD "jz 2f\ntable_from: cpuid\n1:" STORE "2: jmp *%rdx\n"); void table(struct leaf *, int);
/* A number. */
FUNCTION(number, "number_from: mov $0x9090a20f, %eax\nret\n"); unsigned number(void);
/* Relative to rip; then all that must stay. */
FUNCTION(all, "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\nmov (%rdi), %rax\nmov 8(%rdi), %rcx\n"
	 "mov $-1, %rbx\nmov $-2, %rdx\nmov $-3, %rsi\nmov $-4, %rbp\nmov $-5, %r8\nmov $-6, %r9\nmov $-7, %r10\nmov $-8, %r11\n"
	 "mov $-9, %r12\nmov $-10, %r13\nmov $-11, %r14\nmov $-12, %r15\nmovq $-13, -8(%rsp)\nmovq $-14, -128(%rsp)\nmov %rsp, seen+128(%rip)\nstc\n"
	 "all_from: cpuid\nmov %rax, seen(%rip)\nmov %rbx, seen+8(%rip)\nmov %rcx, seen+16(%rip)\nmov %rdx, seen+24(%rip)\nmov %rsi, seen+32(%rip)\n"
	 "mov %rbp, seen+40(%rip)\nmov %r8, seen+48(%rip)\nmov %r9, seen+56(%rip)\nmov %r10, seen+64(%rip)\nmov %r11, seen+72(%rip)\nmov %r12, seen+80(%rip)\n"
	 "mov %r13, seen+88(%rip)\nmov %r14, seen+96(%rip)\nmov %r15, seen+104(%rip)\nmov %rsp, seen+136(%rip)\nmov -8(%rsp), %rax\nmov %rax, seen+112(%rip)\n"
	 "mov -128(%rsp), %rax\nmov %rax, seen+120(%rip)\nlea -128(%rsp), %rsp\npushfq\npopq seen+144(%rip)\nlea 128(%rsp), %rsp\n"
	 "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");
void all(const uint64_t *);
uint64_t seen[19];
/* Of a function that nothing describes. */
__asm__(".pushsection .text\nundescribed: push %rbx\n" LOAD "undescribed_from: cpuid\n" STORE ".popsection");
void undescribed(struct leaf *);
extern const unsigned char undescribed_from[];

/* The original, for memory that is of no file. */
__asm__(".pushsection .rodata\noriginal: push %rbx\n" LOAD "cpuid\n" STORE "original_end:\n.popsection");
extern const unsigned char original[], original_end[];
static void (*real)(struct leaf *);

static const struct site {
	const unsigned char *at;
	unsigned char original, rewritable;
} sites[] = {
	{ follows_from, 0x0f, 1 }, { jumped_behind_from, 0x8b, 1 }, { before_jump_from, 0x8b, 1 }, { at_end_from, 0x8b, 1 }, { all_from, 0x0f, 1 },
	{ jumped_to_from, 0x0f, 0 }, { apart_from, 0x0f, 0 }, { table_from, 0x0f, 0 }, { number_from, 0xb8, 0 }, { undescribed_from, 0x0f, 0 },
};
#define SITES (sizeof(sites) / sizeof(*sites))

static void make_real(void)
{
	unsigned char *p = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memcpy(p, original, (size_t)(original_end - original));
	OK(mprotect(p, 4096, PROT_READ | PROT_EXEC));
	real = (void (*)(struct leaf *))p;
}

static void do_jumped_behind(struct leaf *l) { jumped_behind(l, 1); }
static void do_jumped_to(struct leaf *l) { jumped_to(l, 0); }
static void do_apart(struct leaf *l) { apart(l, 1); }
static void do_table(struct leaf *l) { table(l, 1); }

/* The thread may move to another CPU between any two; what changes by itself says nothing. */
static void same(void (*ask)(struct leaf *), uint32_t leaf, uint32_t sub)
{
	struct leaf before, between, after;

	for (int i = 0; i < 50; i++) {
		before = between = after = (struct leaf){ .eax = leaf, .ecx = sub };
		real(&before);
		ask(&between);
		real(&after);
		if (!memcmp(&before, &after, sizeof(after)) && !memcmp(&before, &between, sizeof(after)))
			return;
		if (!memcmp(&before, &after, sizeof(after)) && i > 10) {
			fprintf(stderr, "leaf %#x, %#x: %#x %#x %#x %#x, not %#x %#x %#x %#x\n", leaf, sub, between.eax, between.ebx,
				between.ecx, between.edx, before.eax, before.ebx, before.ecx, before.edx);
			CHECK(0 && "cpuid answers what the processor does");
		}
	}
}

static void all_leaves(void)
{
	static const uint32_t from[] = { 0, 0x40000000, 0x80000000 };

	for (unsigned f = 0; f < 3; f++)
		for (uint32_t leaf = from[f]; leaf < from[f] + 0x28; leaf++)
			for (uint32_t sub = 0; sub < 9; sub++)
				same(follows, leaf, sub);
	same(follows, 0x20000000, 0);
	same(follows, 0xffffffff, 0xffffffff);
	same(follows, 4, 0x12345678);
	same(follows, 0, 0x12345678);
}

static void on_each_cpu(void)
{
	cpu_set_t may, one;

	OK(sched_getaffinity(0, sizeof(may), &may));
	for (int cpu = 0, n = 0; cpu < CPU_SETSIZE && n < 4; cpu++) {
		if (!CPU_ISSET(cpu, &may))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		OK(sched_setaffinity(0, sizeof(one), &one));
		all_leaves();
		n++;
	}
	OK(sched_setaffinity(0, sizeof(may), &may));
}

static void each_site(void)
{
	static void (*const asks[])(struct leaf *) = { follows, do_jumped_behind, before_jump, at_end, do_jumped_to, do_apart, do_table, undescribed };
	static void (*const jumps[])(struct leaf *, int) = { jumped_behind, apart, table };
	struct leaf l;

	for (unsigned i = 0; i < sizeof(asks) / sizeof(*asks); i++)
		for (uint32_t leaf = 0; leaf < 8; leaf++)
			same(asks[i], leaf, 0);
	for (unsigned i = 0; i < 3; i++) {
		l = (struct leaf){ 1, 2, 3, 4 };
		jumps[i](&l, 0);
		CHECK(l.eax == 1);
	}
	CHECK(number() == 0x9090a20f);
}

static void nothing_else_changes(void)
{
	uint64_t in[] = { 0x1234567800000000, 0x8765432100000000 };
	struct leaf zero = { 0 };

	real(&zero);
	all(in);
	CHECK(seen[0] == zero.eax && seen[1] == zero.ebx && seen[2] == zero.ecx && seen[3] == zero.edx);
	for (int i = 4; i < 16; i++)
		CHECK(seen[i] == (uint64_t)-(i - 1));
	CHECK(seen[16] == seen[17]);
	CHECK(seen[18] & 1);
}

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	struct leaf l = { 0 };

	(void)sig;
	follows(&l);
	ticks++;
}

/* Signals at any place in it, whose handlers ask themselves. */
static void under_signals(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct leaf zero = { 0 }, l;
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, 2000000 }, { 0, 2000000 } }, never = { 0 };

	real(&zero);
	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	OK(timer_settime(timer, 0, &every, NULL));
	for (int i = 0; i < 2000 || ticks < 20; i++) {
		l = (struct leaf){ 0 };
		follows(&l);
		CHECK(!memcmp(&l, &zero, sizeof(l)));
	}
	OK(timer_settime(timer, 0, &never, NULL));
}

static void debuggers_see_the_original(void)
{
	int status;
	pid_t pid = OK(fork());

	if (!pid) {
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		each_site();
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFSTOPPED(status));
	for (unsigned i = 0; i < SITES; i++) {
		errno = 0;
		CHECK((unsigned char)ptrace(PTRACE_PEEKTEXT, pid, sites[i].at, 0) == sites[i].original && !errno);
	}
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* A kernel may look at a program only when it is executed again, and give what it found to those that are forked later. */
static void execute_again(const char *as)
{
	for (int i = 0; i < 2; i++) {
		int status;
		pid_t pid = OK(fork());

		if (!pid)
			execl("/proc/self/exe", "cpuid", "nothing", NULL);
		OK(waitpid(pid, &status, 0));
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	execl("/proc/self/exe", "cpuid", as, NULL);
	CHECK(0 && "execl of itself");
}

int main(int argc, char **argv)
{
	if (argc == 1)
		execute_again("check");
	if (!strcmp(argv[1], "nothing"))
		return 0;
	if (!strcmp(argv[1], "show"))
		execute_again("again");
	if (!strcmp(argv[1], "again")) {
		for (unsigned i = 0; i < SITES; i++)
			printf("%d%s", *(volatile const unsigned char *)sites[i].at != sites[i].original, i + 1 < SITES ? " " : "\n");
		return 0;
	}
	for (unsigned i = 0; i < SITES; i++)
		CHECK(sites[i].rewritable || *(volatile const unsigned char *)sites[i].at == sites[i].original);
	make_real();
	each_site();
	nothing_else_changes();
	on_each_cpu();
	under_signals();
	debuggers_see_the_original();
	return 0;
}
