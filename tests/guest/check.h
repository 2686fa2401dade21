/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For guest tests: ordinary Linux programs that print nothing and exit 0 when the kernel
 * under them is right. The first thing that is wrong is printed and ends the program.
 */
#ifndef CALLGATE_TESTS_CHECK_H
#define CALLGATE_TESTS_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what))                                                                      \
			check_failed(__FILE__, __LINE__, #what);                                  \
	} while (0)

/* A call that has to succeed (anything but -1), and its value. */
#define OK(call)                                                                                  \
	({                                                                                        \
		__typeof__(call) ok_value = (call);                                               \
		if (ok_value == (__typeof__(call))-1)                                             \
			check_failed(__FILE__, __LINE__, #call);                                  \
		ok_value;                                                                         \
	})

/* A call that has to fail with one errno. */
#define FAILS(error, call)                                                                        \
	do {                                                                                      \
		errno = 0;                                                                        \
		if ((long)(call) != -1 || errno != (error))                                       \
			check_failed(__FILE__, __LINE__, #call " fails with " #error);            \
	} while (0)

static inline __attribute__((noreturn)) void check_failed(const char *file, int line,
							  const char *what)
{
	int error = errno;

	fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", file, line, what, error, strerror(error));
	fflush(stderr);
	_exit(1);
}

/* Reap one child; its exit status, or 1000 + the signal that ended it. */
static inline int reap(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got == -1 && errno == EINTR);
	CHECK(got == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Run the block in a child process that has to exit with 0. */
#define IN_CHILD(...)                                                                             \
	do {                                                                                      \
		pid_t in_child_pid = fork();                                                      \
		CHECK(in_child_pid >= 0);                                                         \
		if (!in_child_pid) {                                                              \
			__VA_ARGS__;                                                              \
			_exit(0);                                                                 \
		}                                                                                 \
		CHECK(reap(in_child_pid) == 0);                                                   \
	} while (0)

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static inline void pause_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

#endif
