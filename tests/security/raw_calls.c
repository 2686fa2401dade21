/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issues raw `syscall` instructions of every number from argv[1] to argv[2] with several sets
 * of arguments, each in a process of its own, after the file argv[3] has appeared. The
 * host watches from outside: none of them may reach it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	/* Behind a jump, which cannot move to another place: so the instruction stays what it is, and each call traps. */
	__asm__ volatile("jmp 1f\n1: syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static void in_child(long nr, int set, long page)
{
	signal(SIGALRM, SIG_DFL);
	alarm(1);
	switch (set) {
	case 0:
		raw(nr, 0, 0, 0, 0, 0, 0);
		break;
	case 1:
		raw(nr, -1, -1, -1, -1, -1, -1);
		break;
	default:
		raw(nr, page, page, 64, page, 8, page);
	}
	_exit(0);
}

static void one(long nr, int set)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int waited = 0;
	pid_t pid;

	strcpy(page, "/tmp/raw");
	pid = fork();
	if (!pid)
		in_child(nr, set, (long)page);
	/* A call may have stopped it, or put it beyond an alarm: not for ever. */
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
		if (++waited == 200)
			kill(pid, SIGKILL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0) /* what it forked, if it was reparented to us */
		;
	munmap(page, 4096);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	puts("up");
	fflush(stdout);
	while (access(argv[3], F_OK))
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	signal(SIGHUP, SIG_IGN);
	for (long nr = atol(argv[1]); nr <= atol(argv[2]); nr++)
		for (int set = 0; set < 3; set++)
			one(nr, set);
	puts("done");
	return 0;
}
