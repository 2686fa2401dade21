/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User mode: registers, system calls, signal handlers. User code "runs" at USER_RIP; when the
 * kernel sends it elsewhere that is a signal handler, whose C function is looked up by its address.
 */
#include <string.h>

#include "stub_impl.h"

#define USER_RIP     0x400000ULL
#define SYSCALL_INSN 2 /* bytes: what a restart takes rip back by */
#define RT_SIGRETURN 15
#define HANDLERS     64
#define FPU_SIZE     640

static struct {
	uaddr_t address;
	stub_handler_fn fn;
} handlers[HANDLERS];
static u32 nhandlers;

struct pt_regs *mc_regs(struct task *t)
{
	return &stub_of(t)->regs;
}

void mc_regs_changed(void)
{
}

u64 mc_get_fsbase(void)
{
	return stub_self()->fsbase;
}

void mc_set_fsbase(u64 base)
{
	stub_self()->fsbase = base;
}

size_t mc_fpu_size(void)
{
	return FPU_SIZE;
}

int mc_fpu_save(uaddr_t to)
{
	STUB_CHECK(to % 64 == 0);
	return mc_clear_user(to, FPU_SIZE);
}

int mc_fpu_restore(uaddr_t from)
{
	u8 image[FPU_SIZE];

	return from ? mc_copy_from_user(image, from, sizeof(image)) : 0;
}

void mc_fpu_get(void *to)
{
	memset(to, 0, FPU_SIZE);
}

int mc_fpu_put(const void *from)
{
	return 0;
}

void stub_handler(uaddr_t address, stub_handler_fn fn)
{
	u32 i = __atomic_fetch_add(&nhandlers, 1, __ATOMIC_SEQ_CST);

	STUB_CHECK(i < HANDLERS);
	handlers[i].address = address;
	handlers[i].fn = fn;
}

static stub_handler_fn any_handler;

void stub_any_handler(stub_handler_fn fn)
{
	any_handler = fn;
}

static stub_handler_fn handler_at(uaddr_t address)
{
	for (u32 i = 0; i < nhandlers; i++) {
		if (handlers[i].address == address)
			return handlers[i].fn;
	}
	if (any_handler)
		return any_handler;
	stub_fail("user mode at %#lx, where nothing is", address);
}

static void enter_kernel(struct stub_thread *t)
{
	t->regs.orig_rax = t->regs.rax;
	t->regs.rax = (u64)-ENOSYS;
	t->regs.rcx = t->regs.rip;
	t->regs.r11 = t->regs.rflags;
	t->regs.rax = (u64)kernel_syscall(&t->regs);
	while (__atomic_load_n(&mc_of(t->task)->work, __ATOMIC_SEQ_CST))
		kernel_user_work(&t->regs);
}

/* A handler runs to its end and returns to its restorer, which calls rt_sigreturn. */
static void run_handler(struct stub_thread *t)
{
	stub_handler_fn fn = handler_at(t->regs.rip);

	STUB_CHECK(t->regs.rsp % 16 == 8);
	fn((int)t->regs.rdi, t->regs.rsi, t->regs.rdx);
	t->regs.rsp += 8;
	t->regs.rax = RT_SIGRETURN;
	enter_kernel(t);
}

/* Until user mode is back where it was: restarts, and handlers, each of which makes calls of its
 * own. */
void stub_return_to(struct stub_thread *t, uaddr_t back)
{
	while (t->regs.rip != back) {
		if (t->regs.rip == back - SYSCALL_INSN) {
			t->regs.rip = back;
			enter_kernel(t);
		} else {
			run_handler(t);
		}
	}
}

static long run(struct stub_thread *t)
{
	uaddr_t back = t->regs.rip;

	enter_kernel(t);
	stub_return_to(t, back);
	STUB_CHECK((long)t->regs.rax > -512 ||
		   (long)t->regs.rax < -530); /* ERESTARTSYS and its kin */
	return (long)t->regs.rax;
}

long stub_syscall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct stub_thread *t = stub_self();
	struct pt_regs saved = t->regs;
	long ret;

	if (!t->regs.cs) {
		t->regs = (struct pt_regs){
			.cs = 0x33, .ss = 0x2b, .rflags = 0x202, .rsp = t->regs.rsp};
	}
	t->regs.rip = USER_RIP + 0x10 * (1 + (saved.rip - USER_RIP) / 0x10 % 0x1000);
	t->regs.rax = nr;
	t->regs.rdi = a;
	t->regs.rsi = b;
	t->regs.rdx = c;
	t->regs.r10 = d;
	t->regs.r8 = e;
	t->regs.r9 = f;
	ret = run(t);
	t->regs = saved;
	return ret;
}
