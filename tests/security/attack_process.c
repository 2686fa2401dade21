/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries to write "ATTACKED" to ADDRESS in each of the processes PID..., in every way there is, and to end them by
 * signals that a process may send. attack_process ADDRESS PID... On the host, as root, it does (a test shows that).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "ATTACKED"

static int by_ptrace(pid_t pid, long address)
{
	long word;

	memcpy(&word, MARK, sizeof(word));
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, NULL, __WALL) != pid)
		return 0;
	if (ptrace(PTRACE_POKEDATA, pid, address, word))
		return 0;
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 1;
}

static int by_vm(pid_t pid, long address)
{
	struct iovec local = { (char[]){ MARK }, 8 }, remote = { (void *)address, 8 };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == 8;
}

static int by_mem(pid_t pid, long address)
{
	char name[40];
	int fd, done;

	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	fd = open(name, O_RDWR);
	done = fd >= 0 && pwrite(fd, MARK, 8, address) == 8;
	close(fd);
	return done;
}

/* A descriptor of theirs: 0 is open in all of them. */
static int by_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), got;

	if (fd < 0)
		return 0;
	got = (int)syscall(SYS_pidfd_getfd, fd, 0, 0);
	if (syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == 0)
		printf("signal by pidfd to %d\n", pid);
	return got >= 0;
}

int main(int argc, char **argv)
{
	long address = argc > 1 ? strtol(argv[1], NULL, 0) : 0;
	int done = 0;

	for (int i = 2; i < argc; i++) {
		pid_t pid = atoi(argv[i]);

		done += by_vm(pid, address) + by_mem(pid, address) + by_ptrace(pid, address) + by_pidfd(pid);
		done += !kill(pid, SIGUSR1) + !syscall(SYS_tgkill, pid, pid, SIGUSR1);
	}
	printf("%d done\n", done);
	return 0;
}
