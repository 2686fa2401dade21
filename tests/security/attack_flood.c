/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes as much of one thing as it can get, up to a bound; says how much that was and which error came. attack_flood WHAT COUNT.
 * Everything is given back by its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int word;

static int one_descriptor(long i)
{
	(void)i;
	return open("/etc/hosts", O_RDONLY);
}

static int one_socket(long i)
{
	return socket(i % 2 ? AF_INET : AF_INET6, i % 4 < 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
}

static int one_pty(long i)
{
	(void)i;
	return open("/dev/ptmx", O_RDWR | O_NOCTTY);
}

static int one_watch(long i)
{
	static int fd = -1;
	char name[60];

	if (fd < 0)
		fd = inotify_init();
	snprintf(name, sizeof(name), "/data/watched-%ld", i);
	mkdir(name, 0700);
	return inotify_add_watch(fd, name, IN_ALL_EVENTS);
}

static int one_inode(long i)
{
	char name[60];
	int fd;

	snprintf(name, sizeof(name), "/dev/shm/flood-%ld", i);
	fd = open(name, O_CREAT | O_WRONLY, 0600);
	close(fd);
	return fd;
}

static int one_process(long i)
{
	pid_t pid = fork();

	(void)i;
	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void __attribute__((noreturn)) *wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static int one_futex(long i)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)i;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	errno = pthread_create(&thread, &attr, wait_for_ever, NULL);
	return errno ? -1 : 0;
}

/* Kernel memory: a pipe that is full, and nobody reads. */
static int one_pipe(long i)
{
	static char room[65536];
	int p[2];

	(void)i;
	if (pipe(p))
		return -1;
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	return write(p[1], room, sizeof(room)) < 0 ? -1 : 0;
}

static const struct {
	const char *name;
	int (*one)(long i);
} kinds[] = {
	{ "descriptors", one_descriptor }, { "sockets", one_socket }, { "ptys", one_pty },	 { "watches", one_watch },
	{ "inodes", one_inode },	   { "pids", one_process },   { "futexes", one_futex }, { "pipes", one_pipe },
};

static void give_back(const char *what, long n)
{
	char name[60];

	if (!strcmp(what, "pids")) {
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		while (wait(NULL) > 0)
			;
	}
	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), !strcmp(what, "inodes") ? "/dev/shm/flood-%ld" : "/data/watched-%ld", i);
		if (!strcmp(what, "inodes") ? unlink(name) : rmdir(name))
			break;
	}
}

int main(int argc, char **argv)
{
	struct rlimit most = { 1 << 20, 1 << 20 };
	long n = 0, bound = argc == 3 ? atol(argv[2]) : 0;

	setpgid(0, 0);
	setrlimit(RLIMIT_NOFILE, &most);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (argc != 3 || strcmp(argv[1], kinds[k].name))
			continue;
		errno = 0;
		while (n < bound && kinds[k].one(n) >= 0)
			n++;
		printf("%ld, then %s\n", n, n < bound ? strerrorname_np(errno) : "the bound");
		fflush(stdout);
		give_back(argv[1], n);
	}
	return 0;
}
