/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h: what a machine gives the guest kernel, and what the kernel gives back.
 *
 * The kernel (kernel/) uses nothing outside itself but the mc_* functions
 * declared here; a build step proves it. A machine (machine/pv, machine/stub, ...)
 * implements them all, and calls the upcalls at the end of this file.
 *
 * Errors are negative errno values. Times are nanoseconds of CLOCK_MONOTONIC.
 * "Interruptible" means: returns -EINTR at once when the calling thread has work
 * pending (mc_thread.work != 0) at the call or is kicked during it. No kick is lost.
 */
#ifndef CALLGATE_MACHINE_H
#define CALLGATE_MACHINE_H

#include "pvcall.h"
#include "types.h"

struct task; /* the kernel's; begins with struct mc_thread */
struct pollfd;
struct stat;
struct data_ring;

/* The user's registers at entry: the order of Linux' struct pt_regs (ptrace, core dumps, signal frames). */
struct pt_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system call number; -1: entered by a fault or a kick */
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * The first member of struct task. The kernel may read and write `work`, and read the counts; the
 * rest belongs to the machine. `work` is a set of bits of the kernel's choosing (but bit 31, the machine's): whoever
 * sets a bit for another task (atomically) then calls mc_kick(). While it is
 * not 0, the task enters kernel_user_work() before it returns to user mode.
 */
struct mc_thread {
	u32 work;
	u32 park_token;
	u64 host_calls, pv_calls; /* made by this thread so far: for exact accounting per system call */
	u64 opaque[60];
};

#define MC_FOREVER (~0ULL)

/* ---- threads ---- */

/* Zeroed memory for a struct task of `size` bytes with all the machine needs for a thread. NULL: no memory. */
struct task *mc_task_alloc(size_t size);
/* Give it back: it was never started. A thread that was is given back by its mc_thread_exit(). */
void mc_task_free(struct task *t);

enum mc_start {
	MC_THREAD, /* shares the caller's space */
	MC_FORK,   /* gets a copy-on-write copy of the caller's space */
	MC_VFORK,  /* a process of its own that shares the caller's space until mc_space_renew() or exit */
	MC_KERNEL, /* runs kernel code only, in no user space; starts in kernel_thread_main() */
	MC_NEW,    /* a process in an empty space of its own; starts in kernel_process_main(). Only from kernel_host_events() */
};
/*
 * Start `child`, whose user registers are *regs (MC_KERNEL: NULL). It begins in
 * kernel_task_start(child) and then returns to user mode with rax as it is in regs.
 * 0 or -errno. The child may run before this returns.
 */
int mc_thread_start(struct task *child, enum mc_start how, const struct pt_regs *regs);
/* End the calling thread, and give it back. `last`: it is the last one of its space (or of a vfork child). */
void mc_thread_exit(bool last) __attribute__((noreturn));
struct task *mc_current(void);
/*
 * Sleep until unparked, kicked (interruptible) or the deadline. 0: unparked (consumes
 * the token that mc_unpark leaves, also one left earlier), -ETIMEDOUT, -EINTR.
 * May return 0 without cause: callers loop over their condition.
 */
int mc_park(u64 deadline);
/* The same, but kicks do not end it. */
int mc_park_killable(u64 deadline);
void mc_unpark(struct task *t);
/* Make t enter kernel_user_work() soon, or leave an interruptible call with -EINTR. */
void mc_kick(struct task *t);
/*
 * Kicks that t has taken so far. When one that was sent has been counted, t has passed a full memory barrier
 * since, wherever it was. *known false: t has not begun to run.
 */
u32 mc_kicks_taken(struct task *t, bool *known);
void mc_yield(void);
/*
 * t, which may not be started yet, is to run on these CPUs only, whatever thread calls; until then it may on all. If it runs on another
 * one it leaves that at once: the caller itself before it is back in user mode. -EINVAL: there is none of them. A machine
 * whose threads the host schedules may do nothing.
 */
int mc_thread_affinity(struct task *t, const u64 *mask, u32 words);
/* t is to be scheduled with this nice value, as far as whoever schedules lets it; a machine may do nothing. */
void mc_thread_nice(struct task *t, int nice);
/* The CPU that the caller runs on, as masks count them. -1: the machine does not know. */
int mc_cpu(void);
/* Slow paths of struct mutex: sleep while *word == val (may return early); wake up to n sleepers. */
void mc_lock_wait(u32 *word, u32 val);
void mc_lock_wake(u32 *word, int n);
/* CPU time used, ns: of one thread; of the whole process that t belongs to. user and system where known (else all is user). */
void mc_cpu_time(struct task *t, bool process, u64 *user, u64 *sys);
/* What the process that t belongs to uses of memory, and its faults; the state is the thread's. 0 or -errno. Not for hot paths. */
int mc_usage(struct task *t, struct pv_proc_stat *st);

/* ---- the user register context and the FPU of the calling thread ---- */

struct pt_regs *mc_regs(struct task *t);
/* The registers were changed as a whole (signal frame, sigreturn, exec, ptrace): restore all of them at return. */
void mc_regs_changed(void);
u64 mc_get_fsbase(void);
void mc_set_fsbase(u64 base);
/* Size in bytes of the FPU image in a signal frame (XSAVE area with both magic words); 64-byte aligned. */
size_t mc_fpu_size(void);
int mc_fpu_save(uaddr_t to);   /* user memory, 64-byte aligned; 0 or -EFAULT */
int mc_fpu_restore(uaddr_t from); /* validates; 0, -EFAULT or -EINVAL. from == 0: initial state */
/*
 * The same image in kernel memory, 64-byte aligned, less the magic words; XCR0 is at 464, as ptrace(2) has it. Validated
 * by the kernel; -EINVAL if the processor refuses it all the same.
 */
void mc_fpu_get(void *to);
int mc_fpu_put(const void *from);
/*
 * A single step is a return to user mode with TF set in the registers: kernel_user_fault() with SIGTRAP and TRAP_TRACE follows,
 * or the next system call, without TF.
 */

/* ---- spaces. All act on the space of the calling thread. Ranges are page aligned and inside the user half. ---- */

/*
 * Leave the present space for an empty one, then call resume(arg) on an empty kernel
 * stack. The caller is the only thread left of its process. The old space is destroyed unless shared (vfork).
 */
void mc_space_renew(void (*resume)(void *arg), void *arg) __attribute__((noreturn));
/*
 * Map [addr, addr+len), replacing what is there. prot: PROT_*. handle 0: anonymous memory; else the open file or memory
 * object, from offset off. flags: MAP_PRIVATE or MAP_SHARED, and MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED.
 */
int mc_map(uaddr_t addr, u64 len, int prot, int flags, u32 handle, u64 off);
int mc_unmap(uaddr_t addr, u64 len);
int mc_protect(uaddr_t addr, u64 len, int prot);
/* Move (and resize) a mapping to `to`, which it replaces; to == from resizes in place. flags: MREMAP_DONTUNMAP or 0. */
int mc_move(uaddr_t from, u64 old_len, uaddr_t to, u64 new_len, int flags);
int mc_advise(uaddr_t addr, u64 len, int advice);
/* Where is there memory of the current space? Of what is shared: that it has touched. Kernel memory, one byte a page. */
int mc_resident(uaddr_t addr, u64 len, u8 *vec);
/* For machines that patch call sites. true: undo that, and patch no more; false: it may begin again. Cheap if it is so. */
void mc_code_original(bool original);
/* Address of the vdso image that guest programs may use (AT_SYSINFO_EHDR); 0 if none. */
uaddr_t mc_vdso(void);
/*
 * From now on clock_gettime of this space's programs is a system call, where they know it in the vdso, too; no other thread is in it. Until
 * mc_space_renew. 0 or -errno.
 */
int mc_clock_calls(void);
/* Read or write the space of another task. Bytes moved or -errno. Not for hot paths. */
s64 mc_space_read(struct task *t, uaddr_t addr, void *buf, size_t len);
s64 mc_space_write(struct task *t, uaddr_t addr, const void *buf, size_t len);

/* ---- user access: any address is allowed; those outside the user half or not mapped give -EFAULT ---- */

int mc_copy_from_user(void *to, uaddr_t from, size_t len);
int mc_copy_to_user(uaddr_t to, const void *from, size_t len);
/* Length without NUL, -EFAULT, or -ENAMETOOLONG if there is no NUL in the first `size` bytes. */
s64 mc_strncpy_from_user(char *to, uaddr_t from, size_t size);
int mc_clear_user(uaddr_t to, size_t len);
/* Atomic on a user word. 0 and the value before in *old, or -EFAULT. cmpxchg stores only if *old == expect. */
int mc_user_cmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old);
int mc_user_load(uaddr_t addr, u32 *val);

/* ---- time ---- */

u64 mc_clock(int clock); /* CLOCK_MONOTONIC, REALTIME, BOOTTIME, MONOTONIC_RAW, *_COARSE; ns; no host call where the vdso serves */

/* ---- PV calls ---- */

/* A slot of the ring. Sleeps (not interruptibly) while all are in use. A thread may hold at most two. */
struct pv_slot {
	struct pv_request req; /* req_id is set by the machine */
	struct pv_response rsp;
	u8 *buf; /* RING_BUF_SIZE bytes, shared with the hypervisor */
	u32 index;
	u32 pad;
};
void mc_pv_get(struct pv_slot *s);
void mc_pv_put(struct pv_slot *s);
/* Issue s->req, wait for the answer (not interruptible: PV calls do not block), take a donated descriptor. Returns rsp.ret. */
s64 mc_pv_call(struct pv_slot *s);
/*
 * A call whose answer grows while it is under way: start, wait until *word (in the buffer) is not `seen` any more (true: or until the
 * answer is there), finish, which returns rsp.ret. No donated descriptors.
 */
void mc_pv_start(struct pv_slot *s);
bool mc_pv_wait(struct pv_slot *s, const u32 *word, u32 seen);
s64 mc_pv_finish(struct pv_slot *s);

/* ---- handles: data plane. The machine keeps (or fetches by PV_DONATE) what it needs for the calling process. ---- */

u32 mc_handle_alloc(void); /* an unused handle number; 0: none left */
/* The kernel drops its last reference: PV_RELEASE, and the number is free again. */
void mc_handle_release(u32 handle);
/* Has the calling process what it needs for the open file? If not its first use brings that, or mc_handle_bring(): those that it forks have it then. */
bool mc_handle_here(u32 handle);
void mc_handle_bring(u32 handle);

struct mc_iovec {
	uaddr_t base; /* user memory; checked */
	u64 len;
};
#define MC_WRITE 1
#define MC_NOWAIT 2   /* -EAGAIN instead of blocking */
#define MC_APPEND 4
#define MC_AS_MAPPED 8 /* mc_io_kernel, of a file that is mapped next: what a mapping shows will do, with zeros behind the file's end */
/* read or write; off -1: at the object's own position. Interruptible if it blocks. Bytes or -errno. */
s64 mc_io(u32 handle, const struct mc_iovec *iov, int n, s64 off, int flags);
s64 mc_io_kernel(u32 handle, void *buf, size_t len, s64 off, int flags); /* kernel memory */
s64 mc_seek(u32 handle, s64 off, int whence);
int mc_fstat(u32 handle, struct stat *st); /* asm/stat.h, kernel memory */
/* Connected sockets. flags MSG_*. addr (kernel memory, may be NULL): the sender's, *addr_len in and out. */
s64 mc_send(u32 handle, const struct mc_iovec *iov, int n, int flags);
s64 mc_recv(u32 handle, const struct mc_iovec *iov, int n, int flags, void *addr, u32 *addr_len);
/*
 * Wait for readiness of handles (fds[i].fd holds the handle) or unpark. Number ready, 0 = unparked or no cause, -ETIMEDOUT:
 * none until the deadline, -EINTR if kicked. Deadline 0 only looks: it neither takes the token of an unpark nor is it
 * interrupted, and none ready is 0.
 */
int mc_poll(struct pollfd *fds, int n, u64 deadline);
/* Watches: scalable sets of handles (epoll on pv). `data` comes back with the events. */
struct mc_event {
	u32 events; /* EPOLL* */
	u32 pad;
	u64 data;
};
int mc_watch_ctl(u32 watch, int op, u32 handle, u32 events, u64 data); /* op: EPOLL_CTL_* */
/* Like mc_poll for a watch made by PV_WATCH. Fills ev (kernel memory). */
int mc_watch_wait(u32 watch, struct mc_event *ev, int max, u64 deadline);

/* ---- data rings (ring.h): for stream sockets, on machines that do not donate descriptors ---- */

bool mc_data_rings(void); /* they are to be used */
struct data_ring *mc_data_ring(u32 ref); /* 1 .. DATA_RINGS-1 */
void mc_data_bell(u32 ref);  /* the hypervisor shall look at it */
u32 mc_data_next(void);      /* sleeps until the hypervisor has rung for one: its number. For one kernel thread; not interruptible */

/* ---- the rest ---- */

const void *mc_boot_info(void); /* struct boot_info of ring.h */
struct guest_counters *mc_counters(void);
struct trace_header *mc_trace(u8 **data); /* trace_ring.h; *data: TRACE_DATA_SIZE bytes of records */
/* Memory for the kernel heap, page granular, zeroed, never returned. NULL: exhausted. */
void *mc_heap_grow(size_t len);
void mc_console(const char *text, size_t len); /* kernel messages */
/* What the host's ps shows of the calling process: its arguments, each with its NUL; cut if they are too long. */
void mc_set_cmdline(const char *args, size_t len);
void mc_poweroff(int wait_status) __attribute__((noreturn));
void mc_panic(const char *text) __attribute__((noreturn)); /* adds a backtrace */

/* ---- upcalls: what the kernel gives the machine ---- */

void kernel_boot(void) __attribute__((noreturn)); /* first thread, in an empty space: becomes guest pid 1 */
void kernel_task_start(struct task *t);           /* first thing a started thread runs */
void kernel_thread_main(struct task *t) __attribute__((noreturn)); /* MC_KERNEL */
s64 kernel_syscall(struct pt_regs *regs);         /* regs->orig_rax = number; result is stored to rax by the machine */
void kernel_user_work(struct pt_regs *regs);      /* work != 0, on the way to user mode */
/* A synchronous fault of user code: trap signal, si_code, address. Returns to user mode by way of kernel_user_work(). */
void kernel_user_fault(struct pt_regs *regs, int sig, int code, uaddr_t addr, u32 trapno, u64 err);
void kernel_host_events(void);                    /* the hypervisor has posted events (PV_EVENT); on a thread without a process */
void kernel_process_main(struct task *t) __attribute__((noreturn)); /* MC_NEW: becomes a process, as kernel_boot() */
/* For machines that patch call sites: a page within jump reach of `near`, reserved for the machine; 0 if there is none. */
uaddr_t kernel_code_page(uaddr_t near);
/* May the code at [addr, addr+len) be replaced (private, readable and executable, not writable)? If so, it stays so until unlock. */
bool kernel_code_lock(uaddr_t addr, u64 len);
void kernel_code_unlock(void);

#endif
