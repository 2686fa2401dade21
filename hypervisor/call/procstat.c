/* SPDX-License-Identifier: Apache-2.0 */
/* PV_PROC_STAT: what the host knows of a guest process and its guest kernel does not: memory, faults, who runs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/control.h"
#include "call/server_impl.h"

#define FIELD_STATE 1 /* in stat, counted from the end of the name */
#define FIELD_MINFLT 8
#define FIELD_MAJFLT 10

/* A file of the process that the thread belongs to; false if it is gone. */
static bool slurp(struct call *c, const char *file, char *to, size_t room)
{
	const struct pv_server_config *cfg = &c->srv->cfg;
	u32 pid = c->req.u.ctl.pid;
	pid_t host = cfg->vm_procfd >= 0 ? (pid_t)pid : vm_host_pid(c->srv, pid);
	char name[48];
	ssize_t n;
	int fd;

	if (host <= 0)
		return false;
	snprintf(name, sizeof(name), "%d/%s", host, file);
	fd = openat(cfg->vm_procfd >= 0 ? cfg->vm_procfd : cfg->procfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, to, room - 1);
	close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static const char *field(const char *stat, int n)
{
	const char *p = strrchr(stat, ')');

	while (p && n--) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? p : "";
}

int procstat_decode(struct call *c)
{
	return c->req.u.ctl.pid > 0 && c->req.u.ctl.pid <= 0x7fffffff ? 0 : -ESRCH;
}

int procstat_perform(struct call *c)
{
	const u64 page = (u64)sysconf(_SC_PAGESIZE);
	struct pv_proc_stat s = { 0 };
	unsigned long resident = 0, shared = 0;
	char text[1024];

	if (!slurp(c, "statm", text, sizeof(text)) ||
	    sscanf(text, "%*u %lu %lu", &resident, &shared) != 2)
		return -ESRCH;
	s.resident = resident * page;
	s.shared = shared * page;
	if (slurp(c, "stat", text, sizeof(text))) {
		s.state = (u8)field(text, FIELD_STATE)[0];
		s.minflt = strtoull(field(text, FIELD_MINFLT), NULL, 10);
		s.majflt = strtoull(field(text, FIELD_MAJFLT), NULL, 10);
	}
	memcpy(c->buf, &s, sizeof(s));
	return 0;
}
