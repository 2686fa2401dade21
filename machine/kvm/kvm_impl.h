/* SPDX-License-Identifier: Apache-2.0 */
/* The kvm machine's own state: per thread, per CPU, per VM. */
#ifndef KVM_IMPL_H
#define KVM_IMPL_H

#include "kernel.h"
#include "kvm.h"
#include "kvm_asm.h"
#include "layout.h"
#include "ring.h"
#include "sync.h"
#include "tree.h"

struct space;

enum thread_state {
	T_NEW,      /* not started */
	T_RUNNABLE, /* runs, or is on the run queue */
	T_PARKED,
	T_DEAD,
};

#define STACK_MAGIC 0x6b7374636b656e64ULL /* the lowest word of a thread's kernel stack */

/* thread.token: what a parked thread was woken by, or would have been. */
#define TOKEN_UNPARK 1u
#define TOKEN_READY 2u /* a handle is ready, a PV call was answered */

/* What struct mc_thread is here: the first member of struct task. */
struct thread {
	u32 work;
	u32 token; /* under run_lock */
	u64 host_calls, pv_calls; /* exits by call; PV calls */
	struct pt_regs *regs;     /* at the top of the kernel stack */
	u8 *stack;
	u64 sp; /* of a thread that does not run */
	struct space *space; /* NULL: kernel thread */
	struct thread *next; /* on the run queue, or a list of sleepers */
	u32 state;  /* enum thread_state, under run_lock */
	u32 cpu;    /* on which it ran last */
	bool on_cpu; /* its stack is in use */
	bool intr;   /* parked: a kick ends it */
	bool freed;  /* nobody needs it any more: it goes some time after its stack is left */
	bool boot;   /* the first process */
	u8 how;      /* enum mc_start */
	bool timed_out;
	u8 wants; /* tokens that wake it */
	bool queued; /* waits for a CPU */
	u64 cpus; /* those that it may use; 0: all */
	u32 *lock_word;       /* sleeps in mc_lock_wait() */
	struct tree_node timer; /* key: deadline */
	u64 fsbase, gsbase;
	u8 *fpu;      /* XSAVE area */
	struct process *process;
	u32 kicks; /* mc_kicks_taken() */
	u32 count_seq; /* odd: the counts of CPU time are being changed */
	u64 since, time[2], told[2]; /* ns, of the kernel and of user code; what the process has of it */
	bool in_user;
	u8 pad2[7];
};
_Static_assert(sizeof(struct thread) <= sizeof(struct mc_thread), "mc_thread is too small");
_Static_assert(offsetof(struct thread, host_calls) == offsetof(struct mc_thread, host_calls), "");

/* CPU time of the threads of a process, also of those that are gone. */
struct process {
	u32 refs;
	u64 time[2]; /* as of a thread */
};

enum cpu_mode {
	CPU_KERNEL, /* flushes its TLB before it enters another one, if asked to */
	CPU_USER,   /* has to be interrupted for that */
	CPU_UACCESS, /* the kernel uses user memory: is waited for */
};

struct cpu {
	struct cpu *self;
	struct thread *thread;
	u64 stack;
	u64 scratch;
	u32 id;
	u32 mode;       /* enum cpu_mode */
	u32 flush;      /* the TLB is to be flushed */
	bool halted;    /* idle, and has to be interrupted to see the run queue */
	bool resched;   /* the thread's time is up */
	bool idle;
	u32 late; /* interrupts to act on before user code runs: late_interrupts() */
	struct space *space; /* whose page tables it uses */
	struct thread *prev; /* during a switch */
	struct thread idle_thread;
	struct kvm_call *call;
	u64 timer; /* deadline that the local timer is set to; MC_FOREVER: none */
	u32 bound; /* of those that wait, and may not use all CPUs: who may use this one */
	u64 slice_end; /* when the thread has to let others run; 0: none wait */
	u64 gdt[9];
	u8 tss[104];
};
_Static_assert(offsetof(struct cpu, thread) == C_THREAD && offsetof(struct cpu, stack) == C_STACK, "");
_Static_assert(offsetof(struct cpu, scratch) == C_SCRATCH, "");

extern struct cpu cpus[KVM_MAX_CPUS];
extern u32 ncpus;

#define RING ((struct ring_header *)(KVM_DIRECT + KVM_RING_GPA))
#define COUNTERS ((struct guest_counters *)(KVM_DIRECT + KVM_RING_GPA + RING_COUNTERS_OFF))
#define BOOT ((struct boot_info *)(KVM_DIRECT + KVM_RING_GPA + RING_BOOT_OFF))
#define READY ((struct kvm_ready *)(KVM_LOWMEM + KVM_READY_GPA))

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(c) : "i"(C_SELF));
	return c;
}
static inline struct thread *self(void)
{
	struct thread *t;

	__asm__("movq %%gs:%c1, %0" : "=r"(t) : "i"(C_THREAD));
	return t;
}
static inline struct thread *thread_of(struct task *t) { return (struct thread *)t; }
static inline bool may_use(const struct thread *t, u32 cpu)
{
	u64 mask = READ_ONCE(t->cpus);

	return !mask || mask >> cpu & 1;
}
static inline void *direct(u64 gpa) { return (void *)(KVM_DIRECT + gpa); }

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
static inline u64 read_cr2(void)
{
	u64 v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}
static inline void write_cr3(u64 v) { __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory"); }

/* ---- spin locks: taken with interrupts off, held for a few instructions ---- */
struct spinlock {
	u32 held;
};
static inline void spin_lock(struct spinlock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		while (READ_ONCE(l->held))
			__builtin_ia32_pause();
}
static inline void spin_unlock(struct spinlock *l) { __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE); }

/* entry.S */
extern char kvm_wcopy_site[], kvm_stubs[], kvm_syscall_entry[], kvm_thread_entry[], kvm_leave_entry[], ktext_end[];
extern u8 cpu_stacks[KVM_MAX_CPUS][CPU_STACKS][CPU_STACK_ROOM];
extern char kvm_halt_site[];
void kvm_halt(void);
void kvm_switch(u64 *save, u64 sp);
void kvm_call_on_stack(void *sp, void (*fn)(void *), void *arg) __attribute__((noreturn));
long kvm_ucopy(void *to, const void *from, size_t n);
long kvm_wcopy(void *to, const void *from, size_t n); /* from the window: -EFAULT if a file has shrunk */
long kvm_uclear(void *to, u64 unused, size_t n);
long kvm_ustrncpy(char *to, uaddr_t from, size_t room);
long kvm_ucmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old);
long kvm_uload(uaddr_t addr, u32 *val);

/* called from entry.S */
void kvm_start(u32 id) __attribute__((noreturn));
bool kvm_syscall(struct pt_regs *regs); /* true: leave by restoring all registers */
void kvm_leave(struct pt_regs *regs);
void kvm_user_trap(struct pt_regs *regs, u32 vector);
void kvm_kernel_trap(struct pt_regs *regs, u32 vector);
void kvm_fatal_trap(struct pt_regs *regs, u32 vector);
void kvm_thread_main(void);
void late_interrupts(void); /* trap.c; no lock is held */

/* cpu.c */
void cpu_init(u32 id);
void cpu_set_stack(struct cpu *c, u64 top);
extern bool cpu_smap;
#define MSR_GS_BASE 0xc0000101
#define CR4_UMIP (1ULL << 11)
#define CR4_SMEP (1ULL << 20)
#define CR4_SMAP (1ULL << 21)
bool cpu_has_cr4(u64 bit);
struct cpu *cpu_of_stack(const void *sp); /* whose stack of cpu_stacks that is */
/* kernelmap.c */
void guard_page(const void *page);
void kernel_map_check(void); /* by a thread: it may say what it found */
/* lapic.c */
void lapic_eoi(void);
void lapic_send(u32 cpu, u32 vector);
void timer_set(u64 deadline); /* this CPU's: an interrupt then, or earlier */
/* call.c: the call page is the CPU's, so nothing may sleep between begin and the last look at it */
struct kvm_call *call_begin(void);
s64 call_make(u32 nr);
void slots_answered(void); /* PV calls */
/* queue.c: who waits for a CPU. run_lock held but for queue_waits() */
extern struct spinlock run_lock;
extern u32 queue_unbound; /* may use all CPUs */
void queue_add(struct thread *t);
struct thread *queue_take(const struct cpu *c);
static inline bool queue_waits(const struct cpu *c) { return READ_ONCE(queue_unbound) || READ_ONCE(c->bound); }
void queue_tell(struct thread *t);  /* a CPU for it, if it is on the queue */
void queue_tell_idle(void);
/* sched.c */
void sched_idle(void) __attribute__((noreturn));
void schedule(void);          /* run_lock held; released when the thread runs again */
void sched_dead(void) __attribute__((noreturn));
void sched_switched(void);    /* first thing on a new thread's stack */
void sched_reap(void);        /* the memory of threads that are gone; may sleep */
void sched_tick(void);
void sched_share(void);
/* Until one of the tokens comes: those that came (and are taken), 0 (no cause), -EINTR, -ETIMEDOUT. */
int sched_park(u32 tokens, u64 deadline, bool intr);
void sched_wake(struct thread *t, u32 token);
void make_runnable(struct thread *t); /* run_lock held */
bool cpu_enter_user(void);    /* true: something is to be done first */
void cpu_uaccess(bool on);
void flush_space(struct space *s); /* on all CPUs that use it */
void cpu_load_space(struct space *s);
/* thread.c */
void thread_free(struct thread *t);
void thread_enqueue(struct thread *t); /* its first time */
/* cputime.c */
void cputime_kernel(void); /* from user mode into the kernel */
void cputime_user(void);
void cputime_switch(struct thread *prev, struct thread *next);
/* apf.c */
bool apf_waits(void); /* a page fault of user code is none: the host has to read the page */
void apf_there(void);
/* frame.c: pages of KVM_RAM, by guest-physical address */
void frames_init(void);
u64 frame_alloc(void);        /* zeroed, one reference; 0: no memory */
u64 frame_alloc_dirty(void);
u64 frame_alloc_table(void);  /* for a page table: zeroed */
void frame_get(u64 gpa);
void frame_put(u64 gpa);
u32 frame_refs(u64 gpa);
u64 frames_size(void);        /* of all there are, bytes */
/* Gives free memory back to the host, if it was not needed for a while. An exit at most, and few of them. */
void frames_trim(void);
u64 frames_trim_at(void);     /* when it is worth to try again */
static inline bool is_frame(u64 gpa) { return gpa >= KVM_RAM_GPA && gpa < KVM_RAM_GPA + KVM_RAM_MAX; }
void *arena_alloc(size_t len); /* zeroed, page granular, never given back */
/* pagetable.c */
#define PTE_P 1ULL
#define PTE_W 2ULL
#define PTE_U 4ULL
#define PTE_A 0x20ULL
#define PTE_D 0x40ULL
#define PTE_NX (1ULL << 63)
#define PTE_ADDR 0x000ffffffffff000ULL
u64 *pte_find(u64 pml4, uaddr_t addr);  /* NULL: there is no table for it */
u64 *pte_make(u64 pml4, uaddr_t addr);  /* NULL: no memory */
/* The next address from addr on, below end, for which there may be an entry. */
uaddr_t pte_next(u64 pml4, uaddr_t addr, uaddr_t end);
u64 tables_new(void);                   /* with the kernel's half; 0: no memory */
void tables_free(u64 pml4);             /* its pages' entries are clear */
/* space.c */
struct space *space_new(void);
struct space *space_get(struct space *s);
void space_put(struct space *s);
struct space *space_fork(struct space *s);
u64 space_root(struct space *s);
/* fault.c */
struct fault_result {
	int sig, code;
};
bool fault_in(struct space *s, uaddr_t addr, bool write, bool exec, struct fault_result *r); /* false: r says why not */
void files_shrunk(struct space *s);
/* The page's frame or window page, held, for a transfer that the CPU does not make itself; 0: -EFAULT. */
u64 page_hold(struct space *s, uaddr_t addr, bool write);
/* For debuggers, who may write to private pages that the program itself may not. */
u64 page_hold_forced(struct space *s, uaddr_t addr);
void page_drop(u64 gpa);
/* object.c */
s64 object_read(u32 handle, void *buf, size_t len, u64 off); /* by a mapping; -EAGAIN: it can't */
void objects_forget(u32 handle); /* it is about to be another file's */
/* fpu.c */
void fpu_init_cpu(void);
u8 *fpu_alloc(void);
void fpu_save(struct thread *t);
void fpu_load(struct thread *t);
/* clock.c */
void clock_init(void);
u64 clock_now(void); /* CLOCK_MONOTONIC */
/* ready.c: who waits for a handle is on a list before he asks for it */
struct ready_wait {
	struct ready_wait *next;
	struct thread *thread;
	u32 handle;
};
void ready_begin(struct ready_wait *w, u32 handle);
void ready_end(struct ready_wait *w);
void ready_take(void);
int ready_wait(u32 handle, u32 events, u64 deadline); /* > 0: it is; 0: unparked, deadline; -EINTR */
/* event.c */
void host_event(void);
void vm_thread_start(void);
void vm_thread_main(void) __attribute__((noreturn));
/* extable */
u64 extable_find(u64 rip);

#endif
