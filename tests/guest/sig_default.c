/* SPDX-License-Identifier: Apache-2.0 */
/* What signals do to a process that has no handler, and job control. */
#include "check.h"
#include <signal.h>
#include <sys/resource.h>

static void test_fatal(void)
{
	static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS,
				     SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,
				     SIGTERM, SIGXCPU, SIGVTALRM, SIGPROF, SIGSYS, 34, 64 };

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		pid_t child = fork();

		if (!child) {
			kill(getpid(), fatal[i]);
			_exit(0);
		}
		CHECK(reap(child) == 1000 + fatal[i]);
	}
}

static void test_ignored(void)
{
	static const int harmless[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		OK(kill(getpid(), harmless[i]));
}

static volatile int *volatile nowhere = (volatile int *)8;

static void test_faults(void)
{
	pid_t child = fork();

	if (!child)
		*nowhere = 1;
	CHECK(reap(child) == 1000 + SIGSEGV);
	child = fork();
	if (!child)
		__asm__ volatile("ud2");
	CHECK(reap(child) == 1000 + SIGILL);
	child = fork();
	if (!child) /* a blocked fault is fatal all the same */
		sigprocmask(SIG_SETMASK, &(sigset_t){ { ~0UL } }, NULL), *nowhere = 1;
	CHECK(reap(child) == 1000 + SIGSEGV);
	child = fork();
	if (!child) /* and an ignored one */
		signal(SIGSEGV, SIG_IGN), *nowhere = 1;
	CHECK(reap(child) == 1000 + SIGSEGV);
}

static void test_stop(void)
{
	siginfo_t si;
	int status;
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	OK(setpgid(child, child)); /* ours may be an orphaned group, which SIGTSTP does not stop */
	OK(kill(child, SIGSTOP));
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
	OK(kill(child, SIGCONT));
	CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
	OK(kill(child, SIGTSTP));
	OK(waitid(P_PID, child, &si, WSTOPPED));
	CHECK(si.si_code == CLD_STOPPED && si.si_status == SIGTSTP);
	OK(kill(child, SIGTERM)); /* stays pending while stopped */
	OK(kill(child, SIGKILL)); /* this does not */
	CHECK(reap(child) == 1000 + SIGKILL);
	child = fork();
	if (!child)
		for (;;)
			;
	OK(kill(child, SIGSTOP));
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	OK(kill(child, SIGTERM));
	OK(kill(child, SIGCONT));
	CHECK(reap(child) == 1000 + SIGTERM);
}

static void test_busy_loop(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			;
	pause_ms(20);
	OK(kill(child, SIGTERM));
	CHECK(reap(child) == 1000 + SIGTERM);
}

static void test_group(void)
{
	pid_t leader = fork(), other;

	if (!leader) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(leader, leader);
	other = fork();
	if (!other)
		for (;;)
			pause();
	OK(setpgid(other, leader));
	CHECK(getpgid(other) == leader);
	OK(killpg(leader, SIGUSR1));
	CHECK(reap(leader) == 1000 + SIGUSR1);
	CHECK(reap(other) == 1000 + SIGUSR1);
	FAILS(ESRCH, killpg(leader, 0));
}

static volatile sig_atomic_t got_pipe;

static void on_pipe(int sig)
{
	got_pipe = sig;
}

static void test_sigpipe(void)
{
	int fds[2];

	OK(pipe(fds));
	close(fds[0]);
	signal(SIGPIPE, on_pipe);
	FAILS(EPIPE, write(fds[1], "x", 1));
	CHECK(got_pipe == SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(fds[1]);
}

int main(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	test_fatal();
	test_ignored();
	test_faults();
	test_stop();
	test_busy_loop();
	test_group();
	test_sigpipe();
	return 0;
}
