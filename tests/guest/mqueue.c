/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues: mq_overview(7). */
#include "check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char name[64], other[64];
static struct mq_attr small = { .mq_maxmsg = 3, .mq_msgsize = 16 };

static long receive(mqd_t q, char *text)
{
	unsigned int priority = 99;
	ssize_t n = mq_receive(q, text, 16, &priority);

	if (n < 0)
		return -1;
	text[n] = '\0';
	return priority;
}

static void test_open(void)
{
	mqd_t q = OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &small)), ro, wo;
	struct mq_attr bad = { .mq_maxmsg = 0, .mq_msgsize = 1 }, got, now = { .mq_flags = O_NONBLOCK };
	struct stat st;
	char text[32];

	FAILS(EEXIST, mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &small));
	FAILS(ENOENT, mq_open(other, O_RDWR));
	FAILS(EINVAL, mq_open(other, O_CREAT | O_RDWR, 0600, &bad));
	FAILS(EINVAL, mq_open("noslash", O_RDWR));
	FAILS(EACCES, mq_open("/a/b", O_CREAT | O_RDWR, 0600, NULL));
	FAILS(ENOENT, mq_open("/", O_CREAT | O_RDWR, 0600, NULL));
	FAILS(EFAULT, syscall(SYS_mq_open, name + 1, O_CREAT | O_RDWR, 0600, 8L));
	OK(fstat(q, &st));
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_size == 80);
	CHECK(fcntl(q, F_GETFD) == FD_CLOEXEC);
	OK(mq_getattr(q, &got));
	CHECK(got.mq_maxmsg == 3 && got.mq_msgsize == 16 && !got.mq_flags && !got.mq_curmsgs);
	ro = OK(mq_open(name, O_RDONLY));
	wo = OK(mq_open(name, O_WRONLY | O_NONBLOCK));
	FAILS(EBADF, mq_send(ro, "x", 1, 0));
	FAILS(EBADF, mq_receive(wo, text, 16, NULL));
	FAILS(EBADF, mq_send(0, "x", 1, 0));
	OK(mq_getattr(wo, &got));
	CHECK(got.mq_flags == O_NONBLOCK);
	OK(mq_setattr(q, &now, &got));
	CHECK(!got.mq_flags);
	FAILS(EAGAIN, mq_receive(q, text, 16, NULL));
	now.mq_flags = O_APPEND;
	FAILS(EINVAL, mq_setattr(q, &now, NULL));
	OK(mq_close(ro));
	OK(mq_close(wo));
	OK(mq_unlink(name));
	FAILS(ENOENT, mq_unlink(name));
	OK(mq_send(q, "still", 5, 1)); /* without a name */
	CHECK(receive(q, text) == 1 && !strcmp(text, "still"));
	OK(mq_close(q));
	FAILS(EBADF, mq_close(q));
}

static void test_messages(void)
{
	mqd_t q = OK(mq_open(name, O_CREAT | O_RDWR, 0600, &small));
	struct timespec past = { 1, 0 }, bad = { 1, 2000000000 }, soon;
	struct mq_attr got;
	char text[32];

	OK(mq_send(q, "low", 3, 1));
	OK(mq_send(q, "high", 4, 7));
	OK(mq_send(q, "low2", 4, 1));
	FAILS(EMSGSIZE, mq_send(q, "12345678901234567", 17, 0));
	FAILS(EINVAL, mq_send(q, "x", 1, 32768));
	FAILS(ETIMEDOUT, mq_timedsend(q, "x", 1, 0, &past));
	FAILS(EINVAL, mq_timedsend(q, "x", 1, 0, &bad));
	OK(mq_getattr(q, &got));
	CHECK(got.mq_curmsgs == 3);
	FAILS(EMSGSIZE, mq_receive(q, text, 15, NULL));
	CHECK(receive(q, text) == 7 && !strcmp(text, "high"));
	CHECK(receive(q, text) == 1 && !strcmp(text, "low"));
	CHECK(receive(q, text) == 1 && !strcmp(text, "low2"));
	OK(mq_send(q, "", 0, 32767));
	CHECK(receive(q, text) == 32767 && !text[0]);
	OK(clock_gettime(CLOCK_REALTIME, &soon));
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000)
		soon.tv_nsec -= 1000000000, soon.tv_sec++;
	FAILS(ETIMEDOUT, mq_timedreceive(q, text, 16, NULL, &soon));
	OK(mq_close(q));
	OK(mq_unlink(name));
}

static void test_blocking(void)
{
	mqd_t q = OK(mq_open(name, O_CREAT | O_RDWR, 0600, &small));
	mqd_t to_child = OK(mq_open(other, O_CREAT | O_RDWR, 0600, &small)); /* one queue for both: its sender might take it */
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };
	char text[32];
	pid_t pid;

	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	pid = fork();
	if (!pid) {
		CHECK(receive(to_child, text) == 5 && !strcmp(text, "woken"));
		for (int i = 0; i < 100; i++)
			OK(mq_send(q, text, snprintf(text, 16, "%d", i), 0));
		_exit(0);
	}
	pause_ms(20);
	OK(mq_send(to_child, "woken", 5, 5));
	for (int i = 0; i < 100; i++)
		CHECK(receive(q, text) == 0 && atoi(text) == i);
	CHECK(reap(pid) == 0);
	OK(mq_close(to_child));
	OK(mq_unlink(other));
	for (int i = 0; i < 3; i++)
		OK(mq_send(q, "x", 1, 0));
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	OK(mq_close(q));
	OK(mq_unlink(name));
}

static volatile sig_atomic_t noted;
static void note(int sig, siginfo_t *info, void *context)
{
	noted = info->si_code == SI_MESGQ && info->si_value.sival_int == 42 && info->si_pid == getpid() ? sig : -1;
}

static void test_notify(void)
{
	mqd_t q = OK(mq_open(name, O_CREAT | O_RDWR, 0600, &small));
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42 };
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	char text[128];

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(mq_notify(q, &ev));
	FAILS(EBUSY, mq_notify(q, &ev));
	IN_CHILD(FAILS(EBUSY, mq_notify(q, &ev)); OK(mq_notify(q, NULL)));
	CHECK(pread(q, text, sizeof(text) - 1, 0) > 0 && strstr(text, "SIGNO:10"));
	OK(mq_send(q, "a", 1, 0));
	CHECK(noted == SIGUSR1);
	noted = 0;
	OK(mq_notify(q, &ev)); /* the queue is not empty: nothing until it was */
	OK(mq_send(q, "b", 1, 0));
	CHECK(!noted);
	CHECK(receive(q, text) == 0 && receive(q, text) == 0);
	OK(mq_send(q, "c", 1, 0));
	CHECK(noted == SIGUSR1);
	noted = 0;
	OK(mq_send(q, "d", 1, 0)); /* only once */
	CHECK(!noted);
	OK(mq_notify(q, &ev));
	OK(mq_notify(q, NULL));
	OK(mq_notify(q, &ev));
	OK(mq_close(q));
	q = OK(mq_open(name, O_RDWR));
	OK(mq_notify(q, &ev)); /* the close gave it up */
	ev.sigev_signo = 65;
	FAILS(EINVAL, mq_notify(q, &ev));
	OK(mq_close(q));
	OK(mq_unlink(name));
}

static void test_limits(void)
{
	struct rlimit bytes = { 4096, 4096 };
	struct mq_attr large = { .mq_maxmsg = 10, .mq_msgsize = 1024 };

	OK(setrlimit(RLIMIT_MSGQUEUE, &bytes));
	FAILS(EMFILE, mq_open(name, O_CREAT | O_RDWR, 0600, &large));
	OK(mq_close(OK(mq_open(name, O_CREAT | O_RDWR, 0600, &small))));
	FAILS(EMFILE, mq_open(other, O_CREAT | O_RDWR, 0600, &(struct mq_attr){ .mq_maxmsg = 10, .mq_msgsize = 300 }));
	OK(mq_unlink(name));
	if (getuid())
		return;
	OK(mq_close(OK(mq_open(name, O_CREAT | O_RDWR, 0600, &small))));
	OK(setuid(65534));
	FAILS(EACCES, mq_open(name, O_RDWR));
	FAILS(EACCES, mq_unlink(name));
	large.mq_maxmsg = 11; /* above fs.mqueue.msg_max */
	FAILS(EINVAL, mq_open(other, O_CREAT | O_RDWR, 0600, &large));
}

int main(void)
{
	snprintf(name, sizeof(name), "/test-%d", getpid());
	snprintf(other, sizeof(other), "/other-%d", getpid());
	test_open();
	test_messages();
	test_blocking();
	test_notify();
	IN_CHILD(test_limits());
	mq_unlink(name);
	return 0;
}
