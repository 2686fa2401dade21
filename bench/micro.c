/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Micro benchmarks, one per command: each prints one number, in the unit that bench.py
 * gives for it. Linked statically, so that every container runs the same code.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "micro.h"

int scale = 100;

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

long rounds(long usual)
{
	long n = usual * scale / 100;

	return n > 0 ? n : 1;
}

static double getppid_call(void)
{
	long n = rounds(1000000);
	double start;

	for (long i = 0; i < 1000; i++)
		getppid();
	start = now();
	for (long i = 0; i < n; i++)
		getppid();
	return (now() - start) / n;
}

static double read_write(void)
{
	int in = open("/dev/zero", O_RDONLY), out = open("/dev/null", O_WRONLY);
	long n = rounds(300000);
	double start;
	char c;

	NEED(in >= 0 && out >= 0);
	for (int i = 0; i < 1000; i++)
		NEED(read(in, &c, 1) == 1 && write(out, &c, 1) == 1);
	start = now();
	for (long i = 0; i < n; i++)
		NEED(read(in, &c, 1) == 1 && write(out, &c, 1) == 1);
	return (now() - start) / n;
}

static char *const busybox_true[] = { "busybox", "true", NULL };

void run_child(pid_t pid)
{
	int status;

	NEED(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static double fork_exit(void)
{
	long n = rounds(1000);
	double start = now();

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		run_child(pid);
	}
	return (now() - start) / n / 1e3;
}

static double fork_exec(void)
{
	long n = rounds(500);
	double start = now();

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			execv("/bin/busybox", busybox_true);
			_exit(1);
		}
		run_child(pid);
	}
	return (now() - start) / n / 1e3;
}

static double vfork_exec(void)
{
	volatile long n = rounds(500);
	volatile double start = now();

	for (volatile long i = 0; i < n; i++) {
		pid_t pid = vfork();

		if (!pid) {
			execv("/bin/busybox", busybox_true);
			_exit(1);
		}
		run_child(pid);
	}
	return (now() - start) / n / 1e3;
}

static double page_faults(void)
{
	size_t size = rounds(64) << 20;
	double start = now(), elapsed;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(map != MAP_FAILED);
	madvise(map, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		map[i] = 1;
	elapsed = now() - start;
	munmap(map, size);
	return elapsed / (size / 4096);
}

double ping_pong(int a_in, int a_out, int b_in, int b_out, long n)
{
	double start, elapsed;
	pid_t pid = fork();
	char c = 'x';

	if (!pid) {
		while (read(b_in, &c, 1) == 1 && write(b_out, &c, 1) == 1)
			;
		_exit(0);
	}
	start = now();
	for (long i = 0; i < n; i++)
		NEED(write(a_out, &c, 1) == 1 && read(a_in, &c, 1) == 1);
	elapsed = now() - start;
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	return elapsed / n / 1e3;
}

static double pipe_rtt(void)
{
	int there[2], back[2];

	NEED(!pipe(there) && !pipe(back));
	return ping_pong(back[0], there[1], there[0], back[1], rounds(20000));
}

/* Bytes per nanosecond, that is GB/s, from a child that writes to `in`. */
static double stream(int in, int out, long total)
{
	static char buf[65536];
	double start = now();
	pid_t pid = fork();
	long got = 0;

	if (!pid) {
		for (long sent = 0; sent < total;) { /* a socket may take less at a time */
			ssize_t n = write(out, buf, sizeof(buf));

			NEED(n > 0);
			sent += n;
		}
		_exit(0);
	}
	while (got < total) {
		ssize_t n = read(in, buf, sizeof(buf));

		NEED(n > 0);
		got += n;
	}
	run_child(pid);
	return got / (now() - start);
}

static double pipe_stream(void)
{
	int fds[2];

	NEED(!pipe(fds));
	return stream(fds[0], fds[1], rounds(1024) << 20);
}

static void small_file(char *name, int i)
{
	sprintf(name, "files/%02d/file-%05d", i / 100, i);
}

static void make_files(int count)
{
	char name[64], text[512];

	memset(text, 't', sizeof(text));
	NEED(!mkdir("files", 0755));
	for (int i = 0; i < count; i++) {
		int fd;

		if (i % 100 == 0) {
			sprintf(name, "files/%02d", i / 100);
			NEED(!mkdir(name, 0755));
		}
		small_file(name, i);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		NEED(fd >= 0 && write(fd, text, sizeof(text)) == sizeof(text));
		close(fd);
	}
}

static double open_files(void)
{
	int count = rounds(10000);
	struct stat st;
	char name[64], buf[1024];
	double start;

	NEED(!chdir("/var/tmp"));
	make_files(count);
	start = now();
	for (int i = 0; i < count; i++) {
		int fd;

		small_file(name, i);
		fd = open(name, O_RDONLY);
		NEED(fd >= 0 && !fstat(fd, &st) && read(fd, buf, sizeof(buf)) == st.st_size);
		close(fd);
	}
	start = (now() - start) / count / 1e3;
	for (int i = 0; i < count; i++) {
		small_file(name, i);
		unlink(name);
	}
	for (int i = 0; i < count; i += 100) {
		sprintf(name, "files/%02d", i / 100);
		rmdir(name);
	}
	rmdir("files");
	return start;
}

static void tcp_pair(int pair[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int server = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	NEED(!bind(server, (void *)&addr, len) && !listen(server, 1));
	NEED(!getsockname(server, (void *)&addr, &len));
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEED(!connect(pair[0], (void *)&addr, len));
	pair[1] = accept(server, NULL, NULL);
	NEED(pair[1] >= 0);
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(server);
}

static double tcp_rr(void)
{
	int pair[2];

	tcp_pair(pair);
	return ping_pong(pair[0], pair[0], pair[1], pair[1], rounds(20000));
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The time that `percent` of the round trips stay below. */
static double tcp_rr_percentile(int percent)
{
	long n = rounds(20000);
	double *times = calloc(n, sizeof(*times)), result;
	int pair[2];
	pid_t pid;
	char c = 'x';

	NEED(times);
	tcp_pair(pair);
	pid = fork();
	if (!pid) {
		close(pair[0]); /* so that its end is seen */
		while (read(pair[1], &c, 1) == 1 && write(pair[1], &c, 1) == 1)
			;
		_exit(0);
	}
	for (long i = -n / 10; i < n; i++) { /* the first ones warm up */
		double start = now();

		NEED(write(pair[0], &c, 1) == 1 && read(pair[0], &c, 1) == 1);
		if (i >= 0)
			times[i] = now() - start;
	}
	shutdown(pair[0], SHUT_WR);
	run_child(pid);
	qsort(times, n, sizeof(*times), ascending);
	result = times[n * percent / 100] / 1e3;
	free(times);
	return result;
}

static double tcp_rr_p50(void)
{
	return tcp_rr_percentile(50);
}

static double tcp_rr_p99(void)
{
	return tcp_rr_percentile(99);
}

static double tcp_stream(void)
{
	int pair[2];

	tcp_pair(pair);
	return stream(pair[0], pair[1], rounds(1024) << 20);
}

static int serve(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	NEED(!bind(server, (void *)&addr, sizeof(addr)) && !listen(server, 1024));
	return server;
}

/* echo PORT: one connection at a time gets back what it sends. */
static void echo(int port)
{
	int server = serve(port);

	for (;;) {
		int fd = accept(server, NULL, NULL);
		char buf[4096];
		ssize_t n;

		NEED(fd >= 0);
		while ((n = read(fd, buf, sizeof(buf))) > 0 && write(fd, buf, n) == n)
			;
		close(fd);
	}
}

/* idle PORT COUNT: a server that says "up", "all" when so many connections are there, and then does nothing. */
static void idle(int port, int count)
{
	int server = serve(port), ep = epoll_create1(0);

	puts("up");
	fflush(stdout);
	for (int i = 0; i < count; i++) {
		struct epoll_event ev = { .events = EPOLLIN };

		ev.data.fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
		NEED(ev.data.fd >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev));
	}
	puts("all");
	fflush(stdout);
	pause();
}

/* spawn NAMESPACE COMMAND...: run it (in that mount namespace, if not "-"); its milliseconds. */
static double spawn(char **argv)
{
	double start;
	pid_t pid;

	if (strcmp(argv[0], "-")) {
		int ns = open(argv[0], O_RDONLY | O_CLOEXEC);

		NEED(ns >= 0 && !setns(ns, CLONE_NEWNS));
	}
	start = now();
	pid = vfork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	run_child(pid);
	return (now() - start) / 1e6;
}

static const struct benchmark benchmarks[] = {
	{ "getppid", getppid_call },  { "read_write", read_write },   { "fork_exit", fork_exit },
	{ "fork_exec", fork_exec },   { "vfork_exec", vfork_exec },   { "page_faults", page_faults },
	{ "pipe_rtt", pipe_rtt },     { "pipe_stream", pipe_stream }, { "open_files", open_files },
	{ "tcp_rr", tcp_rr },	      { "tcp_stream", tcp_stream },
	{ "tcp_rr_p50", tcp_rr_p50 }, { "tcp_rr_p99", tcp_rr_p99 },
	{ NULL, NULL },
};

static bool run(const struct benchmark *b, const char *name)
{
	for (; b->name; b++) {
		if (!strcmp(name, b->name)) {
			printf("%.4f\n", b->run());
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "spawn")) {
		fprintf(stderr, "%.4f\n", spawn(argv + 2));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "echo")) {
		echo(atoi(argv[2]));
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "idle")) {
		idle(atoi(argv[2]), atoi(argv[3]));
		return 0;
	}
	if (argc > 2)
		scale = atoi(argv[2]);
	if (argc > 1 && (run(benchmarks, argv[1]) || run(call_benchmarks, argv[1])))
		return 0;
	fprintf(stderr, "usage: micro BENCHMARK [PERCENT] | micro echo PORT | micro idle PORT COUNT | micro spawn NAMESPACE COMMAND...\n");
	return 2;
}
