/* SPDX-License-Identifier: Apache-2.0 */
/* The alternate stack, faults with their addresses, and jumping out of a handler. */
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_SIZE 65536

static char *stack;
static sigjmp_buf out;
static volatile uintptr_t fault_address, handler_sp;
static volatile int fault_code;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	char here;

	(void)sig;
	(void)context;
	fault_address = (uintptr_t)si->si_addr;
	fault_code = si->si_code;
	handler_sp = (uintptr_t)&here;
	siglongjmp(out, 1);
}

static int on_stack(void)
{
	return handler_sp >= (uintptr_t)stack && handler_sp < (uintptr_t)stack + STACK_SIZE;
}

static volatile int enough; /* never */

static __attribute__((noinline)) int overflow(volatile char *up)
{
	volatile char frame[4096];

	frame[0] = up[0];
	return enough ? 0 : overflow(frame) + frame[1];
}

static void test_addresses(void)
{
	char *map = OK(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	OK(munmap(map + 4096, 4096));
	if (!sigsetjmp(out, 1))
		map[123] = 1;
	CHECK(fault_address == (uintptr_t)map + 123 && fault_code == SEGV_ACCERR && on_stack());
	if (!sigsetjmp(out, 1))
		fault_code += map[4096 + 5];
	CHECK(fault_address == (uintptr_t)map + 4101 && fault_code == SEGV_MAPERR);
	if (!sigsetjmp(out, 1)) /* not canonical: a general protection fault */
		*(volatile char *)0x8000000000000000 = 1;
	CHECK(fault_code == SI_KERNEL);
	for (volatile int i = 0; i < 1000; i++)
		if (!sigsetjmp(out, 1))
			map[i] = 1;
	CHECK(fault_address == (uintptr_t)map + 999);
}

static void test_overflow(void)
{
	volatile char start[1] = { 0 };

	if (!sigsetjmp(out, 1))
		overflow(start);
	CHECK(on_stack());
}

static volatile int flags_inside;

static void look_inside(int sig)
{
	stack_t ss;

	(void)sig;
	OK(sigaltstack(NULL, &ss));
	flags_inside = ss.ss_flags;
	FAILS(EPERM, sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE }, NULL));
}

static void test_state(void)
{
	struct sigaction sa = { .sa_handler = look_inside, .sa_flags = SA_ONSTACK };
	stack_t ss;

	OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(flags_inside == SS_ONSTACK);
	OK(sigaltstack(NULL, &ss));
	CHECK(ss.ss_sp == stack && ss.ss_size == STACK_SIZE && ss.ss_flags == 0);
	FAILS(ENOMEM, sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = 100 }, NULL));
	IN_CHILD({
		OK(sigaltstack(NULL, &ss));
		CHECK(ss.ss_sp == stack);
	});
	OK(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL));
	OK(sigaltstack(NULL, &ss));
	CHECK(ss.ss_flags == SS_DISABLE);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	stack = OK(mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	OK(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE }, NULL));
	OK(sigaction(SIGSEGV, &sa, NULL));
	test_addresses();
	test_overflow();
	test_state();
	return 0;
}
