/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): memory, registers, single steps and breakpoints of a child that has itself traced. */
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define FP_SIZE 512

static volatile long word = 0x1122334455667788;
static volatile int handled;

static int wait_stop(pid_t pid)
{
	int status;

	CHECK(OK(waitpid(pid, &status, __WALL)) == pid);
	CHECK(WIFSTOPPED(status));
	return status >> 8;
}

static void on_usr1(int sig)
{
	handled += sig == SIGUSR1;
}

/* The code that is stepped and broken into: its address is fixed, its bytes are read-only. */
__attribute__((noinline)) static long twice(long n)
{
	return n * 2;
}

static void child(void)
{
	signal(SIGUSR1, on_usr1);
	OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
	FAILS(EPERM, ptrace(PTRACE_TRACEME, 0, 0, 0));
	raise(SIGSTOP);
	if (word != 99)
		_exit(2);
	raise(SIGUSR1);
	if (handled)
		_exit(3); /* the tracer keeps the signal back */
	raise(SIGUSR1);
	if (handled != 1)
		_exit(4);
	if (twice(21) != 42 || twice(4) != 8)
		_exit(5);
	_exit(getppid() == (pid_t)syscall(SYS_getppid) ? 7 : 6);
}

static void memory(pid_t pid)
{
	struct iovec iov = { NULL, 0 };
	long value, fd;
	char name[64];

	errno = 0;
	CHECK(ptrace(PTRACE_PEEKDATA, pid, &word, 0) == word && !errno);
	FAILS(EIO, ptrace(PTRACE_PEEKDATA, pid, 8, 0));
	OK(ptrace(PTRACE_POKEDATA, pid, &word, 98));
	CHECK(ptrace(PTRACE_PEEKTEXT, pid, &word, 0) == 98);
	FAILS(EIO, ptrace(PTRACE_POKEDATA, pid, 8, 1));
	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	fd = OK(open(name, O_RDWR));
	CHECK(pread(fd, &value, sizeof(value), (off_t)&word) == sizeof(value) && value == 98);
	value = 99;
	CHECK(pwrite(fd, &value, sizeof(value), (off_t)&word) == sizeof(value));
	CHECK(ptrace(PTRACE_PEEKDATA, pid, &word, 0) == 99);
	FAILS(EIO, pread(fd, &value, sizeof(value), 8));
	close(fd);
	/* read-only text can be written to; the file and this process keep theirs */
	value = ptrace(PTRACE_PEEKTEXT, pid, twice, 0);
	CHECK(!memcmp(&value, (void *)twice, sizeof(value)));
	iov.iov_len = 1;
	FAILS(EINVAL, ptrace(PTRACE_GETREGSET, pid, 12345, &iov));
}

static void registers(pid_t pid)
{
	struct user_regs_struct r, again;
	struct user_fpregs_struct fp;
	struct iovec iov = { &again, sizeof(again) + 64 };
	unsigned char *xstate = calloc(1, 16384);

	OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK(r.cs == 0x33 && r.ss == 0x2b && r.fs_base && !r.gs_base);
	CHECK((unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0) == r.rip);
	OK(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	CHECK(iov.iov_len == sizeof(again) && !memcmp(&again, &r, sizeof(r)));
	FAILS(EIO, ptrace(PTRACE_PEEKUSER, pid, 3, 0));
	FAILS(EIO, ptrace(PTRACE_PEEKUSER, pid, 1 << 20, 0));
	FAILS(EIO, ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.fs_base), -1L));
	r.r15 = 0x1234;
	OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	CHECK(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.r15), 0) == 0x1234);
	FAILS(EFAULT, ptrace(PTRACE_GETREGS, pid, 0, 8));
	OK(ptrace(PTRACE_GETFPREGS, pid, 0, &fp));
	CHECK((fp.mxcsr & 0xffff) == 0x1f80 && sizeof(fp) == FP_SIZE);
	fp.xmm_space[60] = 0x5a5a5a5a;
	OK(ptrace(PTRACE_SETFPREGS, pid, 0, &fp));
	iov = (struct iovec){ xstate, 16384 };
	OK(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
	CHECK(iov.iov_len >= 576);
	CHECK(((unsigned *)xstate)[40 + 60] == 0x5a5a5a5a);
	CHECK(((unsigned long *)xstate)[58] & 3); /* XCR0 */
	free(xstate);
}

static void signals(pid_t pid)
{
	siginfo_t info;

	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(wait_stop(pid) == SIGUSR1);
	OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	CHECK(info.si_signo == SIGUSR1 && info.si_code == SI_TKILL && info.si_pid == pid);
	FAILS(EIO, ptrace(PTRACE_CONT, pid, 0, 1000));
	OK(ptrace(PTRACE_CONT, pid, 0, 0)); /* kept back */
	CHECK(wait_stop(pid) == SIGUSR1);
}

/* A breakpoint: int3, SIGTRAP behind it, the byte back, and a step over it. */
static void breakpoint(pid_t pid, long signal)
{
	long text = ptrace(PTRACE_PEEKTEXT, pid, twice, 0);
	struct user_regs_struct r;
	siginfo_t info;
	int steps;

	OK(ptrace(PTRACE_POKETEXT, pid, twice, (text & ~0xffL) | 0xcc));
	OK(ptrace(PTRACE_CONT, pid, 0, signal));
	CHECK(wait_stop(pid) == SIGTRAP);
	OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK(r.rip == (unsigned long)twice + 1 && r.rdi == 21);
	r.rip--;
	OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	OK(ptrace(PTRACE_POKETEXT, pid, twice, text));
	for (steps = 0; r.rip >= (unsigned long)twice && r.rip < (unsigned long)twice + 64; steps++) {
		unsigned long before = r.rip;

		OK(ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
		CHECK(wait_stop(pid) == SIGTRAP);
		OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
		CHECK(info.si_code == TRAP_TRACE);
		OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
		CHECK(r.rip != before && !(r.eflags & 0x100));
		CHECK(steps < 50);
	}
	CHECK(steps >= 2 && r.rax == 42);
}

/* To the instruction behind the next system call, whichever way that is made. */
static void step_over_call(pid_t pid)
{
	struct user_regs_struct r, after;
	int steps;

	for (steps = 0; steps < 20000; steps++) {
		unsigned long text;

		OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
		text = (unsigned long)ptrace(PTRACE_PEEKTEXT, pid, r.rip, 0);
		OK(ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
		CHECK(wait_stop(pid) == SIGTRAP);
		if ((text & 0xffff) == 0x050f)
			break;
	}
	CHECK(steps < 20000);
	OK(ptrace(PTRACE_GETREGS, pid, 0, &after));
	CHECK(after.rip == r.rip + 2 && r.rax == SYS_getppid && after.rax == (unsigned long)getpid());
}

int main(void)
{
	struct user_regs_struct r;
	pid_t pid = OK(fork());
	int status;

	if (!pid)
		child();
	FAILS(ESRCH, ptrace(PTRACE_CONT, getpid(), 0, 0));
	CHECK(wait_stop(pid) == SIGSTOP);
	FAILS(EPERM, ptrace(PTRACE_ATTACH, pid, 0, 0));
	FAILS(EPERM, ptrace(PTRACE_ATTACH, getpid(), 0, 0));
	FAILS(ESRCH, ptrace(PTRACE_ATTACH, 0x3ffffff, 0, 0));
	FAILS(EIO, ptrace(0x1234, pid, 0, 0));
	memory(pid);
	registers(pid);
	signals(pid);
	breakpoint(pid, SIGUSR1);
	step_over_call(pid);
	OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK(OK(waitpid(pid, &status, 0)) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	FAILS(ESRCH, ptrace(PTRACE_GETREGS, pid, 0, &r));
	return 0;
}
