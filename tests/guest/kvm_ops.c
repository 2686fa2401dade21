/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that count what an operation costs the host: for each line "OPERATION TIMES" of its input it does that so often, and
 * writes "done". It waits for a line by read, or by poll or epoll ("p", "e"). Without input it does all of them a few times.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "check.h"

#define PAGES 64

static int file, sock[2], self;
static char name[4096];
static char *none[] = { "kvm_nothing", NULL };

static void ended(pid_t pid)
{
	errno = reap(pid);
	CHECK(!errno);
}

static void local_calls(void)
{
	char c = 'x';
	int p[2];

	OK(syscall(SYS_getppid));
	OK(pipe(p));
	OK(write(p[1], &c, 1));
	OK(read(p[0], &c, 1));
	OK(close(p[0]));
	OK(close(p[1]));
	OK(syscall(SYS_futex, &file, FUTEX_WAKE, 1, NULL, NULL, 0));
	OK(close(OK(dup(self))));
}

static void clocks(void)
{
	struct timespec ts;

	OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
}

static void page_faults(void)
{
	char *at = OK(mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < PAGES; i++)
		at[i * 4096] = 1;
	OK(munmap(at, PAGES * 4096));
}

static void use(size_t len)
{
	char *at = OK(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (size_t i = 0; i < len; i += 4096)
		at[i] = 1;
	OK(munmap(at, len));
}

static void some_memory(void)
{
	use(4 << 20);
}

static void much_memory(void)
{
	use(200 << 20);
}

static void forks(void)
{
	pid_t pid = OK(fork());

	if (!pid)
		_exit(0);
	CHECK(reap(pid) == 0);
}

static void execs(void)
{
	pid_t pid = OK(vfork());

	if (!pid) {
		syscall(SYS_execveat, self, "", none, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	ended(pid);
}

static void execs_by_name(void)
{
	pid_t pid = OK(vfork());

	if (!pid) {
		execv(name, none);
		_exit(errno);
	}
	ended(pid);
}

static void file_read(void)
{
	char buf[4096];

	CHECK(pread(file, buf, sizeof(buf), 0) == sizeof(buf));
}

static void file_write(void)
{
	char buf[4096] = "";

	CHECK(pwrite(file, buf, sizeof(buf), 0) == sizeof(buf));
}

static void socket_send(void)
{
	CHECK(send(sock[0], "x", 1, 0) == 1);
}

static void socket_both(void)
{
	char c;

	socket_send();
	CHECK(recv(sock[1], &c, 1, 0) == 1);
}

static const struct operation {
	const char *name;
	void (*once)(void);
} operations[] = {
	{ "local", local_calls },   { "clock", clocks },      { "fault", page_faults },	  { "fork", forks },
	{ "exec", execs },	    { "exec-name", execs_by_name }, { "read", file_read }, { "write", file_write },
	{ "send", socket_send }, { "send-recv", socket_both }, { "some-memory", some_memory },
};

static void prepare(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = OK(socket(AF_INET, SOCK_STREAM, 0));

	OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	OK(listen(l, 1));
	OK(getsockname(l, (struct sockaddr *)&a, &len));
	sock[0] = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(connect(sock[0], (struct sockaddr *)&a, sizeof(a)));
	sock[1] = OK(accept(l, NULL, NULL));
	OK(close(l));
	OK(readlink("/proc/self/exe", name, sizeof(name) - 1));
	strcpy(strrchr(name, '/') + 1, none[0]);
	self = OK(open(name, O_RDONLY | O_CLOEXEC));
	file = OK(open("kvm_ops.tmp", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
	OK(unlink("kvm_ops.tmp"));
	file_write();
}

static void times(const char *what, int n)
{
	if (!strcmp(what, "much-memory"))
		much_memory();
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(what, operations[i].name) || !strcmp(what, "all"))
			for (int k = 0; k < n; k++)
				operations[i].once();
}

/* For the next line; by what its first line says. */
static void wait_for_input(char how)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	struct epoll_event ev = { .events = EPOLLIN };
	static int ep = -1;

	if (how == 'p')
		CHECK(poll(&p, 1, -1) == 1);
	if (how != 'e')
		return;
	if (ep < 0) {
		ep = OK(epoll_create1(0));
		OK(epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev));
	}
	CHECK(epoll_wait(ep, &ev, 1, -1) == 1);
}

int main(int argc, char **argv)
{
	char what[40];
	int n;

	prepare();
	times("all", 3); /* what can be kept is there then */
	while (wait_for_input(argc > 1 ? *argv[1] : 'r'), scanf("%39s %d", what, &n) == 2) {
		times(what, n);
		OK(write(1, "done\n", 5));
	}
	return 0;
}
