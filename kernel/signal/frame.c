// SPDX-License-Identifier: Apache-2.0
/*
 * Signal frames, as Linux lays them out on x86-64 (arch/x86/include/asm/sigframe.h), from the low
 * end: struct rt_sigframe, then the FPU image at a multiple of 64. The handler starts with the
 * stack pointer at the frame, which is 8 below a multiple of 16, as after a call.
 */
#include <asm/sigcontext.h>

#include "syscall.h"

#include "sig.h"

#include <asm/ucontext.h>

#define RED_ZONE 128
#define USER_CS 0x33
#define USER_SS 0x2b

#define FLAG_TF 0x100u
#define FLAG_DF 0x400u
#define FLAG_RF 0x10000u
#define FLAG_AC 0x40000u
/* What sigreturn may change: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF. */
#define FLAGS_USER (FLAG_AC | 0x800u | FLAG_DF | FLAG_TF | 0xd5u | FLAG_RF)

struct rt_sigframe {
	uaddr_t pretcode;
	struct ucontext uc;
	siginfo_t info;
};
_Static_assert(offsetof(struct rt_sigframe, uc.uc_mcontext) == 48, "as Linux");
_Static_assert(sizeof(struct sigcontext) == 256, "as Linux");
_Static_assert(sizeof(struct rt_sigframe) == 440, "as Linux");

/* ---- the alternate stack ---- */

static bool on_altstack(struct task *t, u64 sp)
{
	if (t->sas_flags & SS_AUTODISARM)
		return false;
	return sp > t->sas_sp && sp - t->sas_sp <= t->sas_size;
}

static void altstack_reset(struct task *t)
{
	t->sas_sp = 0;
	t->sas_size = 0;
	t->sas_flags = SS_DISABLE;
}

static void altstack_save(struct task *t, stack_t *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_sp = (void *)t->sas_sp;
	out->ss_size = t->sas_size;
	out->ss_flags = t->sas_size ? (int)t->sas_flags : SS_DISABLE;
}

static int altstack_set(struct task *t, const stack_t *s, u64 sp)
{
	u32 mode = (u32)s->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		altstack_reset(t);
		t->sas_flags |= (u32)s->ss_flags & SS_AUTODISARM;
		return 0;
	}
	if (s->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	t->sas_sp = (uaddr_t)s->ss_sp;
	t->sas_size = s->ss_size;
	t->sas_flags = (u32)s->ss_flags;
	return 0;
}

long sys_sigaltstack(u64 new, u64 old)
{
	struct task *t = current;
	u64 sp = mc_regs(t)->rsp;
	stack_t set, was;
	int err;

	altstack_save(t, &was);
	was.ss_flags = (int)(t->sas_flags & SS_AUTODISARM);
	if (!t->sas_size)
		was.ss_flags |= SS_DISABLE;
	else if (on_altstack(t, sp))
		was.ss_flags |= SS_ONSTACK;
	if (new) {
		if (mc_copy_from_user(&set, new, sizeof(set)))
			return -EFAULT;
		err = altstack_set(t, &set, sp);
		if (err)
			return err;
	}
	return old && mc_copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}

/* ---- making a frame ---- */

/* Where the frame goes; 0 if it would run off the alternate stack. */
static uaddr_t frame_place(struct task *t, const struct ksigaction *ka, u64 sp, uaddr_t *fpu)
{
	bool alt = on_altstack(t, sp);

	sp -= RED_ZONE;
	if ((ka->flags & SA_ONSTACK) && !alt && t->sas_size) {
		sp = t->sas_sp + t->sas_size;
		alt = true;
	}
	*fpu = (sp - mc_fpu_size()) & ~63ULL;
	sp = ((*fpu - sizeof(struct rt_sigframe)) & ~15ULL) - 8;
	if (alt && !(sp > t->sas_sp && sp - t->sas_sp <= t->sas_size))
		return 0;
	return sp;
}

static void save_registers(struct sigcontext *sc, const struct pt_regs *r)
{
	sc->r8 = r->r8;
	sc->r9 = r->r9;
	sc->r10 = r->r10;
	sc->r11 = r->r11;
	sc->r12 = r->r12;
	sc->r13 = r->r13;
	sc->r14 = r->r14;
	sc->r15 = r->r15;
	sc->rdi = r->rdi;
	sc->rsi = r->rsi;
	sc->rbp = r->rbp;
	sc->rbx = r->rbx;
	sc->rdx = r->rdx;
	sc->rax = r->rax;
	sc->rcx = r->rcx;
	sc->rsp = r->rsp;
	sc->rip = r->rip;
	sc->eflags = r->rflags;
	sc->cs = (u16)r->cs;
	sc->ss = (u16)r->ss;
}

static void fill_context(struct task *t, struct ucontext *uc, const struct pt_regs *regs,
			 uaddr_t fpu)
{
	struct sigcontext *sc = &uc->uc_mcontext;

	uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	altstack_save(t, &uc->uc_stack);
	save_registers(sc, regs);
	/* sigsuspend and ppoll: what comes back is the mask from before the call. */
	uc->uc_sigmask = (READ_ONCE(t->mc.work) & WORK_SIGMASK) ? t->saved_sigmask : t->blocked;
	sc->oldmask = uc->uc_sigmask;
	sc->err = t->trap_err;
	sc->trapno = t->trap_nr;
	sc->cr2 = t->trap_addr;
	sc->fpstate = (void *)fpu;
}

static void enter_handler(struct pt_regs *regs, const struct ksigaction *ka, int sig, uaddr_t frame)
{
	regs->rdi = (u64)sig;
	regs->rax = 0; /* number of vector registers, for a handler without a prototype */
	regs->rsi = frame + offsetof(struct rt_sigframe, info);
	regs->rdx = frame + offsetof(struct rt_sigframe, uc);
	regs->rip = ka->handler;
	regs->rsp = frame;
	regs->cs = USER_CS;
	regs->ss = USER_SS;
	regs->rflags &= ~(u64)(FLAG_DF | FLAG_RF | FLAG_TF);
	regs->orig_rax = ~0ULL;
	mc_regs_changed();
}

int setup_frame(struct task *t, const struct ksigaction *ka, int sig, const siginfo_t *info,
		struct pt_regs *regs)
{
	struct rt_sigframe f;
	uaddr_t fpu, at = frame_place(t, ka, regs->rsp, &fpu);

	if (!at || !(ka->flags & SA_RESTORER))
		return -EFAULT;
	memset(&f, 0, sizeof(f));
	f.pretcode = ka->restorer;
	f.info = *info;
	fill_context(t, &f.uc, regs, fpu);
	if (mc_fpu_save(fpu) || mc_copy_to_user(at, &f, sizeof(f)))
		return -EFAULT;
	if (t->sas_flags & SS_AUTODISARM)
		altstack_reset(t);
	enter_handler(regs, ka, sig, at);
	return 0;
}

/* ---- going back ---- */

static void load_registers(struct pt_regs *r, const struct sigcontext *sc)
{
	r->r8 = sc->r8;
	r->r9 = sc->r9;
	r->r10 = sc->r10;
	r->r11 = sc->r11;
	r->r12 = sc->r12;
	r->r13 = sc->r13;
	r->r14 = sc->r14;
	r->r15 = sc->r15;
	r->rdi = sc->rdi;
	r->rsi = sc->rsi;
	r->rbp = sc->rbp;
	r->rbx = sc->rbx;
	r->rdx = sc->rdx;
	r->rax = sc->rax;
	r->rcx = sc->rcx;
	r->rsp = sc->rsp;
	r->rip = sc->rip;
	r->rflags = (r->rflags & ~(u64)FLAGS_USER) | (sc->eflags & FLAGS_USER);
	/* There is one code and one stack segment: 32-bit code is not served. */
	r->cs = USER_CS;
	r->ss = USER_SS;
	r->orig_rax = ~0ULL;
}

static int restore_frame(struct task *t, struct pt_regs *regs)
{
	uaddr_t at = regs->rsp - 8; /* the handler's ret took pretcode */
	struct ucontext uc;

	if (mc_copy_from_user(&uc, at + offsetof(struct rt_sigframe, uc), sizeof(uc)))
		return -EFAULT;
	set_blocked(uc.uc_sigmask);
	load_registers(regs, &uc.uc_mcontext);
	mc_regs_changed();
	if (mc_fpu_restore((uaddr_t)uc.uc_mcontext.fpstate))
		return -EFAULT;
	altstack_set(t, &uc.uc_stack, regs->rsp); /* a bad one is left alone, as in Linux */
	return 0;
}

/* The result is what rax was when the signal came. */
long sys_rt_sigreturn(void)
{
	struct task *t = current;
	struct pt_regs *regs = mc_regs(t);

	t->restart.fn = NULL; /* the interrupted call ended in EINTR: nothing is to go on */
	if (restore_frame(t, regs)) {
		force_signal(SIGSEGV, NULL);
		return 0;
	}
	return (long)regs->rax;
}
