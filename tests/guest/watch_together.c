/* SPDX-License-Identifier: Apache-2.0 */
/* Tracing, asynchronous I/O, notifications and what belongs to a thread, used by several at the same moment. */
#include "together.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ROUNDS 40

/* From linux/ptrace.h, whose names glibc's header has, too. */
enum { TRACEME = 0, CONT = 7, SYSCALL = 24, DETACH = 17, SETOPTIONS = 0x4200, SEIZE = 0x4206, INTERRUPT = 0x4207 };
#define O_SYSGOOD 1
#define O_KILL_CHILD 0x100000
long ptrace(long request, ...);

static int common;
static long sum, won;
static pid_t child;

static void add(long *to, long n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

/* ---- ptrace ---- */

/* One of them gets it, and lets it go. */
static void *seize(void *arg)
{
	int status;

	(void)arg;
	pthread_barrier_wait(&start);
	if (ptrace(SEIZE, child, 0, 0) == 0) {
		add(&won, 1);
		pthread_barrier_wait(&start);
		OK(ptrace(INTERRUPT, child, 0, 0));
		CHECK(OK(waitpid(child, &status, __WALL)) == child && WIFSTOPPED(status));
		OK(ptrace(DETACH, child, 0, 0));
	} else {
		CHECK(errno == EPERM);
		pthread_barrier_wait(&start);
		FAILS(ESRCH, ptrace(INTERRUPT, child, 0, 0));
	}
	return NULL;
}

/* A child of each one's own is stopped at each call: what it made is counted. */
static void *count_calls(void *arg)
{
	pid_t own = OK(fork());
	int status, stops = 0;

	(void)arg;
	if (!own) {
		ptrace(TRACEME, 0, 0, 0);
		kill(getpid(), SIGSTOP);
		for (int i = 0; i < ROUNDS; i++)
			syscall(SYS_getppid);
		_exit(3);
	}
	CHECK(OK(waitpid(own, &status, __WALL)) == own && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	OK(ptrace(SETOPTIONS, own, 0, O_SYSGOOD | O_KILL_CHILD));
	pthread_barrier_wait(&start);
	for (;;) {
		OK(ptrace(SYSCALL, own, 0, 0));
		CHECK(OK(waitpid(own, &status, __WALL)) == own);
		if (WIFEXITED(status))
			break;
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
		stops++;
	}
	/* the calls, and the start of exit_group() */
	CHECK(WEXITSTATUS(status) == 3 && stops == 2 * ROUNDS + 1);
	return NULL;
}

static void test_ptrace(void)
{
	child = OK(fork());
	if (!child)
		for (;;)
			pause();
	for (int i = 0; i < 10; i++) {
		won = 0;
		each(seize);
		CHECK(won == 1);
	}
	OK(kill(child, SIGKILL));
	CHECK(reap(child) == 1000 + SIGKILL);
	each(count_calls);
}

/* ---- asynchronous I/O: one context ---- */

static aio_context_t context;
static unsigned char seen[KIN * ROUNDS];

static void *submit_and_get(void *arg)
{
	struct io_event event;
	long me = (long)arg;

	pthread_barrier_wait(&start);
	for (long i = me * ROUNDS; i < (me + 1) * ROUNDS; i++) {
		struct iocb cb = { .aio_data = (unsigned long)i, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (unsigned int)common,
				   .aio_buf = (unsigned long)&i, .aio_nbytes = sizeof(i), .aio_offset = i * (long)sizeof(i) };
		struct iocb *list = &cb;

		CHECK(OK(syscall(SYS_io_submit, context, 1, &list)) == 1);
		CHECK(OK(syscall(SYS_io_getevents, context, 1, 1, &event, NULL)) == 1);
		CHECK(event.res == sizeof(i) && event.data < KIN * ROUNDS);
		CHECK(!__atomic_exchange_n(&seen[event.data], 1, __ATOMIC_RELAXED));
	}
	return NULL;
}

static void *destroy(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	if (syscall(SYS_io_destroy, context) == 0)
		add(&won, 1);
	else
		CHECK(errno == EINVAL);
	return NULL;
}

static void test_aio(void)
{
	char name[] = "together.XXXXXX";
	long n;

	common = OK(mkstemp(name));
	OK(unlink(name));
	OK(syscall(SYS_io_setup, 64, &context));
	each(submit_and_get);
	for (long i = 0; i < KIN * ROUNDS; i++)
		CHECK(seen[i] && pread(common, &n, sizeof(n), i * (long)sizeof(n)) == sizeof(n) && n == i);
	won = 0;
	each(destroy);
	CHECK(won == 1);
	close(common);
}

/* ---- mq_notify: one is told, once ---- */

static void *ask_to_be_told(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };

	(void)arg;
	pthread_barrier_wait(&start);
	if (mq_notify(common, &event) == 0)
		add(&won, 1);
	else
		CHECK(errno == EBUSY);
	return NULL;
}

static void *send_one(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	OK(mq_send(common, "x", 1, 0));
	return NULL;
}

static void test_notifications(void)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = 1 };
	const struct timespec none = { 0 };
	sigset_t set;
	char byte;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	common = OK(mq_open("/watch_together", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	OK(mq_unlink("/watch_together"));
	for (int i = 0; i < 10; i++) {
		won = 0;
		each(ask_to_be_told);
		CHECK(won == 1);
		each(send_one);
		CHECK(sigtimedwait(&set, NULL, &none) == SIGRTMIN);
		FAILS(EAGAIN, sigtimedwait(&set, NULL, &none));
		for (int k = 0; k < KIN; k++)
			CHECK(OK(mq_receive(common, &byte, 1, NULL)) == 1);
	}
	OK(mq_close(common));
}

/* ---- inotify: who reads an event has it, nobody else ---- */

static void *make_and_read(void *arg)
{
	struct pollfd p = { .fd = common, .events = POLLIN };
	char buf[4096], name[32];
	ssize_t n;

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "watched/%ld-%d", (long)arg, i);
		close(OK(open(name, O_CREAT | O_WRONLY, 0600)));
		OK(unlink(name));
	}
	while (__atomic_load_n(&sum, __ATOMIC_RELAXED) < 2 * KIN * ROUNDS) {
		CHECK(poll(&p, 1, 20) >= 0);
		n = read(common, buf, sizeof(buf));
		CHECK(n > 0 || errno == EAGAIN);
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (void *)(buf + at);
			long value = e->mask == IN_CREATE ? 1 : 100000;

			CHECK((e->mask == IN_CREATE || e->mask == IN_DELETE) && e->len);
			add(&sum, 1);
			add(&won, value);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	return NULL;
}

/* A watch is one, whoever adds it, and taken away once. Linux tells more than one that it did. */
static void *add_and_remove(void *arg)
{
	int wd;

	(void)arg;
	wd = OK(inotify_add_watch(common, "watched", IN_CREATE));
	CHECK(wd == OK(inotify_add_watch(common, "watched", IN_CREATE | IN_DELETE)));
	pthread_barrier_wait(&start);
	if (inotify_rm_watch(common, wd) == 0)
		add(&won, 1);
	else
		CHECK(errno == EINVAL);
	return NULL;
}

static void test_inotify(void)
{
	struct inotify_event e[2];

	OK(mkdir("watched", 0700));
	common = OK(inotify_init1(IN_NONBLOCK));
	OK(inotify_add_watch(common, "watched", IN_CREATE | IN_DELETE));
	sum = won = 0;
	each(make_and_read);
	CHECK(sum == 2 * KIN * ROUNDS && won == KIN * ROUNDS * 100001L);
	won = 0;
	each(add_and_remove);
	CHECK(won >= 1);
	CHECK(OK(read(common, e, sizeof(e))) == sizeof(e[0]) && e[0].mask == IN_IGNORED);
	close(common);
	OK(rmdir("watched"));
}

/* ---- of each thread ---- */

static void *capabilities(void *arg)
{
	static const int caps[KIN] = { CAP_CHOWN, CAP_KILL, CAP_SETUID, CAP_NET_BIND_SERVICE };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[2], less[2], got[2];

	OK(syscall(SYS_capget, &head, all));
	memcpy(less, all, sizeof(less));
	less[0].effective &= ~(1u << caps[(long)arg]);
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(syscall(SYS_capset, &head, i & 1 ? all : less));
		OK(syscall(SYS_capget, &head, got));
		CHECK(!memcmp(got, i & 1 ? all : less, sizeof(got)));
	}
	return NULL;
}

static void *policies(void *arg)
{
	static const int modes[KIN] = { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE };
	unsigned long nodes = 1, got[16];
	int mode, mine = modes[(long)arg];
	char *p = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(syscall(SYS_set_mempolicy, mine, mine == MPOL_DEFAULT ? NULL : &nodes, mine == MPOL_DEFAULT ? 0 : 64));
		OK(syscall(SYS_get_mempolicy, &mode, got, 1024, NULL, 0));
		CHECK(mode == mine && got[0] == (mine != MPOL_DEFAULT));
		OK(syscall(SYS_mbind, p, 4096, MPOL_PREFERRED, &nodes, 64, 0));
		p[i] = 1;
	}
	OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	OK(munmap(p, 4096));
	return NULL;
}

int main(void)
{
	int mode;

	test_ptrace();
	test_aio();
	test_notifications();
	test_inotify();
	IN_CHILD(each(capabilities));
	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0) /* not a kernel without NUMA */
		each(policies);
	return 0;
}
