/* SPDX-License-Identifier: Apache-2.0 */
/* PV_MEM_READ and PV_MEM_WRITE: another guest process's memory, by its /proc file. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "call/control.h"
#include "call/cred.h"
#include "call/server_impl.h"

#define SPACE_END 0x7ffffffff000ul /* of a host process */

int mem_decode(struct call *c)
{
	if (c->req.u.ctl.len > RING_BUF_SIZE)
		return violation(c, "len", "length over the buffer");
	return c->req.u.ctl.arg < SPACE_END && c->req.u.ctl.arg + c->req.u.ctl.len <= SPACE_END ? 0 : -EFAULT;
}

static int open_mem(struct call *c, int procfd, long pid)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%ld/mem", pid);
	fd = caller_open_owned(c->me, procfd, name, O_RDWR);
	return fd < 0 ? -ESRCH : fd;
}

/*
 * A procfs of the VM's pid namespace knows no other process. Without one the pid is translated, and
 * once more after the file is open: it names the memory of a process, which a reused pid can not
 * change any more.
 */
static int open_process(struct call *c, u32 pid)
{
	struct pv_server *srv = c->srv;
	pid_t host;
	int fd;

	if (pid == 0 || pid > 0x7fffffff)
		return -ESRCH;
	if (srv->cfg.vm_procfd >= 0)
		return open_mem(c, srv->cfg.vm_procfd, (long)pid);
	host = vm_host_pid(srv, pid);
	if (host <= 0)
		return -ESRCH;
	fd = open_mem(c, srv->cfg.procfd, host);
	if (fd >= 0 && vm_host_pid(srv, pid) != host) {
		close(fd);
		fd = -ESRCH;
	}
	return fd;
}

int mem_read(struct call *c)
{
	int fd = open_process(c, c->req.u.ctl.pid);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, c->buf, c->req.u.ctl.len, (off_t)c->req.u.ctl.arg);
	n = n < 0 ? -EFAULT : n;
	close(fd);
	return (int)n;
}

/* Write access to pages that are not writable is forced: a debugger sets breakpoints so. */
int mem_write(struct call *c)
{
	int fd;
	ssize_t n;

	/* The guest kernel's own part is not for writing from outside: its text is never writable. Above it are a stack and a vdso (mc_clock_calls). */
	if (c->req.u.ctl.arg + c->req.u.ctl.len > (u64)USER_END && c->req.u.ctl.arg < (u64)KWIN_END)
		return -EFAULT;
	fd = open_process(c, c->req.u.ctl.pid);
	if (fd < 0)
		return fd;
	n = pwrite(fd, c->buf, c->req.u.ctl.len, (off_t)c->req.u.ctl.arg);
	n = n < 0 ? -EFAULT : n;
	close(fd);
	return (int)n;
}
