/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a thread number in the VM's pid namespace to that of a procfs outside it. Newer host kernels (6.11) answer
 * that. On others, the VM's processes are searched: all are descendants of vm0, the namespace's
 * pid 1.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "call/control.h"
#include "call/server_impl.h"

/* linux/nsfs.h of Linux 6.11 */
#define NS_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)

pid_t vm_pid_ask(int pid_ns, u32 pid)
{
	int host = ioctl(pid_ns, NS_PID_FROM_PIDNS, pid);

	if (host < 0)
		host = errno == ESRCH ? 0 : -errno;
	return host;
}

static ssize_t read_text(int procfd, const char *name, char *to, size_t room)
{
	int fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, room - 1) : -1;

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n;
}

/* The last number of "NSpid:\t1234\t7": the thread's in its own namespace. */
static bool has_number(int procfd, pid_t process, pid_t thread, u32 pid)
{
	char name[64], text[4096], *p, *end;

	snprintf(name, sizeof(name), "%d/task/%d/status", process, thread);
	read_text(procfd, name, text, sizeof(text));
	p = strstr(text, "\nNSpid:");
	end = p ? strchr(p + 1, '\n') : NULL;
	if (!end)
		return false;
	*end = '\0';
	p = strrchr(p, '\t');
	return p && strtoul(p + 1, NULL, 10) == pid;
}

#define SEARCH_DEPTH 64

static pid_t search(int procfd, pid_t process, u32 pid, int depth);

static pid_t search_children(int procfd, pid_t process, pid_t thread, u32 pid, int depth)
{
	char name[64], text[4096], *p = text, *end;
	pid_t found = 0;

	snprintf(name, sizeof(name), "%d/task/%d/children", process, thread);
	read_text(procfd, name, text, sizeof(text));
	while (!found && *p) {
		pid_t child = (pid_t)strtol(p, &end, 10);

		if (end == p)
			break;
		found = search(procfd, child, pid, depth + 1);
		p = end + strspn(end, " ");
	}
	return found;
}

static pid_t search(int procfd, pid_t process, u32 pid, int depth)
{
	struct dirent *d;
	pid_t found = 0;
	char name[40];
	DIR *dir;
	int fd;

	snprintf(name, sizeof(name), "%d/task", process);
	fd = depth < SEARCH_DEPTH ? openat(procfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	while (dir && !found && (d = readdir(dir))) {
		pid_t thread = atoi(d->d_name);

		if (thread > 0 && has_number(procfd, process, thread, pid))
			found = thread;
		else if (thread > 0)
			found = search_children(procfd, process, thread, pid, depth);
	}
	if (dir)
		closedir(dir);
	return found;
}

pid_t vm_pid_search(int procfd, pid_t vm0, u32 pid)
{
	return search(procfd, vm0, pid, 0);
}

pid_t vm_host_pid(struct pv_server *srv, u32 pid)
{
	const struct pv_server_config *cfg = &srv->cfg;
	pid_t host = -ENOTTY;

	if (cfg->host_pid)
		return cfg->host_pid(cfg->ctx, pid);
	if (cfg->vm0_number <= 0)
		return 0;
	/* the host kernel answers in our own namespace's numbers, a procfs that is the host's needs others */
	if (cfg->pid_ns >= 0 && cfg->vm0 == cfg->vm0_number)
		host = vm_pid_ask(cfg->pid_ns, pid);
	return host >= 0 ? host : vm_pid_search(cfg->procfd, cfg->vm0_number, pid);
}
