/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks (threads) and processes (thread groups).
 *
 * tasklist_lock protects: the pid tables, parent/child/sibling links, thread lists, process groups
 * and sessions, exit states, and the pointers task->{mm,files,fs,sighand,cred} when
 * read from another task. A task reads its own without a lock.
 */
#ifndef TASK_H
#define TASK_H

#include <linux/resource.h>

#include "list.h"
#include "ptrace.h"
#include "signal.h"
#include "stat_run.h"
#include "sync.h"

struct cgroup;
struct mm;
struct core;
struct fdtable;
struct fs_ctx;
struct cred;
struct file;
struct seccomp;
struct tty;
struct vfork_done;
struct program;
struct nsproxy;
struct pid_numbers;

/* Bits of task->mc.work. */
#define WORK_SIGNAL 1u  /* a deliverable signal may be pending */
#define WORK_STOP 2u    /* the process is to stop, or is stopped */
#define WORK_EXIT 4u    /* the process is exiting: this thread must die */
#define WORK_SIGMASK 8u /* restore saved_sigmask (sigsuspend, ppoll) */
#define WORK_KERNEL 0x7fffffffu /* bit 31 is the machine's */
#define WORK_NOTIFY 16u /* anything else; cleared on the way */
#define WORK_PTRACE 32u /* a tracer wants a stop, or has gone */
#define WORK_FREEZE 64u /* its cgroup is to be frozen */

enum { FUTEX_ALIVE, FUTEX_EXITING, FUTEX_GONE };
enum task_state { TASK_RUNNING, TASK_STOPPED, TASK_TRACED, TASK_ZOMBIE, TASK_DEAD };

struct task {
	struct mc_thread mc; /* first: machine.h */
	int tid, vtid; /* its number, and the one in its own pid namespace (pid_ns.h) */
	struct process *proc;
	struct list_head thread_node; /* in proc->threads */
	struct list_head tid_node;    /* hash of tids */
	struct mm *mm;
	struct fdtable *files;
	struct fs_ctx *fs; /* cwd, root, umask */
	struct sighand *sighand;
	struct cred *cred;
	struct nsproxy *nsproxy;     /* ns.h; of others under tasklist_lock. NULL: a thread of the kernel, or exited */
	struct pid_numbers *numbers; /* NULL: of the first pid namespace */
	struct seccomp *seccomp; /* filters of its system calls, the newest; NULL: none. Changed under tasklist_lock */
	enum task_state state;
	char comm[16];
	u64 start_time; /* ns, CLOCK_BOOTTIME */

	/* signals (signal/) */
	sigmask_t blocked, saved_sigmask;
	sigmask_t real_blocked; /* sigtimedwait: the mask that it lifted in part; else 0 */
	bool restore_sigmask;   /* set_user_sigmask() is in force: saved_sigmask is the caller's */
	u32 trap_nr;            /* of the last fault, for sigcontext */
	u64 trap_err;
	uaddr_t trap_addr;
	struct sigpending pending;
	uaddr_t sas_sp;
	u64 sas_size;
	u32 sas_flags;
	struct restart {
		long (*fn)(struct restart *r); /* ERESTART_RESTARTBLOCK: restart_syscall(2) calls this */
		u64 arg[5];
	} restart;

	/* threads (task/, futex) */
	uaddr_t set_child_tid, clear_child_tid;
	uaddr_t robust_list;
	u64 robust_len;
	bool owns_pi;  /* somebody has waited for a PI futex of this task */
	u8 futex_exit; /* FUTEX_ALIVE ...: whether its exit will still free its futexes */
	u32 wake_refs; /* wakers that are about to unpark or kick this task; waited for at exit */
	struct wake_batch *wake_batch; /* held: what this task wakes is put off (sync.h) */
	struct vfork_done *vfork; /* the parent waits for exec or exit */
	bool in_exec;
	bool frozen, waits_vfork; /* rests for its cgroup, tasklist_lock; waits for a vfork child, which may rest */
	bool nproc_exceeded; /* it became a user with more tasks than RLIMIT_NPROC: an exec fails while that is so */
	bool core_passed; /* exits: a core dump does not wait for it; tasklist_lock */
	bool copied_mm; /* fork: the address space is a copy that is its own */

	/* What sched(7) calls set; inherited by fork. But for the mask, which the machine may obey, these are kept and reported. */
	struct task_sched {
		u64 affinity[16]; /* CPU mask; all 0: every CPU */
		int policy, priority, nice;
		u64 runtime, deadline, period; /* ns, of SCHED_DEADLINE */
		u32 ioprio;
		int memory_mode; /* set_mempolicy: MPOL_* */
		bool memory_nodes; /* ... for node 0, not for none */
		bool reset_on_fork;
	} sched;
	u64 tls; /* fs base of a task that starts */
	void (*kthread_fn)(void *);
	void *kthread_arg;
	int pdeathsig; /* PR_SET_PDEATHSIG */
	u64 timer_slack;
	/* per call accounting of the running system call */
	u32 syscall_nr;
	u8 opens_read, opens_in_vain; /* fs/brought.c: files in a row that were read; whose content was not wanted */
	u64 ncalls; /* system calls that may have brought news of others' doings (brought_pass), and ways through kernel_user_work() */
	struct stat_seq stat_seq;
	u16 absent_last; /* fs/absent.c: the last name that was not there, + 1 */
	u32 absent_program; /* until the second one of a program: which program */
	u64 call_host, call_pv; /* counts of the machine when it began */
	u32 *call_counts;	/* a row of the counters that is its own; NULL: it counts where all do */
	u32 shared_counts;	/* ... and has done so this often */
	u64 futex_waits; /* statistics: voluntary switches */
	struct trace_record *trace; /* of an exec under way (trace/) */
	struct trace_own *trace_own; /* short records that wait (trace/own.h); NULL: none yet */
	struct trace_record *trace_call; /* of the call that is traced, until it has been told that it sleeps */
	struct ptrace ptrace;
};

struct process {
	refcount_t ref;
	int pid, vpid; /* as for tasks */
	struct pid_numbers *numbers;
	struct task *leader; /* first thread still alive (any, after exec by another thread) */
	struct list_head threads;
	int nthreads;
	struct list_head pid_node;
	struct process *parent; /* real parent; NULL for pid 1 and those that the hypervisor added */
	int ppid;               /* its pid, in p's own pid namespace: for getppid() without a lock */
	int parent_tid;         /* the parent's thread that made it: whom PTRACE_TRACEME means */
	struct list_head children, sibling;
	struct list_head pgrp_node; /* in struct pgrp */
	struct pgrp *pgrp;
	struct session *session;
	struct tty *tty; /* controlling terminal */
	struct mutex lock; /* rlimits, timers */

	/* signals: protected by sighand->lock */
	struct sigpending pending; /* shared */
	int stop_sig;
	u32 flags; /* PROC_* */

	/* exit and wait */
	enum task_state state;
	int exit_code;   /* wait status: code << 8 | signal | core flag */
	int exit_signal; /* sent to the parent, SIGCHLD usually; 0 none */
	int wait_event;  /* 0, or CLD_STOPPED/CLD_CONTINUED not yet reported; stop_sig has the signal */
	struct waitq child_wait; /* wait4 sleeps here */
	struct waitq pidfd_wait; /* woken at exit */
	bool group_exiting;
	int nexiting; /* threads in do_exit() that are still counted in nthreads */
	struct core *core; /* a core dump is under way; tasklist_lock */
	u32 coredump_filter;
	struct task *exec_waiter; /* waits until the other threads are gone */
	struct ptrace_dead *traced_leader; /* the first thread has exited, and its tracer is to be told with the process's end */
	int dead_threads; /* others that exited, whose tracers have not waited for them yet: the process's end is told after them */

	struct rlimit rlim[RLIM_NLIMITS];
	u64 start_time; /* ns, CLOCK_BOOTTIME */
	u64 utime, stime;   /* ns, of dead threads */
	u64 cutime, cstime; /* ns, of waited-for children */
	u64 rss_sampled; /* when, CLOCK_MONOTONIC */
	u64 maxrss, cmaxrss;
	bool dumpable, child_subreaper, ns_reaper /* the first process of a pid namespace */, did_exec, thp_disable;
	struct process_timers *timers; /* time/: interval and POSIX timers, CPU limit; made on first use */
	int oom_score_adj;
	struct process *ptracer; /* as PR_SET_PTRACER said, with a reference: ptrace/yama.c. NULL: none. tasklist_lock */
	u32 personality;
	char executes[PV_WHO_PROGRAM]; /* the program, as execve() had it; or the end of that */
	char *cmdline; /* copy of the argument area at exec, NUL separated */
	size_t cmdline_len;
	struct cgroup *cgroup; /* made inside, counted; NULL: the container's own. tasklist_lock */
	struct mutex exec_lock;
	u32 programs_wanted;   /* bits of fs/kept_programs.c */
	struct kept_set *kept; /* files that stay open (fs/kept.c); NULL: none yet */
	struct exec_id *exec_id; /* what it runs, for policies; changed by its only thread. NULL: unknown */
	struct program *program; /* what the hypervisor wants of it, until it executes that; tasklist_lock */
	u32 event;		 /* the PV_EV_EXEC that made it, once answered: its end is reported */
	struct list_head sem_undos; /* ipc/sem_undo.c, under its lock; next NULL: none yet */
	char zombie_comm[16]; /* of the last thread: what /proc still shows of a zombie */
	u32 zombie_uid, zombie_gid;
};

#define PROC_STOPPED 1u       /* all threads have stopped */
#define PROC_STOPPING 2u      /* a stop signal was taken: threads are on their way */
#define PROC_STOP_DEQUEUED 4u /* a thread holds a stop signal in hand; a SIGCONT cancels it */
#define PROC_KILLABLE 8u      /* pid 1, after a fault of its own or SIGKILL from outside */

struct pgrp {
	refcount_t ref;
	int id;
	struct pid_numbers *numbers;
	struct session *session;
	struct list_head members;
	struct list_head node; /* hash */
};

struct session {
	refcount_t ref;
	int id;
	struct pid_numbers *numbers;
	struct tty *tty;
	struct process *leader;
};

extern struct mutex tasklist_lock;
extern struct process *init_process; /* guest pid 1 */

#define current mc_current()

/* ---- kernel/task/pid.c; callers hold tasklist_lock ---- */
#define PID_MAX 32768
int pid_alloc(void); /* -EAGAIN when none is left */
int pid_alloc_wanted(int pid); /* this one; -EEXIST */
void pid_free(int pid);
int pid_last(void); /* the last one given out, for /proc */
struct process *find_process(int pid);
struct task *find_task(int tid);
struct pgrp *find_pgrp(int id);
/* Calls fn for each process (in pid order) until it returns non-zero. */
int for_each_process(int (*fn)(struct process *p, void *arg), void *arg);
int next_pid(int after); /* the lowest pid of a process above `after`; 0 if none (for /proc) */
u32 process_count(void);
u32 task_count(void);
u32 user_task_count(u32 uid); /* tasklist_lock held */
bool task_over_nproc(u32 uid); /* has that user more than the caller's RLIMIT_NPROC allows? Takes the lock */

void process_put(struct process *p);
struct process *pidfd_process(int fd); /* with a reference, or ERR_PTR(-EBADF) */

void syscall_counts_release(struct task *t); /* kernel/task/boot.c: t makes no more calls */

/* ---- kernel/task/exit.c ---- */
void do_exit(int wait_status) __attribute__((noreturn));       /* this thread */
void do_group_exit(int wait_status) __attribute__((noreturn)); /* the process */
/* Remove a zombie from the tables and drop its reference. tasklist_lock held. */
void process_release(struct process *p);
/* The vfork parent of t may go on: t execs or exits. */
void task_vfork_release(struct task *t);
/* A thread of the kernel: runs fn(arg), never returns to user mode. NULL: no memory. */
struct task *kthread_create(void (*fn)(void *arg), void *arg);
/* Kill all other threads of the process and wait until they are gone (exec). -EAGAIN if it is exiting. */
int kill_other_threads(void);

/* ---- pieces of a task, by their owners: get shares (CLONE_*), copy makes a new one ---- */
struct fdtable *fdtable_get(struct fdtable *t);
struct fdtable *fdtable_copy(struct fdtable *t); /* NULL: no memory */
void fdtable_put(struct fdtable *t);
void fdtable_close_on_exec(struct task *t);
struct fs_ctx *fs_ctx_get(struct fs_ctx *f);
struct fs_ctx *fs_ctx_copy(struct fs_ctx *f);
void fs_ctx_put(struct fs_ctx *f);
struct sighand *sighand_get(struct sighand *s);
struct sighand *sighand_copy(struct sighand *s);
void sighand_put(struct sighand *s);
void signal_task_init(struct task *child, struct task *parent); /* fork: blocked mask, empty pending */
/* The thread no longer takes signals: hands shared ones on, flushes its own. t is current; takes tasklist_lock. */
void signal_task_exit(struct task *t);
void signal_process_exit(struct process *p); /* after the last thread: flush the shared queue */
/* Reset handlers, altstack; unshares sighand. 0 or -ENOMEM (before anything changed). */
int signal_exec(struct task *t);
void task_await_wakers(struct task *t);                         /* last thing of an exit: see sync.h */
void futex_task_exit(struct task *t);                           /* robust list, clear_child_tid */
void timers_process_exit(struct process *p);
void timers_exec(struct process *p);
void sem_process_exit(struct process *p); /* System V semaphores: SEM_UNDO */
void shm_process_exit(const struct process *p); /* System V shared memory, after the mappings are gone */
/* RLIMIT_CPU was set (setrlimit), or inherited (fork) and is not infinite: watch it from now on. */
void timers_cpu_limit(struct process *p);
/* CPU time of a process, its dead threads included, in ns. */
u64 process_maxrss(void); /* of current, KB; may ask the host (fs/proc/sizes.c) */
void process_cpu_time(struct process *p, u64 *user, u64 *sys);
int limit_check(struct process *p, int resource, u64 value); /* 0, or -EAGAIN if value exceeds the soft limit */
u64 rlimit(int resource);                                     /* soft limit of current */
struct boot_process;
/* Linux' defaults, then what b wants; its offsets count from base. */
void rlimits_boot(struct process *p, const struct boot_process *b, const void *base);

/* exec: replaces the image of the current process. Does not return on success. */
struct exec_args {
	struct file *file; /* opened for execution */
	char *filename;    /* for AT_EXECFN and messages */
	char **argv, **envp; /* kernel strings */
	int argc, envc;
};
int do_execve(struct exec_args *args);

/* For /proc: a terminal's device number as in stat, its foreground process group. tasklist_lock held. */
void tty_numbers(struct tty *tty, int *dev, int *pgrp);
/* A session's leader exits: its terminal is nobody's, the foreground group gets SIGHUP. tasklist_lock held. */
void tty_leader_exit(struct process *leader);

/* Boot: make the first process. task_first: the calling thread, in the tables; task_boot: with all its parts, from boot_info. */
struct task *task_first(void);
/* A process without a parent in the guest, with all its parts but descriptors; it starts in kernel_process_main(). 0 or -errno. */
int task_add_process(struct program *prog);
void syscall_account(struct task *t); /* the running call ends without returning: count what it cost */
void task_boot(void);

#endif
