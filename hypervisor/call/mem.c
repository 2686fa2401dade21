/* SPDX-License-Identifier: Apache-2.0 */
/* PV_MEM_READ, PV_MEM_WRITE, PV_RESIDENT: a guest process's memory, and where it has any, by its /proc files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "call/control.h"
#include "call/cred.h"
#include "call/server_impl.h"

#define SPACE_END 0x7ffffffff000ul /* of a host process */
#define PAGE 4096ul
#define PM_PRESENT 63

int mem_decode(struct call *c)
{
	if (c->req.u.ctl.len > RING_BUF_SIZE)
		return violation(c, "len", "length over the buffer");
	return c->req.u.ctl.arg < SPACE_END && c->req.u.ctl.arg + c->req.u.ctl.len <= SPACE_END ? 0 : -EFAULT;
}

int resident_decode(struct call *c)
{
	const struct pv_req_ctl *r = &c->req.u.ctl;

	if (r->len > PV_RESIDENT_MAX)
		return violation(c, "len", "more pages than one call tells of");
	return r->arg % PAGE == 0 && r->arg < SPACE_END && r->len * PAGE <= SPACE_END - r->arg ? 0 : -EFAULT;
}

static int open_file(struct call *c, int procfd, long pid, const char *file, int flags)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%ld/%s", pid, file);
	fd = caller_open_owned(c->me, procfd, name, flags);
	return fd < 0 ? -ESRCH : fd;
}

/*
 * A procfs of the VM's pid namespace knows no other process. Without one the pid is translated, and
 * once more after the file is open: it names the memory of a process, which a reused pid can not
 * change any more.
 */
static int open_process(struct call *c, const char *file, int flags)
{
	u32 pid = c->req.u.ctl.pid;
	struct pv_server *srv = c->srv;
	pid_t host;
	int fd;

	if (pid == 0 || pid > 0x7fffffff)
		return -ESRCH;
	if (srv->cfg.vm_procfd >= 0)
		return open_file(c, srv->cfg.vm_procfd, (long)pid, file, flags);
	host = vm_host_pid(srv, pid);
	if (host <= 0)
		return -ESRCH;
	fd = open_file(c, srv->cfg.procfd, host, file, flags);
	if (fd >= 0 && vm_host_pid(srv, pid) != host) {
		close(fd);
		fd = -ESRCH;
	}
	return fd;
}

int mem_read(struct call *c)
{
	int fd = open_process(c, "mem", O_RDWR);
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
	fd = open_process(c, "mem", O_RDWR);
	if (fd < 0)
		return fd;
	n = pwrite(fd, c->buf, c->req.u.ctl.len, (off_t)c->req.u.ctl.arg);
	n = n < 0 ? -EFAULT : n;
	close(fd);
	return (int)n;
}

int resident_perform(struct call *c)
{
	const struct pv_req_ctl *r = &c->req.u.ctl;
	u64 pages[PV_RESIDENT_MAX] = { 0 }; /* behind the last one there are none */
	int fd = open_process(c, "pagemap", O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, pages, r->len * sizeof(u64), (off_t)(r->arg / PAGE * sizeof(u64)));
	n = n < 0 ? -errno : 0;
	close(fd);
	for (u32 i = 0; i < r->len && !n; i++)
		c->buf[i] = pages[i] >> PM_PRESENT;
	return (int)n;
}
