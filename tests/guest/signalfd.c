/* SPDX-License-Identifier: Apache-2.0 */
/* Signals read from a descriptor. */
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

int main(void)
{
	struct signalfd_siginfo info[2];
	struct pollfd p;
	sigset_t set;
	pid_t child;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	FAILS(EAGAIN, read(fd, info, sizeof(info)));
	OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 99 }));
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	CHECK(read(fd, info, sizeof(info)) == sizeof(info[0]));
	CHECK(info[0].ssi_signo == SIGUSR1 && info[0].ssi_int == 99 &&
	      info[0].ssi_pid == (unsigned int)getpid());
	child = fork();
	if (!child)
		_exit(12);
	CHECK(poll(&p, 1, 5000) == 1);
	CHECK(read(fd, info, sizeof(info)) == sizeof(info[0]));
	CHECK(info[0].ssi_signo == SIGCHLD && info[0].ssi_status == 12 &&
	      info[0].ssi_pid == (unsigned int)child);
	CHECK(reap(child) == 12);
	FAILS(EINVAL, read(fd, info, 10));
	sigdelset(&set, SIGUSR1);
	CHECK(signalfd(fd, &set, 0) == fd);
	raise(SIGUSR1);
	CHECK(poll(&p, 1, 0) == 0);
	return 0;
}
