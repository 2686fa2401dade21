// SPDX-License-Identifier: Apache-2.0
#include "lib/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

pid_t proc_number_in(int procfd, int pidfd)
{
	cleanup_close int fd = -1;
	char text[1024], *line;
	int number = 0;
	ssize_t n;

	snprintf(text, sizeof(text), "self/fdinfo/%d", pidfd);
	fd = openat(procfd, text, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	line = strstr(text, "\nPid:");
	if (line)
		sscanf(line, "\nPid: %d", &number);
	return number > 0 ? number : 0;
}

pid_t proc_number(pid_t pid)
{
	cleanup_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? 0 : proc_number_in(proc, pidfd);
}
