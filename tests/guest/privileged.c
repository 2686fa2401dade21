/* SPDX-License-Identifier: Apache-2.0 */
/* What is not for user code: the upper half of the address space, ports, instructions of the kernel. */
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/uio.h>

static sigjmp_buf back;
static volatile int got;

static void on_fault(int sig)
{
	got = sig;
	siglongjmp(back, 1);
}

/* The signal that fn(addr) ends with; 0: none. */
static int fault_of(void (*fn)(uintptr_t addr), uintptr_t addr)
{
	got = 0;
	if (!sigsetjmp(back, 1))
		fn(addr);
	return got;
}

static void load(uintptr_t addr) { (void)*(volatile char *)addr; }
static void store(uintptr_t addr) { *(volatile char *)addr = 1; }
static void jump(uintptr_t addr) { __asm__ volatile("call *%0" ::"r"(addr) : "memory"); }

/* Linux' and this project's kernels have their memory, tables and text there; some of it is mapped on each. */
static const uintptr_t kernels[] = {
	0xffff800000000000, 0xffff800040000000, 0xffff800100000000, 0xffff800200000000, 0xffff804000000000,
	0xffff888000000000, 0xffffff0000000000, 0xffffff0000001000, 0xffffff0000100000, 0xffffff0000200000,
	0xffffffff80000000, 0xffffffff80001000, 0xffffffff81000000, 0xfffffffffffff000,
};

static void test_memory(void)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		CHECK(fault_of(load, kernels[i]) == SIGSEGV);
		CHECK(fault_of(store, kernels[i]) == SIGSEGV);
		CHECK(fault_of(jump, kernels[i]) == SIGSEGV);
	}
	CHECK(fault_of(load, 0x8000000000000000) == SIGSEGV); /* no address at all */
	CHECK(fault_of(jump, 0x8000000000000000) == SIGSEGV);
}

/* Nor by way of a system call. */
static void test_calls(void)
{
	int fds[2], zero = OK(open("/dev/zero", O_RDONLY));

	OK(pipe(fds));
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		void *at = (void *)kernels[i];
		struct iovec iov = { at, 8 };

		FAILS(EFAULT, write(fds[1], at, 8));
		FAILS(EFAULT, writev(fds[1], &iov, 1));
		FAILS(EFAULT, read(zero, at, 8));
		FAILS(EFAULT, open(at, O_RDONLY));
		FAILS(EFAULT, pipe(at));
	}
	close(fds[0]);
	close(fds[1]);
	close(zero);
}

/* 0xca1: where the guest kernel of the kvm machine calls its hypervisor. */
static void port_out(uintptr_t port) { __asm__ volatile("outl %%eax, %%dx" ::"a"(16), "d"((unsigned short)port)); }
static void port_in(uintptr_t port)
{
	unsigned int v;

	__asm__ volatile("inl %%dx, %%eax" : "=a"(v) : "d"((unsigned short)port));
}
static void halt(uintptr_t unused) { __asm__ volatile("hlt"); }
static void no_interrupts(uintptr_t unused) { __asm__ volatile("cli"); }
static void write_msr(uintptr_t msr) { __asm__ volatile("wrmsr" ::"c"((unsigned int)msr), "a"(0), "d"(0)); }
static void read_cr3(uintptr_t unused)
{
	unsigned long v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
}
static void swap_gs(uintptr_t unused) { __asm__ volatile("swapgs"); }

static void test_instructions(void)
{
	CHECK(fault_of(port_out, 0xca1) == SIGSEGV && fault_of(port_in, 0xca1) == SIGSEGV);
	CHECK(fault_of(port_out, 0x80) == SIGSEGV);
	CHECK(fault_of(halt, 0) == SIGSEGV && fault_of(no_interrupts, 0) == SIGSEGV);
	CHECK(fault_of(write_msr, 0xc0000082) == SIGSEGV); /* where system calls go */
	CHECK(fault_of(read_cr3, 0) == SIGSEGV);
	CHECK(fault_of(swap_gs, 0) == SIGSEGV);
}

int main(void)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	signal(SIGILL, on_fault);
	test_memory();
	test_calls();
	test_instructions();
	return 0;
}
