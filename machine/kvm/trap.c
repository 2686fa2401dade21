// SPDX-License-Identifier: Apache-2.0
/* From user mode into the kernel and back: system calls, exceptions, interrupts. */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kvm_impl.h"

#define FLAGS_USER 0x250dd5ULL /* what user code may set: arithmetic flags, TF, DF, RF, AC, ID */
#define FLAGS_FIXED 0x202ULL
#define FLAG_IF 0x200ULL
#define USER_LIMIT 0x800000000000ULL

#define PF_WRITE 2
#define PF_EXEC 0x10
#define VEC_PAGE_FAULT 14

struct fixup {
	u64 from, to;
};
extern const struct fixup extable_start[], extable_end[];

u64 extable_find(u64 rip)
{
	const struct fixup *f;

	for (f = extable_start; f < extable_end; f++)
		if (f->from == rip)
			return f->to;
	return 0;
}

/* User code is about to run with these registers: they must not make the way there fault. */
static bool registers_valid(struct pt_regs *regs)
{
	regs->cs = USER_CS;
	regs->ss = USER_SS;
	regs->rflags = (regs->rflags & FLAGS_USER) | FLAGS_FIXED;
	if (regs->rip < USER_LIMIT)
		return true;
	kernel_user_fault(regs, SIGSEGV, SI_KERNEL, 0, 13, 0);
	return false;
}

/* For who counts what a start costs. */
static void tell_booted(void)
{
	static u32 told;

	if (likely(READ_ONCE(told)) || __atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		return;
	call_begin();
	call_make(KVM_CALL_BOOTED);
}

void kvm_leave(struct pt_regs *regs)
{
	struct thread *t = self();

	tell_booted();
	sched_reap();
	for (;;) {
		late_interrupts();
		if (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & ~WORK_FULL)
			kernel_user_work(regs);
		sched_share();
		if (registers_valid(regs) && !cpu_enter_user())
			break;
	}
	__atomic_and_fetch(&t->work, ~WORK_FULL, __ATOMIC_SEQ_CST);
	cputime_user();
}

bool kvm_syscall(struct pt_regs *regs)
{
	struct thread *t = self();
	bool full;

	this_cpu()->mode = CPU_KERNEL;
	cputime_kernel();
	regs->rax = (u64)kernel_syscall(regs);
	full = t->work;
	kvm_leave(regs);
	regs->rcx = full ? regs->rcx : regs->rip;
	regs->r11 = full ? regs->r11 : regs->rflags;
	return full;
}

/* ---- exceptions of user code ---- */

struct cause {
	int sig, code;
};

/* Of what has happened and is not masked: the order of the bits is that of MXCSR and of the x87's status. */
static int float_code(u32 set)
{
	if (set & 1)
		return FPE_FLTINV;
	if (set & 4)
		return FPE_FLTDIV;
	if (set & 8)
		return FPE_FLTOVF;
	if (set & 0x12)
		return FPE_FLTUND;
	return set & 0x20 ? FPE_FLTRES : 0;
}

static int sse_code(void)
{
	u32 mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return float_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
}

static int x87_code(void)
{
	u16 status, control;

	__asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
	return float_code(status & ~control & 0x3f);
}

static struct cause cause_of(u32 vector)
{
	switch (vector) {
	case 0:
		return (struct cause){ SIGFPE, FPE_INTDIV };
	case 1:
		return (struct cause){ SIGTRAP, TRAP_TRACE };
	case 3:
		return (struct cause){ SIGTRAP, SI_KERNEL };
	case 6:
		return (struct cause){ SIGILL, ILL_ILLOPN };
	case 11:
	case 12:
		return (struct cause){ SIGBUS, SI_KERNEL };
	case 16:
		return (struct cause){ SIGFPE, x87_code() };
	case 17:
		return (struct cause){ SIGBUS, BUS_ADRALN };
	case 19:
		return (struct cause){ SIGFPE, sse_code() };
	default:
		return (struct cause){ SIGSEGV, SI_KERNEL };
	}
}

static void user_page_fault(struct pt_regs *regs, u64 err)
{
	uaddr_t addr = read_cr2();
	struct fault_result r = { SIGSEGV, SEGV_MAPERR };

	if (addr < USER_END && fault_in(self()->space, addr, err & PF_WRITE, err & PF_EXEC, &r))
		return;
	kernel_user_fault(regs, r.sig, r.code, addr, VEC_PAGE_FAULT, err);
}

static void user_exception(struct pt_regs *regs, u32 vector)
{
	u64 err = regs->orig_rax;
	struct cause c;

	regs->orig_rax = ~0ULL;
	if (vector == KVM_VEC_SHRUNK || (vector == VEC_PAGE_FAULT && apf_waits())) {
		files_shrunk(self()->space); /* the instruction is tried again, and makes a page fault if so */
		return;
	}
	if (vector == VEC_PAGE_FAULT) {
		user_page_fault(regs, err);
		return;
	}
	c = cause_of(vector);
	kernel_user_fault(regs, c.sig, c.code, c.code == SI_KERNEL ? 0 : regs->rip, vector, err == ~0ULL ? 0 : err);
}

/* ---- interrupts ---- */

static void act_on(u32 vector)
{
	switch (vector) {
	case KVM_VEC_TIMER:
		sched_tick();
		break;
	case KVM_VEC_KICK: /* kvm_leave() and sched_idle() look at everything there is */
		__atomic_fetch_add(&self()->kicks, 1, __ATOMIC_SEQ_CST);
		break;
	case KVM_VEC_EVENT:
		host_event();
		break;
	case KVM_VEC_PAGE:
		apf_there();
		break;
	}
}

static bool interrupt(u32 vector)
{
	if (vector == KVM_VEC_SPURIOUS)
		return true;
	if (vector < KVM_VEC_TIMER || vector > KVM_VEC_PAGE)
		return false;
	lapic_eoi();
	act_on(vector);
	return true;
}

/*
 * An interrupt while interrupts are off, which no CPU takes: KVM under QEMU's TCG delivers the timer's so, now and then. Its work
 * waits: locks may be held.
 */
static bool too_early(const struct pt_regs *regs, u32 vector)
{
	if (likely(regs->rflags & FLAG_IF) || vector < KVM_VEC_TIMER || vector > KVM_VEC_PAGE)
		return false;
	this_cpu()->late |= 1u << (vector - KVM_VEC_TIMER);
	lapic_eoi();
	return true;
}

void late_interrupts(void)
{
	struct cpu *c = this_cpu();
	u32 i, bits;

	while (unlikely(bits = READ_ONCE(c->late))) {
		WRITE_ONCE(c->late, 0);
		for (i = KVM_VEC_TIMER; i <= KVM_VEC_PAGE; i++)
			if (bits >> (i - KVM_VEC_TIMER) & 1)
				act_on(i);
	}
}

static void close_user_memory(void)
{
	if (cpu_smap)
		__asm__ volatile("clac");
}

void kvm_user_trap(struct pt_regs *regs, u32 vector)
{
	this_cpu()->mode = CPU_KERNEL;
	cputime_kernel();
	close_user_memory();
	if (vector >= 32 ? !interrupt(vector) : true) {
		user_exception(regs, vector);
	} else {
		regs->orig_rax = ~0ULL;
	}
	kvm_leave(regs);
}

static bool kernel_page_fault(struct pt_regs *regs)
{
	uaddr_t addr = read_cr2();
	u64 fix = extable_find(regs->rip);
	struct fault_result r;

	if (!fix || addr >= USER_END)
		return false;
	cpu_uaccess(false);
	if (!self()->space || !fault_in(self()->space, addr, regs->orig_rax & PF_WRITE, false, &r))
		regs->rip = fix;
	cpu_uaccess(true);
	return true;
}

static bool kernel_file_shrunk(struct pt_regs *regs)
{
	u64 fix = extable_find(regs->rip);

	if (!fix || !self()->space)
		return false;
	if (regs->rip == (u64)kvm_wcopy_site) {
		regs->rip = fix;
		return true;
	}
	cpu_uaccess(false);
	files_shrunk(self()->space);
	cpu_uaccess(true);
	return true;
}

static void __attribute__((noreturn)) trap_panic(const char *what, const struct pt_regs *regs, u32 vector)
{
	panic("%s %u in the kernel at %#llx, error %#llx, cr2 %#llx, sp %#llx", what, vector, (unsigned long long)regs->rip,
	      (unsigned long long)regs->orig_rax, (unsigned long long)read_cr2(), (unsigned long long)regs->rsp);
}

/* What cannot be gone on from: gs may be the user's, and the stack be used up. */
void kvm_fatal_trap(struct pt_regs *regs, u32 vector)
{
	wrmsr(MSR_GS_BASE, (u64)cpu_of_stack(regs));
	trap_panic(vector == 8 ? "double fault" : "NMI", regs, vector);
}

void kvm_kernel_trap(struct pt_regs *regs, u32 vector)
{
	close_user_memory();
	if (too_early(regs, vector))
		return;
	if (vector >= 32 && interrupt(vector)) {
		if (regs->rip == (u64)kvm_halt_site)
			regs->rip++; /* it is one byte */
		return;
	}
	if (vector == VEC_PAGE_FAULT && kernel_page_fault(regs))
		return;
	if (vector == KVM_VEC_SHRUNK && kernel_file_shrunk(regs))
		return;
	trap_panic("exception", regs, vector);
}
