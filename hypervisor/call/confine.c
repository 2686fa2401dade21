/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own seccomp filters. Should a guest ever take over a thread of it, what is left to it is
 * the calls that its work needs: no new programs, namespaces, mounts or tracing, no executable
 * memory, no signals but to the guest. Calls without a condition are in the host kernel's bitmap of allowed ones and
 * cost next to nothing.
 */
#include "call/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "types.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const int allowed[] = {
	/* waiting and threads */
	SYS_futex, SYS_poll, SYS_sched_yield, SYS_sched_setaffinity, SYS_sched_getaffinity,
	SYS_clock_gettime, SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_rseq, SYS_gettid,
	SYS_getpid, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_restart_syscall,
	/* memory; with conditions: mmap, mprotect */
	SYS_munmap, SYS_madvise, SYS_brk, SYS_mremap, SYS_getrandom,
	/* whose authority; only ever less than the thread began with */
	SYS_setfsuid, SYS_setfsgid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capget, SYS_capset, SYS_fchdir, SYS_chroot,
	SYS_umask,
	/* names */
	SYS_openat, SYS_openat2, SYS_statx, SYS_newfstatat, SYS_readlinkat, SYS_mkdirat,
	SYS_mknodat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_fchmodat,
	SYS_fchmodat2, SYS_fchownat, SYS_utimensat, SYS_truncate, SYS_faccessat2, SYS_getxattr,
	SYS_setxattr, SYS_listxattr, SYS_removexattr, SYS_inotify_add_watch,
	/* open files */
	SYS_close, SYS_dup, SYS_fstat, SYS_fstatfs, SYS_read, SYS_write, SYS_writev, SYS_pread64,
	SYS_pwrite64, SYS_lseek, SYS_getdents64, SYS_fsync, SYS_fdatasync, SYS_syncfs,
	SYS_fallocate, SYS_ftruncate, SYS_flock, SYS_fcntl, SYS_copy_file_range, SYS_sendfile,
	SYS_ioctl, SYS_fadvise64, SYS_inotify_rm_watch,
	/* objects */
	SYS_memfd_create, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_eventfd2, SYS_inotify_init1,
	/* sockets */
	SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept4, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown, SYS_sendmsg, SYS_recvmsg,
};
#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/* Beyond these: what the main thread does for the life of the VM and at its control socket. */
static const int allowed_main[] = {
	SYS_epoll_wait, SYS_epoll_ctl, SYS_epoll_pwait, SYS_sendto, SYS_recvfrom, SYS_waitid, SYS_wait4, SYS_nanosleep,
	SYS_clock_nanosleep, SYS_readv, SYS_readlink, SYS_geteuid, SYS_getuid,
};
#define ALLOWED_MAIN (sizeof(allowed_main) / sizeof(allowed_main[0]))

/* Beyond these: a virtual CPU's thread. */
static const int allowed_vcpu[] = { SYS_preadv2, SYS_pwritev2, SYS_msync, SYS_epoll_wait, SYS_rt_sigreturn };
#define ALLOWED_VCPU (sizeof(allowed_vcpu) / sizeof(allowed_vcpu[0]))

/* An argument may not have these bits. */
static const struct forbidden_bits {
	int nr;
	unsigned int arg;
	u32 bits;
} conditions[] = {
	{ SYS_mmap, 2, PROT_EXEC },
	{ SYS_mprotect, 2, PROT_EXEC },
	{ SYS_unshare, 0, ~(u32)CLONE_FS },
	{ SYS_prctl, 0, ~(u32)PR_SET_NAME }, /* and a few smaller ones */
	/* clone3 has its flags in memory: glibc does without it when told that there is none */
	{ SYS_clone, 0,
	  CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		  CLONE_NEWCGROUP | CLONE_PTRACE },
};
#define CONDITIONS (sizeof(conditions) / sizeof(conditions[0]))

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define NO_MATCH(op, value, skip) BPF_JUMP(BPF_JMP | (op) | BPF_K, (value), 0, (skip))

#define CALLS_MAX (ALLOWED + ALLOWED_MAIN)

static void add(struct confine_program *p, struct sock_filter insn)
{
	p->insn[p->len++] = insn;
}

static void add_condition(struct confine_program *p, const struct forbidden_bits *c)
{
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)c->nr, 4));
	add(p, (struct sock_filter)LOAD(args[c->arg]));
	add(p, (struct sock_filter)NO_MATCH(BPF_JSET, c->bits, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

/* The first argument is a process: this one, and no other. */
static void add_process(struct confine_program *p, int nr, pid_t pid)
{
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)nr, 4));
	add(p, (struct sock_filter)LOAD(args[0]));
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, (u32)pid, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

struct range {
	u32 first, last;
};

static size_t to_ranges(int *calls, size_t n, struct range *out)
{
	size_t ranges = 0;

	qsort(calls, n, sizeof(*calls), by_number);
	for (size_t i = 0; i < n; i++) {
		if (ranges && (u32)calls[i] <= out[ranges - 1].last + 1)
			out[ranges - 1].last = (u32)calls[i];
		else
			out[ranges++] = (struct range){ (u32)calls[i], (u32)calls[i] };
	}
	return ranges;
}

/*
 * A binary search. The host kernel runs the whole filter for each number there is when it is installed, and a long row of
 * comparisons takes it a quarter of a millisecond. No jump is longer than the tree, which has two
 * instructions for each range, is below BPF's 255. end: what follows the tree, RET_ALLOW first, the rest behind it.
 */
static void add_tree(struct confine_program *p, const struct range *r, size_t n, size_t end)
{
	size_t mid = n / 2, at;

	if (n == 1) {
		add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, r->last, (u8)(end - p->len), (u8)(end - p->len - 1)));
		return;
	}
	at = p->len;
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, r[mid].first, 0, 0));
	add_tree(p, r, mid, end);
	p->insn[at].jt = (u8)(p->len - at - 1);
	add_tree(p, r + mid, n - mid, end);
}

static void begin(struct confine_program *p, const int *more, size_t n_more)
{
	struct range ranges[CALLS_MAX];
	int calls[CALLS_MAX];
	size_t n;

	_Static_assert(2 * CALLS_MAX < 255, "jumps reach the end of the tree");
	_Static_assert(SYS_read == 0, "the first range begins at the lowest number");
	memcpy(calls, allowed, sizeof(allowed));
	for (n = 0; n < n_more; n++)
		calls[ALLOWED + n] = more[n];
	n = to_ranges(calls, ALLOWED + n_more, ranges);
	p->len = 0;
	add(p, (struct sock_filter)LOAD(arch));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	add(p, (struct sock_filter)LOAD(nr));
	add_tree(p, ranges, n, p->len + 2 * n - 1);
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

static void end(struct confine_program *p)
{
	for (size_t i = 0; i < CONDITIONS; i++)
		add_condition(p, &conditions[i]);
	add(p, (struct sock_filter)NO_MATCH(BPF_JEQ, SYS_clone3, 1));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
	add(p, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

void confine_filter(struct confine_program *p, enum confine_kind kind, pid_t vm0)
{
	switch (kind) {
	case CONFINE_SERVER:
		begin(p, NULL, 0);
		break;
	case CONFINE_VCPU:
		begin(p, allowed_vcpu, ALLOWED_VCPU);
		break;
	case CONFINE_MAIN:
		begin(p, allowed_main, ALLOWED_MAIN);
		if (vm0 > 0)
			add_process(p, SYS_kill, vm0);
		add_process(p, SYS_tgkill, getpid());
		break;
	}
	end(p);
}

static int install(enum confine_kind kind, pid_t vm0)
{
	struct confine_program p;
	struct sock_fprog prog = { .filter = p.insn };

	confine_filter(&p, kind, vm0);
	prog.len = p.len;
	/* The speculation flag: the filter is no sandbox for code of others, and must not slow us. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) < 0)
		return -errno;
	return 0;
}

int confine_thread(void)
{
	return install(CONFINE_SERVER, 0);
}

int confine_vcpu(void)
{
	return install(CONFINE_VCPU, 0);
}

int confine_main_thread(pid_t vm0)
{
	return install(CONFINE_MAIN, vm0);
}
