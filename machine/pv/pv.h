/* SPDX-License-Identifier: Apache-2.0 */
/* The pv machine's own state: per thread, per host process, per VM. */
#ifndef PV_H
#define PV_H

#include <asm/siginfo.h>

#include "kernel.h"
#include "layout.h"
#include "pv_asm.h"
#include "ring.h"
#include "sync.h"

/* What struct mc_thread is here. First member of struct task; gs base points to it. */
struct pv_thread {
	u32 work;
	u32 token; /* TOKEN_*: park and unpark */
	u64 nhostcalls, npvcalls; /* counted for `callgate debug syscalls` */
	struct pv_thread *self;
	struct pt_regs *regs;
	u64 scratch;
	u32 dead;
	u32 how; /* enum mc_start */
	u32 *live; /* of the host process: threads that have not reached their last instructions */
	u32 host_tid, host_pid; /* host_tid 0: not to be kicked yet */
	u32 new_tid; /* written by the host's clone */
	bool shared_space; /* vfork child: the space is somebody else's */
	bool boot;         /* first process: starts in kernel_boot() */
	u8 pad[6];
	struct pv_thread *next_free;
	/* A synchronous fault, from the signal handler to pv_bounced(). */
	u32 fault_sig;
	s32 fault_code;
	u64 fault_addr, fault_err;
	u32 fault_trapno;
	u32 kicks; /* taken by the signal handler: mc_kicks_taken() */
	/* mc_space_renew() by a new host image */
	void (*resume)(void *);
	void *resume_arg;
	u32 *present; /* copy of the descriptor map over exec */
	u32 npresent;
	struct {
		u32 on;               /* park() looks for a wake-up before it sleeps */
		u32 cost, sleep_cost; /* of a wait with and without that */
		u32 gap, left;        /* sleeps between two attempts; still to come */
	} spin;
};
_Static_assert(sizeof(struct pv_thread) <= sizeof(struct mc_thread), "mc_thread is too small");
_Static_assert(offsetof(struct pv_thread, work) == T_WORK, "");
_Static_assert(offsetof(struct pv_thread, token) == T_TOKEN, "");
_Static_assert(offsetof(struct pv_thread, self) == T_SELF, "");
_Static_assert(offsetof(struct pv_thread, nhostcalls) == offsetof(struct mc_thread, host_calls), "");
_Static_assert(offsetof(struct pv_thread, regs) == T_REGS, "");
_Static_assert(offsetof(struct pv_thread, scratch) == T_SCRATCH, "");
_Static_assert(offsetof(struct pv_thread, dead) == T_DEAD, "");
_Static_assert(offsetof(struct pv_thread, dead) == T_DEAD, "");
_Static_assert(offsetof(struct pv_thread, live) == T_HP, "");
_Static_assert(sizeof(struct pt_regs) == 168 && offsetof(struct pt_regs, rip) == R_RIP, "");

/*
 * Private to the host process (KPRIV_BASE): copied by fork, shared by CLONE_VM, new after exec of the image. What is
 * written often lies together: each page of it that a child writes is copied.
 */
#define TEXT_MAPS 32
struct text;
struct text_image;
/* What traps look at: in one piece of 64 KiB (guest.ld). */
#define BSS_SITES __attribute__((section(".bss.sites")))
#define PATCH_PAGES 64
#define PATCH_LOG 512 /* sites */
#define INSN_MAX 9 /* of the replaced instruction: it must fit into a slot */
#define PADDING_MAX 31
struct pv_private {
	struct patch_undo {
		uaddr_t site;
		u8 len, hole, hole_len; /* as in struct verdict */
		u8 insn[INSN_MAX], padding[PADDING_MAX]; /* what the jumps are in place of */
	} patch_log[PATCH_LOG]; /* patch.c, as the following */
	struct mutex patch_lock;
	u32 patch_slots;      /* used slots of the trampoline page */
	uaddr_t patch_tramp;  /* trampoline page in use, 0 none */
	uaddr_t patch_scratch;
	u32 patch_family, patch_wishes_seen; /* hot_sites.c; family 0: none yet */
	u32 patch_npages;
	bool patch_off; /* mc_code_original() */
	u32 patch_nlog;
	uaddr_t patch_pages[PATCH_PAGES]; /* pages that hold patched sites */
	struct text_map { /* text segments that are mapped: text.c; changed with the lock of the kernel's address space */
		uaddr_t start;
		u64 len;
		struct text *text;
		const struct text_image *image; /* that is mapped in its place */
	} text_maps[TEXT_MAPS];
	u32 ntext_maps, images_seen;
	long (*vdso_gettime)(int clock, void *ts);
	u64 vdso;
	char *args; /* the host's: what its ps shows */
	u32 args_room, args_used;
	u32 present_end; /* handles at and above have no descriptor here */
	u32 present[];   /* per handle: generation of the descriptor that this process holds; 0 none */
};
#define PRIV ((struct pv_private *)KPRIV_BASE)
#define RING ((struct ring_header *)KRING_BASE)
#define COUNTERS ((struct guest_counters *)(KRING_BASE + RING_COUNTERS_OFF))
#define BOOT ((struct boot_info *)(KRING_BASE + RING_BOOT_OFF))

static inline struct pv_thread *pv_self(void)
{
	struct pv_thread *t;

	__asm__("movq %%gs:%c1, %0" : "=r"(t) : "i"(T_SELF));
	return t;
}
static inline struct pv_thread *pv_of(struct task *t) { return (struct pv_thread *)t; }

static inline void wrgsbase(const void *p) { __asm__ volatile("wrgsbase %0" ::"r"(p)); }
static inline u64 rdgsbase(void)
{
	u64 v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

/* entry.S */
extern char hostcall_block[], hostcall_block_end[], ktext_end[];
extern char pv_intr_start[], pv_intr_syscall[], pv_wait_start[], pv_wait_syscall[], pv_eintr[];
extern char pv_leave[], pv_leave_end[], pv_leave_check[], pv_leave_full[], pv_leave_full_end[], pv_iret[];
extern char pv_syscall_entry[], pv_trap_entry[], pv_bounce_entry[], pv_signal_entry[], pv_cpuid_entry[];
long pv_ucopy(void *to, const void *from, size_t n);
long pv_uclear(void *to, u64 unused, size_t n);
long pv_ustrncpy(char *to, uaddr_t from, size_t room);
long pv_ucmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old);
long pv_uload(uaddr_t addr, u32 *val);
long pv_xsave(void *to, u64 mask);
long pv_xrstor(const void *from, u64 mask);
long pv_fxrstor(const void *from);
void pv_run_on_empty_stack(void (*fn)(void *), void *arg) __attribute__((noreturn));
void pv_call_on_stack(void *sp, void (*fn)(void *), void *arg) __attribute__((noreturn));
void hostcall_site_sigreturn(void);

/* called from entry.S */
void pv_start(u64 *stack) __attribute__((noreturn));
void pv_child_main(struct pv_thread *t);
s64 pv_trapped_syscall(struct pt_regs *regs);
void pv_user_work(struct pt_regs *regs);
void pv_bounced(struct pt_regs *regs);
void pv_cpuid(struct pt_regs *regs); /* cpuid.c */

/* signal.c */
void pv_signal_setup(bool first);        /* handlers: once per host image */
void pv_signal_stack(struct pv_thread *t); /* the thread's alternate stack */
/* thread.c */
void pv_thread_init(struct pv_thread *t);
long pv_clone(struct pv_thread *child, u64 flags); /* the host's */
bool pv_count_live(struct pv_thread *t, u32 *live); /* a new thread of the host process that `live` belongs to; NULL: a new process */
void pv_touch_shared(const struct pv_thread *t);
/* vm0.c */
void pv_vm0_main(void) __attribute__((noreturn));
bool pv_is_vm0(void);
int pv_vm0_start(struct pv_thread *child); /* a kernel thread */
u32 pv_reaped(void);         /* how many there were */
bool pv_await_reaping(u32 seen); /* of one more. False: none has in a while */
/* cmdline.c */
void pv_cmdline_setup(char **argv, u64 argc);
/* handle.c */
bool pv_handle_present(u32 handle);
int pv_fd(u32 handle); /* the host descriptor, fetching it if needed; -EBADF ... */
void pv_handle_before(const struct pv_request *r); /* a PV call that may bear on postponed releases */
void pv_handle_opened(const struct pv_request *r); /* PV_OPEN has made its handle */
bool pv_doorbell(void); /* to a hypervisor that sleeps; after what it is to see was stored. It slept? */
void pv_handle_take(u32 handle, u32 sequence); /* receive a donated descriptor */
void pv_handle_exec_save(struct pv_thread *t);
void pv_handle_exec_restore(struct pv_thread *t);
void pv_handle_sweep(void); /* close copies of released handles */
/* patch.c */
void pv_patch_consider(struct pt_regs *regs);
void pv_patch_reset(void);
bool pv_patched_in(uaddr_t addr, u64 len);
void pv_patch_change(uaddr_t addr, u64 len, bool goes); /* as pv_text_change */
void pv_patch_wishes(void); /* patch what the family has found worth it */
/* hot_sites.c */
#define PV_WISHES 32
struct pv_wish {
	u32 family;
	uaddr_t site;
	u64 nr, hash; /* the number that it was called with; of the code around */
};
bool pv_site_trapped(uaddr_t site); /* count it; true: it is worth a patch */
void pv_site_again(uaddr_t site);   /* not now: at its next trap */
void pv_wish_add(const struct pv_wish *wish);
u32 pv_wishes_take(struct pv_wish *to); /* of the caller's family, not taken yet; room for PV_WISHES */
/* text.c: text segments of files, mapped from copies with patched sites. All but the last with the lock of the kernel's address space */
int pv_text_map(uaddr_t addr, u64 len, int flags, u32 file, u64 off); /* readable, executable; 0 or -errno */
void pv_text_change(uaddr_t addr, u64 len, bool goes); /* before it goes, or is mapped or protected otherwise */
void pv_text_trapped(uaddr_t site, u64 nr);
void pv_text_original(void); /* undo it all, for debuggers; takes that lock */
void pv_text_fetch(void);    /* descriptors of those copies: who forks */
/* clock.c */
void pv_clock_setup(u64 vdso);
s64 pv_own_write(uaddr_t addr, const void *buf, size_t len); /* of this process, by the hypervisor: read-only text, too */
/* fpu.c */
void pv_fpu_setup(void);
/* Zeroed memory of the machine's own, page granular, never given back; NULL: exhausted. */
void *pv_arena_alloc(size_t len);
int pv_futex_wait(u32 *word, u32 val, u64 deadline, bool intr);
/* exception table lookup: fixup address or 0 */
u64 pv_extable_find(u64 rip);

#endif
