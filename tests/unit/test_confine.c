// SPDX-License-Identifier: Apache-2.0
/* The filters of the hypervisor's threads, run in an interpreter for every number, against lists of their own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_machine.h"
#include "call/confine.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define LAST_NR 600
#define VM0 77
#define DENY (SECCOMP_RET_ERRNO | EPERM)
#define STEPS_MAX 24 /* to an answer that depends on the number only: the host asks for each at installation */

static const int server[] = {
	SYS_futex, SYS_poll, SYS_sched_yield, SYS_sched_getaffinity, SYS_clock_gettime,
	SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_rseq, SYS_gettid, SYS_getpid, SYS_rt_sigprocmask,
	SYS_sigaltstack, SYS_restart_syscall, SYS_munmap, SYS_madvise, SYS_brk, SYS_mremap, SYS_getrandom,
	SYS_setfsuid, SYS_setfsgid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capget, SYS_capset,
	SYS_fchdir, SYS_chroot, SYS_umask, SYS_openat, SYS_openat2, SYS_statx, SYS_newfstatat, SYS_readlinkat,
	SYS_mkdirat, SYS_mknodat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_fchmodat,
	SYS_fchmodat2, SYS_fchownat, SYS_utimensat, SYS_truncate, SYS_faccessat2, SYS_getxattr, SYS_setxattr,
	SYS_listxattr, SYS_removexattr, SYS_inotify_add_watch, SYS_close, SYS_dup, SYS_fstat, SYS_fstatfs,
	SYS_read, SYS_write, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_getdents64, SYS_fsync,
	SYS_fdatasync, SYS_syncfs, SYS_fallocate, SYS_ftruncate, SYS_flock, SYS_copy_file_range,
	SYS_sendfile, SYS_fadvise64, SYS_inotify_rm_watch, SYS_memfd_create, SYS_epoll_create1,
	SYS_epoll_ctl, SYS_epoll_wait, SYS_eventfd2, SYS_inotify_init1, SYS_socket, SYS_connect, SYS_bind,
	SYS_listen, SYS_accept4, SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt,
	SYS_shutdown, SYS_sendmsg, SYS_recvmsg,
};
static const int main_too[] = {
	SYS_epoll_pwait, SYS_sendto, SYS_recvfrom, SYS_waitid, SYS_wait4, SYS_nanosleep, SYS_clock_nanosleep,
	SYS_readv, SYS_readlink, SYS_geteuid, SYS_getuid,
};
/* With nothing in their arguments. */
static const int conditional[] = { SYS_fcntl, SYS_ioctl, SYS_mmap, SYS_mprotect, SYS_unshare, SYS_prctl, SYS_clone,
				   SYS_sched_setaffinity };

static uint32_t ask_three(enum confine_kind kind, int nr, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64, .args = { arg0, arg1, arg2 } };
	struct confine_program p;

	confine_filter(&p, kind, VM0);
	return bpf_machine_run(p.insn, (int)p.len, &d);
}

static uint32_t ask(enum confine_kind kind, int nr, uint64_t arg0, uint64_t arg2)
{
	return ask_three(kind, nr, arg0, 0, arg2);
}

static bool has(const int *calls, size_t n, int nr)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] == nr)
			return true;
	return false;
}
#define HAS(list, nr) has(list, sizeof(list) / sizeof(*(list)), nr)

static void every_number(void **state)
{
	for (int nr = 0; nr <= LAST_NR; nr++) {
		bool in_server = HAS(server, nr), in_main = in_server || HAS(main_too, nr);
		uint32_t rest = nr == SYS_clone3 ? (SECCOMP_RET_ERRNO | ENOSYS) :
				HAS(conditional, nr) ? SECCOMP_RET_ALLOW : DENY;
		uint32_t got = ask(CONFINE_SERVER, nr, 0, 0);

		if (got != (in_server ? SECCOMP_RET_ALLOW : rest))
			fail_msg("server: call %d: %#x", nr, got);
		if (in_server && bpf_machine_steps > STEPS_MAX)
			fail_msg("server: call %d: %u steps", nr, bpf_machine_steps);
		got = ask(CONFINE_MAIN, nr, 0, 0);
		if (got != (in_main ? SECCOMP_RET_ALLOW : rest))
			fail_msg("main: call %d: %#x", nr, got);
	}
}

static void other_abis(void **state)
{
	struct seccomp_data d = { .nr = SYS_read, .arch = AUDIT_ARCH_I386 };
	struct confine_program p;

	confine_filter(&p, CONFINE_SERVER, 0);
	assert_int_equal(bpf_machine_run(p.insn, (int)p.len, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(CONFINE_SERVER, 0x40000000 | SYS_read, 0, 0), DENY); /* x32 */
	assert_int_equal(ask(CONFINE_SERVER, -1, 0, 0), DENY);
}

static void conditions(void **state)
{
	assert_int_equal(ask(CONFINE_SERVER, SYS_mmap, 0, PROT_READ | PROT_WRITE), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_SERVER, SYS_mmap, 0, PROT_READ | PROT_EXEC), DENY);
	assert_int_equal(ask(CONFINE_MAIN, SYS_mprotect, 0, PROT_EXEC), DENY);
	assert_int_equal(ask(CONFINE_SERVER, SYS_unshare, CLONE_FS, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_SERVER, SYS_unshare, CLONE_NEWUSER, 0), DENY);
	assert_int_equal(ask(CONFINE_SERVER, SYS_sched_setaffinity, VM0, 0), DENY); /* of others */
	assert_int_equal(ask(CONFINE_SERVER, SYS_clone, CLONE_VM | CLONE_THREAD, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_SERVER, SYS_clone, CLONE_NEWNET, 0), DENY);
	assert_int_equal(ask(CONFINE_SERVER, SYS_prctl, PR_SET_NAME, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_SERVER, SYS_prctl, PR_SET_MM, 0), DENY);
}

/* Others' masks and nice values are for the server's thread, where there are none but the VM's. */
static void scheduling(void **state)
{
	for (enum confine_kind kind = CONFINE_SERVER; kind <= CONFINE_MAIN; kind++) {
		uint32_t others = kind == CONFINE_SCHEDULER ? SECCOMP_RET_ALLOW : DENY;

		assert_int_equal(ask(kind, SYS_sched_setaffinity, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(kind, SYS_sched_setaffinity, VM0, 0), others);
		assert_int_equal(ask_three(kind, SYS_setpriority, PRIO_PROCESS, VM0, 19), others);
		assert_int_equal(ask_three(kind, SYS_setpriority, PRIO_PGRP, 0, 19), DENY);
		assert_int_equal(ask_three(kind, SYS_setpriority, PRIO_USER, 0, 19), DENY);
		assert_int_equal(ask_three(kind, SYS_sched_setscheduler, VM0, 0, 0), DENY);
		assert_int_equal(ask_three(kind, SYS_sched_setattr, VM0, 0, 0), DENY);
	}
}

/* Signals of a descriptor to its owner, which may be anybody; keys that nobody typed; another terminal for the session. */
static void descriptors(void **state)
{
	static const uint64_t owners[] = { F_SETOWN, F_SETOWN_EX, F_SETSIG };
	static const uint64_t requests[] = { FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSCTTY };

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(ask_three(CONFINE_MAIN, SYS_fcntl, 3, owners[i], 1), DENY);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(ask_three(CONFINE_SERVER, SYS_ioctl, 3, requests[i], 1), DENY);
		assert_int_equal(ask_three(CONFINE_VCPU, SYS_ioctl, 3, requests[i], 1), DENY);
	}
	assert_int_equal(ask_three(CONFINE_SERVER, SYS_fcntl, 3, F_DUPFD_CLOEXEC, 3), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_three(CONFINE_SERVER, SYS_fcntl, 3, F_SETFL, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_three(CONFINE_SERVER, SYS_ioctl, 3, FIONREAD, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_three(CONFINE_SERVER, SYS_ioctl, 3, TIOCSWINSZ, 0), SECCOMP_RET_ALLOW);
}

static void signals(void **state)
{
	assert_int_equal(ask(CONFINE_SERVER, SYS_kill, VM0, 0), DENY);
	assert_int_equal(ask(CONFINE_MAIN, SYS_kill, VM0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_MAIN, SYS_kill, VM0 + 1, 0), DENY);
	assert_int_equal(ask(CONFINE_MAIN, SYS_tgkill, (uint64_t)getpid(), 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(CONFINE_MAIN, SYS_tgkill, VM0, 0), DENY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number),
		cmocka_unit_test(other_abis),
		cmocka_unit_test(conditions),
		cmocka_unit_test(scheduling),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
