/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): attaching and seizing, stops of every kind, what wait(2) tells of them, and ends of either side. */
#include "check.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>

long ptrace(long request, ...);

static volatile int *shared;

/* The next report of a task: its wait status. */
static int next(pid_t pid)
{
	int status;

	CHECK(OK(waitpid(pid, &status, __WALL)) == pid);
	return status;
}

static int next_stop(pid_t pid)
{
	int status = next(pid);

	CHECK(WIFSTOPPED(status));
	return status >> 8;
}

static int event_of(int event)
{
	return event << 8 | SIGTRAP;
}

/* Whether the line of /proc/PID/status is there. */
static int status_has(pid_t pid, const char *line)
{
	char name[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	fd = OK(open(name, O_RDONLY));
	n = OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	close(fd);
	return strstr(text, line) != NULL;
}

static pid_t spinner(void)
{
	pid_t pid = OK(fork());

	while (!pid)
		shared[0]++;
	return pid;
}

static void finish(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	CHECK(reap(pid) == 1000 + SIGKILL);
}

static void attach(void)
{
	pid_t pid = spinner();
	char line[64];

	OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	CHECK(next_stop(pid) == SIGSTOP);
	snprintf(line, sizeof(line), "TracerPid:\t%d\n", getpid());
	CHECK(status_has(pid, line) && status_has(pid, "State:\tt (tracing stop)"));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	FAILS(ESRCH, ptrace(PTRACE_CONT, pid, 0, 0)); /* it runs */
	OK(kill(pid, SIGSTOP));
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	CHECK(status_has(pid, "TracerPid:\t0\n"));
	FAILS(ESRCH, ptrace(PTRACE_CONT, pid, 0, 0));
	finish(pid);
}

/* Group stops of a tracee that was seized: PTRACE_EVENT_STOP, PTRACE_LISTEN, and the end by SIGCONT. */
static void seize(void)
{
	pid_t pid = spinner();
	int stop = PTRACE_EVENT_STOP << 8;

	FAILS(EIO, ptrace(PTRACE_SEIZE, pid, 1, 0));
	OK(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	FAILS(ESRCH, ptrace(PTRACE_CONT, pid, 0, 0));
	OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK(next_stop(pid) == (stop | SIGTRAP));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	OK(kill(pid, SIGSTOP));
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_CONT, pid, 0, SIGSTOP));
	CHECK(next_stop(pid) == (stop | SIGSTOP));
	OK(ptrace(PTRACE_LISTEN, pid, 0, 0));
	FAILS(ESRCH, ptrace(PTRACE_CONT, pid, 0, 0));
	OK(kill(pid, SIGCONT));
	CHECK(next_stop(pid) == (stop | SIGTRAP));
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next_stop(pid) == SIGCONT);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	finish(pid);
}

/* SIGCONT comes at any instant of a stopped process being seized: whoever listens to the stop is told of it. */
static void seize_and_continue(void)
{
	int stop = PTRACE_EVENT_STOP << 8;

	for (int i = 0; i < 300; i++) {
		pid_t pid = OK(fork());
		int status;

		if (!pid) {
			raise(SIGSTOP);
			_exit(7);
		}
		CHECK(OK(waitpid(pid, &status, WUNTRACED)) == pid && WIFSTOPPED(status));
		OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
		for (volatile int pause = 0; pause < i % 50 * 200; pause++)
			;
		OK(kill(pid, SIGCONT));
		while (WIFSTOPPED(status = next(pid)))
			OK(ptrace(status >> 8 == (stop | SIGSTOP) ? PTRACE_LISTEN : PTRACE_CONT, pid, 0, 0));
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}

/* To the next stop for a call; -1: it has exited. */
static int call_stop(pid_t pid, struct ptrace_syscall_info *info, int *status)
{
	OK(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	*status = next(pid);
	if (!WIFSTOPPED(*status))
		return -1;
	CHECK(*status >> 8 == (SIGTRAP | 0x80));
	OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info));
	CHECK(info->arch == AUDIT_ARCH_X86_64 && info->instruction_pointer && info->stack_pointer);
	return info->op;
}

/* Calls are seen, replaced and left out. */
static void calls(void)
{
	pid_t pid = OK(fork());
	struct ptrace_syscall_info info;
	struct user_regs_struct r;
	int status;

	if (!pid) {
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		if (syscall(SYS_getuid, 11, 22, 33) != 4321) /* left out */
			_exit(1);
		if (syscall(SYS_getpgid, 0) != syscall(SYS_gettid)) /* gettid as well */
			_exit(2);
		for (int i = 0; i < 40; i++) /* as often as makes a call site worth rewriting */
			if (syscall(SYS_getppid) != getppid())
				_exit(3);
		_exit(9);
	}
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	FAILS(EINVAL, ptrace(PTRACE_SETOPTIONS, pid, 0, 1 << 30));
	do
		CHECK(call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_ENTRY);
	while (info.entry.nr != SYS_getuid && call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_EXIT);
	CHECK(info.entry.args[0] == 11 && info.entry.args[1] == 22 && info.entry.args[2] == 33);
	OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK(r.orig_rax == SYS_getuid && (long)r.rax == -ENOSYS && r.rcx == r.rip);
	CHECK(((unsigned long)ptrace(PTRACE_PEEKTEXT, pid, r.rip - 2, &r.r15) | 1) != 0);
	r.orig_rax = -1UL;
	r.rax = 4321;
	OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	CHECK(call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == 4321);
	CHECK(call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getpgid);
	OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	r.orig_rax = SYS_gettid;
	OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	CHECK(call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == pid);
	while (call_stop(pid, &info, &status) == PTRACE_SYSCALL_INFO_ENTRY)
		if (call_stop(pid, &info, &status) != PTRACE_SYSCALL_INFO_EXIT)
			break;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

#define EVENTS                                                                                     \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |     \
	 PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE | PTRACE_O_EXITKILL)

static unsigned long message(pid_t pid)
{
	unsigned long m = 0;

	OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &m));
	return m;
}

static void expect_event(pid_t pid, int event)
{
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next_stop(pid) == event_of(event));
}

static void child_ends(pid_t child, int code)
{
	CHECK(next_stop(child) == SIGSTOP);
	expect_event(child, PTRACE_EVENT_EXIT);
	CHECK(message(child) == (unsigned long)code << 8);
	OK(ptrace(PTRACE_CONT, child, 0, 0));
	CHECK(next(child) == code << 8);
}

static int clone_child(void *arg)
{
	(void)arg;
	return 6;
}

static void event_maker(void)
{
	static char stack[65536];
	pid_t pid;

	OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
	raise(SIGSTOP);
	pid = fork();
	if (!pid)
		_exit(4);
	if (reap(pid) != 4)
		_exit(101);
	pid = vfork();
	if (!pid)
		_exit(5);
	if (reap(pid) != 5)
		_exit(102);
	OK(clone(clone_child, stack + sizeof(stack), CLONE_VM, NULL));
	if (waitpid(-1, NULL, __WCLONE) < 0)
		_exit(103);
	execl("/proc/self/exe", "again", "7", NULL);
	_exit(104);
}

static void events(void)
{
	pid_t pid = OK(fork());

	if (!pid)
		event_maker();
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, EVENTS));
	expect_event(pid, PTRACE_EVENT_FORK);
	child_ends((pid_t)message(pid), 4);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next_stop(pid) == SIGCHLD);
	expect_event(pid, PTRACE_EVENT_VFORK);
	child_ends((pid_t)message(pid), 5);
	expect_event(pid, PTRACE_EVENT_VFORK_DONE);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next_stop(pid) == SIGCHLD);
	expect_event(pid, PTRACE_EVENT_CLONE);
	child_ends((pid_t)message(pid), 6);
	expect_event(pid, PTRACE_EVENT_EXEC);
	CHECK(message(pid) == (unsigned long)pid);
	expect_event(pid, PTRACE_EVENT_EXIT);
	CHECK(message(pid) == 7 << 8);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next(pid) == 7 << 8);
}

/* Without PTRACE_O_TRACEEXEC, a SIGTRAP. */
static void plain_exec(void)
{
	pid_t pid = OK(fork());

	if (!pid) {
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		execl("/proc/self/exe", "again", "3", NULL);
		_exit(1);
	}
	CHECK(next_stop(pid) == SIGTRAP);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next(pid) == 3 << 8);
}

static void *thread(void *arg)
{
	shared[1] = (int)syscall(SYS_gettid);
	while (!shared[2])
		sched_yield();
	return arg;
}

/* A thread's end is told; of a process traced by another than its parent, the tracer hears first. */
static void threads(void)
{
	pid_t pid, tracer, tid;
	int status;

	shared[1] = shared[2] = 0;
	pid = OK(fork());
	if (!pid) {
		pthread_t t;

		OK(pthread_create(&t, NULL, thread, NULL));
		pthread_join(t, NULL);
		_exit(8);
	}
	while (!shared[1])
		sched_yield();
	tid = shared[1];
	tracer = OK(fork());
	if (!tracer) {
		OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
		CHECK(next_stop(pid) == SIGSTOP);
		OK(ptrace(PTRACE_ATTACH, tid, 0, 0));
		CHECK(next_stop(tid) == SIGSTOP);
		shared[2] = 1;
		OK(ptrace(PTRACE_CONT, tid, 0, 0));
		CHECK(next(tid) == 0);
		FAILS(ECHILD, waitpid(tid, &status, __WALL));
		OK(ptrace(PTRACE_CONT, pid, 0, 0));
		CHECK(next(pid) == 8 << 8);
		FAILS(ECHILD, waitpid(-1, &status, __WALL));
		_exit(0);
	}
	CHECK(reap(pid) == 8);
	CHECK(reap(tracer) == 0);
}

/* A tracer that dies lets its tracees go, or takes them along. */
static void tracer_dies(void)
{
	for (int kill_too = 0; kill_too < 2; kill_too++) {
		pid_t pid = spinner(), tracer = OK(fork());
		int before;

		if (!tracer) {
			OK(ptrace(PTRACE_SEIZE, pid, 0, kill_too ? PTRACE_O_EXITKILL : 0));
			OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
			next_stop(pid);
			_exit(0);
		}
		CHECK(reap(tracer) == 0);
		if (kill_too) {
			CHECK(reap(pid) == 1000 + SIGKILL);
			continue;
		}
		before = shared[0];
		while (shared[0] == before)
			sched_yield();
		CHECK(status_has(pid, "TracerPid:\t0\n"));
		finish(pid);
	}
}

/* SECCOMP_RET_TRACE stops for a tracer that wants it, which may see the exit as well; else ENOSYS. */
static void seccomp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 55),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };
	struct ptrace_syscall_info info;
	pid_t pid = OK(fork());

	if (!pid) {
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
		FAILS(ENOSYS, syscall(SYS_getuid));
		raise(SIGSTOP);
		_exit(syscall(SYS_getuid) == (long)getuid() ? 0 : 1);
	}
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD));
	expect_event(pid, PTRACE_EVENT_SECCOMP);
	CHECK(message(pid) == 55);
	OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));
	CHECK(info.op == PTRACE_SYSCALL_INFO_SECCOMP && info.seccomp.nr == SYS_getuid && info.seccomp.ret_data == 55);
	OK(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	CHECK(next_stop(pid) == (SIGTRAP | 0x80));
	OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));
	CHECK(info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == getuid());
	expect_event(pid, PTRACE_EVENT_SECCOMP);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(next(pid) == 0);
}

/* Who is another user's, or may not be dumped, can't be traced. */
static void permission(void)
{
	pid_t pid = spinner();

	if (getuid() == 0)
		IN_CHILD({
			OK(setresuid(12345, 12345, 12345));
			FAILS(EPERM, ptrace(PTRACE_ATTACH, pid, 0, 0));
			FAILS(EPERM, ptrace(PTRACE_SEIZE, pid, 0, 0));
		});
	finish(pid);
}

/* Many threads are stopped and let go all the time, while they make calls and signals come; then killed. */
static void *busy(void *arg)
{
	for (;;) {
		sched_yield();
		__atomic_fetch_add(&shared[3], 1, __ATOMIC_RELAXED);
	}
	return arg;
}

static void on_usr1(int sig)
{
	(void)sig;
	__atomic_fetch_add(&shared[4], 1, __ATOMIC_RELAXED);
}

static void storm(void)
{
	int n = 0, status, stops = 0;
	pid_t pid, tid;

	shared[4] = 0;
	pid = OK(fork());
	if (!pid) {
		pthread_t t;

		signal(SIGUSR1, on_usr1);
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		for (int i = 0; i < 3; i++)
			OK(pthread_create(&t, NULL, busy, NULL));
		busy(NULL);
	}
	CHECK(next_stop(pid) == SIGSTOP);
	OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	OK(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	while (stops++ < 2000) {
		int sig;

		tid = OK(waitpid(-1, &status, __WALL));
		CHECK(WIFSTOPPED(status));
		sig = WSTOPSIG(status);
		if (sig == SIGUSR1)
			n++;
		if (stops % 50 == 0)
			OK(kill(pid, SIGUSR1));
		OK(ptrace(PTRACE_SYSCALL, tid, 0, sig == SIGUSR1 ? SIGUSR1 : 0));
	}
	CHECK(n > 0);
	OK(kill(pid, SIGKILL));
	do
		tid = OK(waitpid(-1, &status, __WALL));
	while (tid != pid || !WIFSIGNALED(status));
	CHECK(WTERMSIG(status) == SIGKILL);
}

int main(int argc, char **argv)
{
	int status;

	if (argc > 1)
		return atoi(argv[1]);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	attach();
	seize();
	seize_and_continue();
	calls();
	events();
	plain_exec();
	threads();
	tracer_dies();
	seccomp();
	permission();
	storm();
	FAILS(ECHILD, waitpid(-1, &status, __WALL));
	return 0;
}
