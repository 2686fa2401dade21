/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2) of a program's own: what is attached when, what each action does, who inherits it. */
#include "check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define NR offsetof(struct seccomp_data, nr)
#define ARG(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD(off) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))

static long seccomp(unsigned int op, unsigned int flags, void *args)
{
	return syscall(SYS_seccomp, op, flags, args);
}

static long attach(struct sock_filter *f, size_t n, unsigned int flags)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = f };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);
}

#define ATTACH(flags, ...)                                                                        \
	({                                                                                        \
		struct sock_filter attach_f[] = { __VA_ARGS__ };                                  \
		attach(attach_f, sizeof(attach_f) / sizeof(*attach_f), flags);                    \
	})

static void no_new_privs(void)
{
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* One call gets this result, the others are allowed. */
static void on_call(int nr, unsigned int action)
{
	no_new_privs();
	OK(ATTACH(0, LOAD(NR), IF_EQUAL((unsigned int)nr, 0, 1), RETURN(action), RETURN(SECCOMP_RET_ALLOW)));
}

static int status_line(const char *name)
{
	char line[200];
	int value = -1;
	FILE *f = fopen("/proc/thread-self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = atoi(line + strlen(name));
	fclose(f);
	return value;
}

static int child_status(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		fn();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void test_refused_programs(void)
{
	no_new_privs();
	FAILS(EINVAL, ATTACH(0, LOAD(NR)));                             /* does not end */
	FAILS(EINVAL, ATTACH(0, LOAD(64), RETURN(0)));                  /* behind the data */
	FAILS(EINVAL, ATTACH(0, LOAD(2), RETURN(0)));                   /* not aligned */
	FAILS(EINVAL, ATTACH(0, IF_EQUAL(0, 1, 0), RETURN(0)));         /* jumps too far */
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0))); /* never written */
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_ST, 16), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)));
	FAILS(EINVAL, ATTACH(0, BPF_STMT(0xffff, 0), RETURN(0)));
	FAILS(EINVAL, attach(NULL, 0, 0));
	FAILS(EFAULT, attach((void *)8, 1, 0));
	FAILS(EFAULT, seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
	FAILS(EINVAL, seccomp(SECCOMP_SET_MODE_FILTER, 1u << 20, NULL));
	FAILS(EINVAL, seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
	FAILS(EINVAL, seccomp(77, 0, NULL));
	FAILS(EINVAL, prctl(PR_SET_SECCOMP, 3, 0, 0, 0));
	CHECK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
	CHECK(status_line("Seccomp:") == 0 && status_line("Seccomp_filters:") == 0);
}

static void test_actions_available(void)
{
	static const unsigned int there[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
					      SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW };
	unsigned int other = 0x12340000;

	for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++)
		OK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, (void *)&there[i]));
	FAILS(EOPNOTSUPP, seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &other));
	FAILS(EINVAL, seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &other));
	FAILS(EFAULT, seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL));
}

static void test_errno(void)
{
	on_call(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	for (int i = 0; i < 20; i++) /* more often than it takes to patch the call */
		FAILS(77, syscall(SYS_getppid));
	CHECK(syscall(SYS_getpid) == getpid());
	CHECK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
	CHECK(status_line("Seccomp:") == 2 && status_line("Seccomp_filters:") == 1);
	on_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 0xffff); /* limited to 4095 */
	CHECK(status_line("Seccomp_filters:") == 2);
	errno = 0;
	CHECK(syscall(SYS_getpgrp) == -1 && errno == 4095);
	FAILS(77, syscall(SYS_getppid));
	on_call(SYS_getsid, SECCOMP_RET_ERRNO | 0);
	CHECK(syscall(SYS_getsid, 0) == 0);
	on_call(SYS_getuid, SECCOMP_RET_TRACE | 5);
	FAILS(ENOSYS, syscall(SYS_getuid));
	on_call(SYS_getgid, SECCOMP_RET_LOG);
	CHECK(syscall(SYS_getgid) == getegid());
	on_call(-1, SECCOMP_RET_ERRNO | 9); /* no call at all, and yet a number */
	FAILS(9, syscall(-1));
	FAILS(ENOSYS, syscall(100000));
	IN_CHILD(FAILS(77, syscall(SYS_getppid)));
}

static void test_arguments(void)
{
	unsigned long high = 0x500000007;

	no_new_privs();
	OK(ATTACH(0, LOAD(NR), IF_EQUAL(SYS_getpriority, 0, 6), LOAD(ARG(1)), IF_EQUAL(7, 0, 4), LOAD(ARG(1) + 4),
		  IF_EQUAL(5, 0, 1), RETURN(SECCOMP_RET_ERRNO | 70), RETURN(SECCOMP_RET_ERRNO | 71),
		  RETURN(SECCOMP_RET_ALLOW)));
	FAILS(70, syscall(SYS_getpriority, 0, high));
	FAILS(71, syscall(SYS_getpriority, 0, 7));
	CHECK(syscall(SYS_getpriority, 0, 0) > 0);
}

/* A checksum of the data by way of each kind of instruction. */
static void test_instructions(void)
{
	no_new_privs();
	OK(ATTACH(0, LOAD(NR), IF_EQUAL(SYS_getpriority, 1, 0), RETURN(SECCOMP_RET_ALLOW),
		  BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),         /* a = 64 */
		  BPF_STMT(BPF_MISC | BPF_TAX, 0),               /* x = 64 */
		  LOAD(ARG(1)),                                  /* a = 3 */
		  BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),        /* 192 */
		  BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 8),        /* 200 */
		  BPF_STMT(BPF_ST, 3),
		  BPF_STMT(BPF_LDX | BPF_MEM, 3),                /* x = 200 */
		  BPF_STMT(BPF_LD | BPF_IMM, 100000),
		  BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),        /* 500 */
		  BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),        /* 300 */
		  BPF_STMT(BPF_ALU | BPF_NEG, 0),                /* -300 */
		  BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),     /* 0xd4 */
		  BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x14),     /* 0xc0 */
		  BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 3),        /* 24 */
		  BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),         /* 25 */
		  BPF_STMT(BPF_LDX | BPF_IMM, 33),
		  BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),        /* by 33 & 31: 50 */
		  BPF_STMT(BPF_LDX | BPF_IMM, 0),
		  BPF_STMT(BPF_STX, 0),
		  BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		  BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1), /* 50 has that bit */
		  BPF_STMT(BPF_JMP | BPF_JA, 1),
		  RETURN(SECCOMP_RET_ERRNO | 1),
		  BPF_STMT(BPF_RET | BPF_A, 0)));
	FAILS(50, syscall(SYS_getpriority, 0, 3));
}

/* Division by a register of 0 ends the program with result 0, and that kills. */
static void division_by_zero(void)
{
	no_new_privs();
	OK(ATTACH(0, LOAD(NR), IF_EQUAL(SYS_getpriority, 1, 0), RETURN(SECCOMP_RET_ALLOW), BPF_STMT(BPF_LDX | BPF_IMM, 0),
		  BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, SECCOMP_RET_ERRNO | 42),
		  BPF_STMT(BPF_RET | BPF_A, 0)));
	syscall(SYS_getpriority, 0, 0);
}

/* The strictest action wins, whatever the order; of equals, the newest filter's value. */
static void test_precedence(void)
{
	on_call(SYS_getppid, SECCOMP_RET_ERRNO | 5);
	on_call(SYS_getppid, SECCOMP_RET_ALLOW);
	on_call(SYS_getppid, SECCOMP_RET_LOG);
	FAILS(5, syscall(SYS_getppid));
	on_call(SYS_getppid, SECCOMP_RET_ERRNO | 6);
	FAILS(6, syscall(SYS_getppid));
	on_call(SYS_getppid, SECCOMP_RET_TRACE);
	FAILS(6, syscall(SYS_getppid));
}

static volatile siginfo_t trapped;

static void on_sigsys(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	CHECK(sig == SIGSYS);
	CHECK(uc->uc_mcontext.gregs[REG_RAX] == SYS_getppid);
	trapped = *si;
	uc->uc_mcontext.gregs[REG_RAX] = 4711; /* as sandboxes do that make the call elsewhere */
}

static void test_trap(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	OK(sigaction(SIGSYS, &sa, NULL));
	on_call(SYS_getppid, SECCOMP_RET_TRAP | 33);
	for (int i = 0; i < 20; i++) {
		CHECK(syscall(SYS_getppid) == 4711);
		CHECK(trapped.si_signo == SIGSYS && trapped.si_code == 1 && trapped.si_errno == 33);
		CHECK(trapped.si_syscall == SYS_getppid && trapped.si_arch == AUDIT_ARCH_X86_64);
		CHECK(trapped.si_call_addr);
		memset((void *)&trapped, 0, sizeof(trapped));
	}
}

static void trap_unhandled(void)
{
	on_call(SYS_getppid, SECCOMP_RET_TRAP);
	syscall(SYS_getppid);
}

static void trap_blocked(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	sigset_t set;

	OK(sigaction(SIGSYS, &sa, NULL));
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	on_call(SYS_getppid, SECCOMP_RET_TRAP);
	syscall(SYS_getppid);
}

static void killed(void)
{
	signal(SIGSYS, SIG_IGN);
	on_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
	syscall(SYS_getppid);
}

static void killed_as_thread(void)
{
	on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD);
	syscall(SYS_getppid);
}

static void killed_by_unknown_action(void)
{
	on_call(SYS_getppid, 0x00100000);
	syscall(SYS_getppid);
}

static void test_deaths(void)
{
	CHECK(WTERMSIG(child_status(trap_unhandled)) == SIGSYS);
	CHECK(WTERMSIG(child_status(trap_blocked)) == SIGSYS);
	CHECK(WTERMSIG(child_status(killed)) == SIGSYS);
	CHECK(WTERMSIG(child_status(killed_as_thread)) == SIGSYS);
	CHECK(WTERMSIG(child_status(killed_by_unknown_action)) == SIGSYS);
	CHECK(WTERMSIG(child_status(division_by_zero)) == SIGSYS);
}

static void *call_getppid(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

/* Only the thread dies, without a word: nobody joins it. */
static void test_kill_thread(void)
{
	pthread_t thread;
	pid_t tid = getpid();

	on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD);
	CHECK(!pthread_create(&thread, NULL, call_getppid, NULL));
	while (status_line("Threads:") != 1)
		pause_ms(2);
	CHECK(tid == getpid());
}

static void strict_kill(void)
{
	OK(prctl(PR_SET_SECCOMP, 1, 0, 0, 0));
	syscall(SYS_getpid);
}

static void strict_exit(void)
{
	char c;
	int p[2];

	OK(pipe(p));
	OK(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
	CHECK(write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1);
	syscall(SYS_exit, 9);
}

static void test_strict(void)
{
	int status = child_status(strict_kill);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(WEXITSTATUS(child_status(strict_exit)) == 9);
}

/* ---- threads ---- */

static volatile int stage;

static void *wait_and_try(void *arg)
{
	while (stage != 1)
		pause_ms(1);
	errno = 0;
	*(long *)arg = syscall(SYS_getppid) == -1 ? errno : 0;
	return NULL;
}

#define DENY_GETPPID                                                                              \
	LOAD(NR), IF_EQUAL(SYS_getppid, 0, 1), RETURN(SECCOMP_RET_ERRNO | 88), RETURN(SECCOMP_RET_ALLOW)

static void test_tsync(void)
{
	long seen = -1;
	pthread_t thread;

	stage = 0;
	CHECK(!pthread_create(&thread, NULL, wait_and_try, &seen));
	no_new_privs();
	CHECK(ATTACH(SECCOMP_FILTER_FLAG_TSYNC, DENY_GETPPID) == 0);
	stage = 1;
	CHECK(!pthread_join(thread, NULL));
	CHECK(seen == 88);
}

static void *filter_of_its_own(void *arg)
{
	on_call(SYS_getsid, SECCOMP_RET_ERRNO | 5);
	*(long *)arg = syscall(SYS_gettid);
	stage = 2;
	while (stage != 1)
		pause_ms(1);
	errno = 0;
	CHECK(syscall(SYS_getppid) > 0);
	return NULL;
}

static void test_tsync_fails(void)
{
	volatile long tid = 0;
	pthread_t thread;

	stage = 0;
	CHECK(!pthread_create(&thread, NULL, filter_of_its_own, (void *)&tid));
	while (stage != 2)
		pause_ms(1);
	no_new_privs();
	CHECK(ATTACH(SECCOMP_FILTER_FLAG_TSYNC, DENY_GETPPID) == tid);
	FAILS(ESRCH, ATTACH(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, DENY_GETPPID));
	CHECK(syscall(SYS_getppid) > 0);
	stage = 1;
	CHECK(!pthread_join(thread, NULL));
}

/* All filters together are limited to 32768 instructions; Linux counts them after translation. */
static void test_limit(void)
{
	struct sock_filter f[4096];
	int n = 0;

	for (int i = 0; i < 4096; i++)
		f[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	no_new_privs();
	FAILS(EINVAL, attach(f, 4097, 0));
	while (!attach(f, 4096, 0))
		n++;
	CHECK(n >= 3 && n <= 7 && errno == ENOMEM);
}

/* Without CAP_SYS_ADMIN only for who can gain no privileges. */
static void test_permission(void)
{
	if (!getuid())
		OK(setresuid(1000, 1000, 1000));
	FAILS(EACCES, ATTACH(0, RETURN(SECCOMP_RET_ALLOW)));
	no_new_privs();
	OK(ATTACH(0, RETURN(SECCOMP_RET_ALLOW)));
}

static void test_exec(char *self)
{
	char *argv[] = { self, "after-exec", NULL };
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		on_call(SYS_getppid, SECCOMP_RET_ERRNO | 66);
		execv(self, argv);
		_exit(1);
	}
	CHECK(reap(pid) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		FAILS(66, syscall(SYS_getppid));
		CHECK(status_line("Seccomp_filters:") == 1);
		return 0;
	}
	IN_CHILD(test_refused_programs());
	test_actions_available();
	IN_CHILD(test_errno());
	IN_CHILD(test_arguments());
	IN_CHILD(test_instructions());
	IN_CHILD(test_precedence());
	IN_CHILD(test_trap());
	test_deaths();
	IN_CHILD(test_kill_thread());
	test_strict();
	IN_CHILD(test_tsync());
	IN_CHILD(test_tsync_fails());
	IN_CHILD(test_limit());
	IN_CHILD(test_permission());
	test_exec("/proc/self/exe");
	return 0;
}
