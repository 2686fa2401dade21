/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about processes, memory, time and queues made by several at the same moment. */
#include "together.h"
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/utsname.h>

#define ROUNDS 100
#define PAGE 4096

static int common, queue;
static long sum;

static void each_process(void (*body)(int me))
{
	pid_t kin[KIN];

	for (int i = 0; i < KIN; i++) {
		kin[i] = OK(fork());
		if (!kin[i]) {
			body(i);
			_exit(0);
		}
	}
	for (int i = 0; i < KIN; i++)
		CHECK(reap(kin[i]) == 0);
}

/* Maps of threads lie in one address space: each finds its own as it left it. */
static void *map(void *arg)
{
	long me = (long)arg;
	char *grown = OK(mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned char vec[4];
		char *p = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		memset(p, 'a' + me, 4 * PAGE);
		OK(mprotect(p + PAGE, PAGE, PROT_READ));
		OK(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED));
		OK(mincore(p, 4 * PAGE, vec));
		CHECK(p[0] == 'a' + me && p[PAGE] == 'a' + me && !p[2 * PAGE] && p[4 * PAGE - 1] == 'a' + me && (vec[0] & 1));
		OK(mlock(p, PAGE));
		OK(munlock(p, PAGE));
		grown = OK(mremap(p + 2 * PAGE, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, grown));
		CHECK(grown[PAGE] == 'a' + me && !grown[7 * PAGE]);
		OK(munmap(p, 2 * PAGE));
	}
	OK(munmap(grown, 8 * PAGE));
	return NULL;
}

/* brk moves by one lock: who moves it up by a page got a page. */
static void *move_break(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		long now = syscall(SYS_brk, 0), then = syscall(SYS_brk, now + PAGE);

		CHECK(then >= now);
	}
	return NULL;
}

/* Limits are the process': each sees what another has set. */
static void *limits(void *arg)
{
	struct rlimit limit, own;

	OK(getrlimit(RLIMIT_SIGPENDING, &own));
	pthread_barrier_wait(&start);
	OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ own.rlim_max, own.rlim_max }));
	pthread_barrier_wait(&start);
	for (unsigned long i = 0; i < ROUNDS; i++) {
		if ((long)arg & 1) {
			own.rlim_cur = own.rlim_max - i;
			OK((long)arg & 2 ? setrlimit(RLIMIT_SIGPENDING, &own) : prlimit(0, RLIMIT_SIGPENDING, &own, NULL));
		} else {
			OK((long)arg & 2 ? getrlimit(RLIMIT_SIGPENDING, &limit) : prlimit(getpid(), RLIMIT_SIGPENDING, NULL, &limit));
			CHECK(limit.rlim_max == own.rlim_max && limit.rlim_cur > own.rlim_max - ROUNDS);
		}
	}
	return NULL;
}

/* By their numbers, ids are a thread's own. */
static void *ids(void *arg)
{
	unsigned int id = 1000 + (unsigned int)(long)arg, real, effective, saved;

	pthread_barrier_wait(&start);
	OK(syscall(SYS_setgroups, 1, &id));
	OK((long)arg & 1 ? syscall(SYS_setresgid, id, id, id) : syscall(SYS_setregid, id, id));
	CHECK(syscall(SYS_setfsuid, id) == 0 && syscall(SYS_setfsuid, -1) == id);
	OK((long)arg & 1 ? syscall(SYS_setresuid, id, id, id) : syscall(SYS_setreuid, id, id));
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(syscall(SYS_getresuid, &real, &effective, &saved));
		CHECK(real == id && effective == id && saved == id);
		OK(syscall(SYS_getresgid, &real, &effective, &saved));
		CHECK(real == id && effective == id && saved == id);
		CHECK(syscall(SYS_getuid) == id && syscall(SYS_geteuid) == id && syscall(SYS_getgid) == id && syscall(SYS_getegid) == id);
		CHECK(syscall(SYS_getgroups, 1, &real) == 1 && real == id);
	}
	return NULL;
}

static int same_session(pid_t pid)
{
	return getpgid(pid) == getpgrp() && getsid(pid) == getsid(0);
}

/* What only asks answers the same to all who ask at a time. */
static void *ask(void *arg)
{
	struct utsname name;
	struct sysinfo info;
	struct rusage usage;
	struct sched_param param;
	struct timespec interval;
	struct tms ticks;
	struct timeval tv;
	cpu_set_t cpus;
	unsigned int cpu;
	stack_t stack;
	char buf[64];

	(void)arg;
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(uname(&name));
		OK(sysinfo(&info));
		CHECK(!strcmp(name.sysname, "Linux") && info.totalram);
		OK(getrusage(RUSAGE_SELF, &usage));
		OK(times(&ticks));
		OK(gettimeofday(&tv, NULL));
		OK(sched_getparam(0, &param));
		OK(sched_rr_get_interval(0, &interval));
		CHECK(OK(sched_getscheduler(0)) == SCHED_OTHER && sched_get_priority_max(SCHED_FIFO) == 99);
		OK(sched_getaffinity(0, sizeof(cpus), &cpus));
		OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
		OK(sigaltstack(NULL, &stack));
		CHECK(OK(getrandom(buf, sizeof(buf), 0)) == sizeof(buf));
		CHECK(same_session(getpid()) && getppid() >= 0);
		errno = 0;
		CHECK(getpriority(PRIO_PROCESS, 0) != -1 || !errno);
		sched_yield();
	}
	return NULL;
}

/* Children that several threads wait for: each is reaped once. */
static void *reap_some(void *arg)
{
	siginfo_t info;
	int status;

	pthread_barrier_wait(&start);
	for (;;) {
		if ((long)arg & 1) {
			if (waitid(P_ALL, 0, &info, WEXITED) == -1)
				break;
			status = info.si_status;
		} else {
			if (wait4(-1, &status, 0, NULL) == -1)
				break;
			status = WEXITSTATUS(status);
		}
		__atomic_fetch_add(&sum, status, __ATOMIC_RELAXED);
	}
	CHECK(errno == ECHILD);
	return NULL;
}

static void test_children(void)
{
	sum = 0;
	for (int i = 1; i <= 20; i++)
		if (!OK(i & 1 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)))
			_exit(i);
	each(reap_some);
	CHECK(sum == 210);
}

/* What is added to an eventfd by several is all there; a semaphore gives each one. */
static void *count(void *arg)
{
	unsigned long n = 1;

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		if ((long)arg & 1)
			CHECK(write(common, &n, sizeof(n)) == sizeof(n));
		else
			CHECK(read(common, &n, sizeof(n)) == sizeof(n) && n == 1);
	}
	return NULL;
}

/* An expiry of a timer is read once; a one-shot event of epoll is told to one. */
static void *expire(void *arg)
{
	struct epoll_event event;
	unsigned long n;

	(void)arg;
	pthread_barrier_wait(&start);
	while (!__atomic_load_n(&sum, __ATOMIC_RELAXED))
		if (OK(epoll_wait(queue, &event, 1, 20)) == 1 && read(common, &n, sizeof(n)) == sizeof(n))
			__atomic_fetch_add(&sum, (long)n, __ATOMIC_RELAXED);
	return NULL;
}

static void *make_timers(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec value = { .it_value = { 1000, 0 } };
	timer_t timer;

	(void)arg;
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
		OK(timer_settime(timer, 0, &value, NULL));
		value.it_value.tv_sec = 1;
		OK(timer_gettime(timer, &value));
		CHECK(value.it_value.tv_sec >= 900 && timer_getoverrun(timer) == 0);
		value = (struct itimerspec){ .it_value = { 1000, 0 } };
		OK(timer_delete(timer));
	}
	return NULL;
}

static void test_counters(void)
{
	common = OK(eventfd(0, EFD_SEMAPHORE));
	each(count);
	close(common);
	sum = 0;
	common = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	queue = OK(epoll_create1(0));
	OK(epoll_ctl(queue, EPOLL_CTL_ADD, common, &(struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT }));
	OK(timerfd_settime(common, 0, &(struct itimerspec){ .it_value = { 0, 10000000 } }, NULL));
	each(expire);
	CHECK(sum == 1);
	close(queue);
	close(common);
	each(make_timers);
}

/* Queued signals that several send to one: each comes, to a thread that waits or to a descriptor. */
static void *take_signals(void *arg)
{
	struct signalfd_siginfo from_fd;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS / KIN; i++) {
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
		if ((long)arg & 1) {
			while (sigwaitinfo(&set, &info) == -1)
				CHECK(errno == EINTR);
			__atomic_fetch_add(&sum, info.si_value.sival_int, __ATOMIC_RELAXED);
		} else {
			CHECK(read(common, &from_fd, sizeof(from_fd)) == sizeof(from_fd));
			__atomic_fetch_add(&sum, from_fd.ssi_int, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void test_signals(void)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	common = OK(signalfd(-1, &set, 0));
	sum = 0;
	each(take_signals);
	CHECK(sum == KIN * (ROUNDS / KIN) * (ROUNDS / KIN - 1) / 2);
	OK(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGRTMIN));
	close(common);
}

/* System V: a semaphore keeps others out of a segment, messages come once, a key is made once. */
static int sem, msg;
static volatile long *segment;

static void use_segment(int me)
{
	struct { long type, n; } message = { 1 + me, me };
	int own;

	for (int i = 0; i < ROUNDS; i++) {
		OK(me & 1 ? semop(sem, &(struct sembuf){ 0, -1, SEM_UNDO }, 1) : semtimedop(sem, &(struct sembuf){ 0, -1, 0 }, 1, NULL));
		segment[0] = segment[0] + 1;
		OK(semop(sem, &(struct sembuf){ 0, 1, me & 1 ? SEM_UNDO : 0 }, 1));
		OK(msgsnd(msg, &message, sizeof(long), 0));
		CHECK(OK(msgrcv(msg, &message, sizeof(long), 1 + (me + 1) % KIN, 0)) == sizeof(long) && message.n == (me + 1) % KIN);
		message.type = 1 + me;
		message.n = me;
	}
	own = semget(0x5ca1ab1e, 1, IPC_CREAT | IPC_EXCL | 0600);
	if (own != -1)
		__atomic_fetch_add(&segment[1], 1, __ATOMIC_RELAXED);
	own = msgget(0x5ca1ab1e, IPC_CREAT | IPC_EXCL | 0600);
	if (own != -1)
		__atomic_fetch_add(&segment[2], 1, __ATOMIC_RELAXED);
	own = shmget(0x5ca1ab1e, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	if (own != -1)
		__atomic_fetch_add(&segment[3], 1, __ATOMIC_RELAXED);
}

static void test_sysv(void)
{
	struct shmid_ds ds;
	int shm = OK(shmget(IPC_PRIVATE, PAGE, 0600));

	segment = OK(shmat(shm, NULL, 0));
	sem = OK(semget(IPC_PRIVATE, 1, 0600));
	OK(semctl(sem, 0, SETVAL, 1));
	msg = OK(msgget(IPC_PRIVATE, 0600));
	each_process(use_segment);
	CHECK(segment[0] == KIN * ROUNDS && segment[1] == 1 && segment[2] == 1 && segment[3] == 1);
	OK(shmctl(shm, IPC_STAT, &ds));
	CHECK(ds.shm_nattch == 1);
	OK(shmctl(shm, IPC_RMID, NULL));
	OK(shmctl(OK(shmget(0x5ca1ab1e, 0, 0)), IPC_RMID, NULL));
	OK(semctl(sem, 0, IPC_RMID));
	OK(semctl(OK(semget(0x5ca1ab1e, 0, 0)), 0, IPC_RMID));
	OK(msgctl(msg, IPC_RMID, NULL));
	OK(msgctl(OK(msgget(0x5ca1ab1e, 0)), IPC_RMID, NULL));
	OK(shmdt((void *)segment));
}

/* POSIX queues: full and empty ones make their users wait for each other; of the makers of a name one is first. */
static void *post(void *arg)
{
	char byte = (char)(long)arg;

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		if ((long)arg & 1)
			OK(mq_send(common, &byte, 1, (unsigned int)i % 5));
		else
			CHECK(OK(mq_receive(common, &byte, 1, NULL)) == 1 && byte & 1);
	}
	return NULL;
}

static void *make_queue(void *arg)
{
	mqd_t made;

	(void)arg;
	pthread_barrier_wait(&start);
	made = mq_open("/together2", O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	if (made != (mqd_t)-1)
		__atomic_fetch_add(&sum, 1, __ATOMIC_RELAXED);
	else
		CHECK(errno == EEXIST);
	return NULL;
}

static void test_queues(void)
{
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 1 };

	common = OK(mq_open("/together", O_RDWR | O_CREAT, 0600, &attr));
	each(post);
	OK(mq_getattr(common, &attr));
	CHECK(attr.mq_curmsgs == 0);
	OK(mq_unlink("/together"));
	OK(mq_close(common));
	sum = 0;
	each(make_queue);
	CHECK(sum == 1);
	OK(mq_unlink("/together2"));
}

/* One working directory, mask and inotify instance for all threads. */
static void *share(void *arg)
{
	char here[200];
	mode_t mask;
	int watch;

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		if ((long)arg & 1)
			OK(chdir(i & 1 ? "/" : "/tmp"));
		else
			CHECK(OK((long)getcwd(here, sizeof(here))) && (!strcmp(here, "/") || !strcmp(here, "/tmp")));
		mask = umask((long)arg & 1 ? 022 : 077);
		CHECK(mask == 022 || mask == 077);
		watch = OK(inotify_add_watch(common, "/tmp", IN_CREATE));
		CHECK(watch == queue);
	}
	return NULL;
}

static void test_shared_state(void)
{
	umask(022);
	common = OK(inotify_init());
	queue = OK(inotify_add_watch(common, "/tmp", IN_CREATE));
	OK(chdir("/"));
	each(share);
	OK(inotify_rm_watch(common, queue));
	close(common);
}

int main(void)
{
	each(map);
	each(move_break);
	IN_CHILD(each(limits));
	if (!getuid())
		IN_CHILD(each(ids));
	each(ask);
	test_children();
	test_counters();
	test_signals();
	test_sysv();
	test_queues();
	IN_CHILD(test_shared_state());
	return 0;
}
