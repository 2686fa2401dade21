/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery, masks, queues and the information that comes with a signal. */
#include "check.h"
#include <signal.h>

static volatile sig_atomic_t count, last;
static volatile siginfo_t info;

static void plain(int sig)
{
	last = sig;
	count++;
}

static void detailed(int sig, siginfo_t *si, void *context)
{
	(void)context;
	last = sig;
	info = *si;
	count++;
}

static void handle(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	OK(sigaction(sig, &sa, NULL));
}

static void test_delivery(void)
{
	struct sigaction old;

	CHECK(signal(SIGUSR1, plain) == SIG_DFL);
	OK(raise(SIGUSR1));
	CHECK(count == 1 && last == SIGUSR1);
	OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == plain);
	handle(SIGUSR2, detailed, 0);
	OK(kill(getpid(), SIGUSR2));
	CHECK(last == SIGUSR2 && info.si_code == SI_USER && info.si_pid == getpid() &&
	      info.si_uid == getuid());
	OK(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 4711 }));
	CHECK(info.si_code == SI_QUEUE && info.si_value.sival_int == 4711);
	FAILS(EINVAL, kill(getpid(), 65));
	FAILS(EINVAL, sigaction(SIGKILL, &old, NULL));
	FAILS(ESRCH, kill(0x3ffffff, 0));
	OK(kill(getpid(), 0));
}

static void test_reset_and_nodefer(void)
{
	struct sigaction sa;

	handle(SIGUSR1, detailed, SA_RESETHAND);
	raise(SIGUSR1);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
}

static void test_masks(void)
{
	sigset_t set, old, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	handle(SIGUSR1, detailed, 0);
	OK(sigprocmask(SIG_BLOCK, &set, &old));
	CHECK(!sigismember(&old, SIGUSR1));
	count = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	OK(sigpending(&pending));
	CHECK(count == 0 && sigismember(&pending, SIGUSR1));
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK(count == 1); /* standard signals do not queue */
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	FAILS(EINTR, sigsuspend(&old));
	CHECK(count == 2);
	OK(sigprocmask(SIG_SETMASK, NULL, &old));
	CHECK(sigismember(&old, SIGUSR1));
	OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static volatile int order[8], orders;

static void ordered(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	order[orders++] = si->si_value.sival_int;
}

static void test_realtime_queue(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	handle(SIGRTMIN, ordered, 0);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 5; i++)
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK(orders == 5);
	for (int i = 0; i < 5; i++)
		CHECK(order[i] == i);
}

static void test_wait(void)
{
	struct timespec shortly = { 0, 20000000 };
	siginfo_t si;
	sigset_t set;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	FAILS(EAGAIN, sigtimedwait(&set, &si, &shortly));
	OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 7 }));
	CHECK(sigwaitinfo(&set, &si) == SIGUSR1 && si.si_value.sival_int == 7);
	child = fork();
	if (!child)
		_exit(33);
	CHECK(sigwaitinfo(&set, &si) == SIGCHLD);
	CHECK(si.si_pid == child && si.si_code == CLD_EXITED && si.si_status == 33);
	CHECK(reap(child) == 33);
	OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static void in_handler(int sig)
{
	sigset_t mask;

	(void)sig;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	CHECK(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2) &&
	      !sigismember(&mask, SIGTERM));
	count = 100;
}

static void test_handler_mask(void)
{
	struct sigaction sa = { .sa_handler = in_handler };
	sigset_t mask;

	sigaddset(&sa.sa_mask, SIGUSR2);
	OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(count == 100);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	CHECK(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
}

static void test_inheritance(void)
{
	signal(SIGUSR1, plain);
	signal(SIGUSR2, SIG_IGN);
	IN_CHILD({
		struct sigaction sa;
		sigset_t pending;

		sigaction(SIGUSR1, NULL, &sa);
		CHECK(sa.sa_handler == plain);
		sigpending(&pending);
		CHECK(sigisemptyset(&pending));
		raise(SIGUSR2);
		raise(SIGUSR1);
		CHECK(last == SIGUSR1);
	});
}

int main(void)
{
	test_delivery();
	test_reset_and_nodefer();
	test_masks();
	test_realtime_queue();
	test_wait();
	test_handler_mask();
	test_inheritance();
	return 0;
}
