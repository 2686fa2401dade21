// SPDX-License-Identifier: Apache-2.0
/*
 * Host signals: SIGSYS (a system call of user code), SIG_KICK, and synchronous faults. The handler never does
 * the work itself: it moves the thread to the right place in entry.S and returns ("bounce").
 * Guest signals have nothing to do with these.
 */
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <linux/audit.h>

#include "hostcall.h"

#define EFLAGS_TF 0x100
#define EFLAGS_DF 0x400

struct host_ucontext {
	unsigned long uc_flags;
	void *uc_link;
	stack_t uc_stack;
	struct sigcontext_64 mc;
};

struct host_sigaction {
	void *handler;
	u64 flags;
	void *restorer;
	u64 mask;
};

struct fixup {
	u64 from, to;
};
extern const struct fixup extable_start[], extable_end[];

u64 pv_extable_find(u64 rip)
{
	const struct fixup *f;

	for (f = extable_start; f < extable_end; f++)
		if (f->from == rip)
			return f->to;
	return 0;
}

static bool in_text(u64 rip) { return rip >= KTEXT_BASE && rip < (u64)ktext_end; }

/* Kernel code runs: by rip, or (in the vdso, called by the kernel) by its stack. */
static bool in_kernel(struct pv_thread *t, struct sigcontext_64 *mc)
{
	return in_text(mc->ip) || (mc->sp > (u64)t + TBLOCK_ALT + TBLOCK_ALT_SIZE && mc->sp <= (u64)t + TBLOCK_SIZE);
}

static bool between(u64 rip, const char *from, const char *to)
{
	return rip >= (u64)from && rip < (u64)to;
}

static void save_user(struct pt_regs *r, struct sigcontext_64 *mc)
{
	*r = (struct pt_regs){
		.r15 = mc->r15, .r14 = mc->r14, .r13 = mc->r13, .r12 = mc->r12,
		.rbp = mc->bp, .rbx = mc->bx, .r11 = mc->r11, .r10 = mc->r10,
		.r9 = mc->r9, .r8 = mc->r8, .rax = mc->ax, .rcx = mc->cx,
		.rdx = mc->dx, .rsi = mc->si, .rdi = mc->di, .orig_rax = ~0ULL,
		.rip = mc->ip, .cs = USER_CS, .rflags = mc->flags, .rsp = mc->sp, .ss = USER_SS,
	};
}

static void bounce(struct pv_thread *t, struct sigcontext_64 *mc)
{
	save_user(t->regs, mc);
	mc->ip = (u64)pv_bounce_entry;
	mc->sp = (u64)t->regs;
	mc->flags &= ~(u64)(EFLAGS_TF | EFLAGS_DF | EFLAGS_AC);
}

/* See entry.S for what each window is. */
static void kick_in_kernel(struct pv_thread *t, struct sigcontext_64 *mc)
{
	u64 ip = mc->ip;

	if (between(ip, pv_intr_start, pv_intr_syscall + 1) || between(ip, pv_wait_start, pv_wait_syscall + 1)) {
		mc->ip = (u64)pv_eintr;
	} else if (between(ip, pv_leave, pv_leave_end)) {
		mc->ip = (u64)pv_leave;
		mc->sp = (u64)t->regs;
	} else if (between(ip, pv_leave_check, pv_leave_full_end)) {
		mc->ip = (u64)pv_leave_full;
		mc->sp = (u64)t->regs;
	}
}

static void on_sigsys(struct pv_thread *t, siginfo_t *si, struct sigcontext_64 *mc)
{
	if (in_text(mc->ip))
		panic("forbidden host call %d from kernel text %#lx", si->_sifields._sigsys._syscall, (u64)mc->ip);
	if (in_kernel(t, mc)) { /* the vdso, called by the kernel, fell back to a system call: clock.c copes */
		mc->ax = (u64)-ENOSYS;
		return;
	}
	if (si->_sifields._sigsys._arch != AUDIT_ARCH_X86_64) { /* int $0x80: not an interface of this kernel */
		t->fault_sig = SIGSEGV;
		t->fault_code = SI_KERNEL;
		t->fault_addr = 0;
		bounce(t, mc);
		return;
	}
	mc->cx = mc->ip;
	mc->ip = (u64)pv_trap_entry;
	mc->flags &= ~(u64)EFLAGS_TF;
}

static void kernel_fault(struct pv_thread *t, int sig, siginfo_t *si, struct sigcontext_64 *mc, bool gs_was_wrong)
{
	u64 fix = pv_extable_find(mc->ip);

	if (sig == SIGTRAP) { /* a user's single step reached a patched call */
		mc->flags &= ~(u64)EFLAGS_TF;
		return;
	}
	if (gs_was_wrong) /* user code changed gs: it is right again, once more */
		return;
	if (!fix)
		panic("kernel fault: signal %d at %#lx, address %#lx, sp %#lx", sig, (u64)mc->ip,
		      (u64)si->si_addr, (u64)mc->sp);
	(void)t;
	mc->ip = fix;
}

/* The user's rip is no address. The saved registers, above which the stack is, still hold all that has been popped. */
static void iret_fault(struct pv_thread *t, struct sigcontext_64 *mc)
{
	t->fault_sig = SIGSEGV;
	t->fault_code = SI_KERNEL;
	t->fault_addr = 0;
	mc->ip = (u64)pv_bounce_entry;
	mc->sp = (u64)t->regs;
}

static void user_fault(struct pv_thread *t, int sig, siginfo_t *si, struct sigcontext_64 *mc)
{
	t->fault_sig = (u32)sig;
	t->fault_code = si->si_code;
	t->fault_addr = (u64)si->si_addr;
	t->fault_trapno = (u32)mc->trapno;
	t->fault_err = mc->err;
	bounce(t, mc);
}

void pv_signal_handler(int sig, siginfo_t *si, struct host_ucontext *uc); /* called by pv_signal_entry */

void pv_signal_handler(int sig, siginfo_t *si, struct host_ucontext *uc)
{
	struct pv_thread *t = (struct pv_thread *)((u64)__builtin_frame_address(0) & ~(TBLOCK_SIZE - 1ULL));
	struct sigcontext_64 *mc = &uc->mc;
	bool gs_was_wrong = rdgsbase() != (u64)t;

	if (gs_was_wrong)
		wrgsbase(t);
	if (sig == SIG_KICK)
		__atomic_add_fetch(&t->kicks, 1, __ATOMIC_SEQ_CST);
	if (sig == SIG_KICK && t->host_tid == 1) /* vm0 is kicked by the hypervisor, too, who cannot set its work */
		t->work |= 1;
	if (sig == SIGSYS)
		on_sigsys(t, si, mc);
	else if (sig == SIG_KICK && in_kernel(t, mc))
		kick_in_kernel(t, mc);
	else if (sig == SIG_KICK)
		bounce(t, mc);
	else if (mc->ip == (u64)pv_iret && sig == SIGSEGV)
		iret_fault(t, mc);
	else if (in_kernel(t, mc))
		kernel_fault(t, sig, si, mc, gs_was_wrong);
	else
		user_fault(t, sig, si, mc);
}

/* Handlers: they do not outlive the execution of an image. Once for all images: what is ignored. */
void pv_signal_setup(bool first)
{
	static const int caught[] = { SIGSYS, SIG_KICK, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	static const int ignored[] = { SIGPIPE, SIGXFSZ };
	struct host_sigaction sa = {
		.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER,
		.restorer = (void *)hostcall_site_sigreturn,
		/* Only kicks wait; faults and SIGSYS must never be blocked: the host would kill the process. */
		.mask = 1ULL << (SIG_KICK - 1),
	};
	size_t i;

	sa.handler = (void *)pv_signal_entry;
	for (i = 0; i < ARRAY_SIZE(caught); i++)
		hostcall(rt_sigaction, caught[i], &sa, 0, 8);
	sa.handler = (void *)1; /* SIG_IGN */
	for (i = 0; first && i < ARRAY_SIZE(ignored); i++)
		hostcall(rt_sigaction, ignored[i], &sa, 0, 8);
}

void pv_signal_stack(struct pv_thread *t)
{
	stack_t ss = { .ss_sp = (char *)t + TBLOCK_ALT, .ss_size = TBLOCK_ALT_SIZE };

	hostcall(sigaltstack, &ss, 0);
}
