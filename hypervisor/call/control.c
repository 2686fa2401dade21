/* SPDX-License-Identifier: Apache-2.0 */
/* Control calls: credentials, the VM's end, messages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/control.h"
#include "call/cred.h"
#include "call/event.h"
#include "call/server_impl.h"

#define TEXT_MAX PV_PATH_MAX

static int cred_new_decode(struct call *c)
{
	u64 number = c->req.u.ctl.arg;

	return number >= 1 && number < PV_MAX_CREDS
		       ? 0
		       : violation(c, "arg", "credential number out of range");
}

static int cred_new_perform(struct call *c)
{
	struct pv_cred cred;
	int ret;

	fetch(&cred, c->buf, sizeof(cred));
	if (cred.ngroups > sizeof(cred.groups) / sizeof(cred.groups[0]))
		return violation(c, "ngroups", "too many groups");
	if (cred.fsuid == ~0u || cred.fsgid == ~0u)
		return violation(c, "fsuid, fsgid", "credentials without an id");
	ret = cred_new(&c->srv->creds, c->req.u.ctl.arg, &cred);
	return ret == -EEXIST ? violation(c, "arg", "a new credential's number is in use") : ret;
}

static int cred_free_perform(struct call *c)
{
	int ret = cred_free(&c->srv->creds, c->req.u.ctl.arg);

	return ret == -EBADF ? violation(c, "arg", "credentials that do not exist") : ret;
}

static int no_decode(struct call *c)
{
	return 0;
}

static int poweroff(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	if (cfg->poweroff)
		cfg->poweroff(cfg->ctx, (int)c->req.u.ctl.arg);
	return CALL_NO_ANSWER;
}

/* Text for people: cut to what we hold, and without the bytes that would fool a terminal. */
int text_decode(struct call *c)
{
	u32 len = c->req.u.ctl.len;
	char *text = c->path[0];

	if (len > RING_BUF_SIZE)
		return violation(c, "len", "text over the end of the buffer");
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	fetch(text, c->buf, len);
	text[len] = '\0';
	for (u32 i = 0; i < len; i++) {
		unsigned char ch = text[i];

		if ((ch < ' ' && ch != '\n' && ch != '\t') || ch == 0x7f)
			text[i] = '?';
	}
	return 0;
}

static int panic(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	if (cfg->panic)
		cfg->panic(cfg->ctx, c->path[0]);
	return CALL_NO_ANSWER;
}

static int log_(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	if (cfg->log)
		cfg->log(cfg->ctx, (int)c->req.u.ctl.arg, c->path[0]);
	return 0;
}

/* By a descriptor, as the right to sethostname(2) has been given up. The file takes a line. */
static int sethostname_(struct call *c)
{
	size_t n = strlen(c->path[0]);

	if (c->srv->cfg.hostname_fd <= 0)
		return -EPERM;
	c->path[0][n] = '\n';
	n = (size_t)pwrite(c->srv->cfg.hostname_fd, c->path[0], n + 1, 0);
	return n == (size_t)-1 ? -errno : 0;
}

static int notify(struct call *c)
{
	const struct pv_server_config *cfg = &c->srv->cfg;

	return cfg->notify ? cfg->notify(cfg->ctx, c->path[0]) : -ECONNREFUSED;
}

#define C(cmd) [PV_##cmd - PV_CRED_NEW]
const struct pv_command control_commands[] = {
	C(CRED_NEW) = { "cred_new", cred_new_decode, cred_new_perform, 0 },
	C(CRED_FREE) = { "cred_free", cred_new_decode, cred_free_perform, 0 },
	C(POWEROFF) = { "poweroff", no_decode, poweroff, 0 },
	C(PANIC) = { "panic", text_decode, panic, 0 },
	C(LOG) = { "log", text_decode, log_, 0 },
	C(MEM_READ) = { "mem_read", mem_decode, mem_read, 0 },
	C(MEM_WRITE) = { "mem_write", mem_decode, mem_write, 0 },
	C(DECODE) = { "decode", site_decode, site_perform, 0 },
	C(SYSCTL) = { "sysctl", sysctl_decode, sysctl_read, 0 },
	C(NETFILE) = { "netfile", name_in_buffer_decode, netfile_read, 0 },
	C(HOST_STAT) = { "host_stat", no_decode, host_stat, 0 },
	C(SETHOSTNAME) = { "sethostname", name_in_buffer_decode, sethostname_, 0 },
	C(PROC_STAT) = { "proc_stat", procstat_decode, procstat_perform, 0 },
	C(EVENT) = { "event", no_decode, event_take, 0 },
	C(EVENT_DONE) = { "event_done", text_decode, event_done, 0 },
	C(CGROUP) = { "cgroup", cgroup_file_decode, cgroup_file_read, 0 },
	C(EXEC_ID) = { "exec_id", exec_id_decode, exec_id, 0 },
	C(NOTIFY) = { "notify", text_decode, notify, 0 },
	C(RESIDENT) = { "resident", resident_decode, resident_perform, 0 },
	C(NICE) = { "nice", nice_decode, nice_perform, 0 },
	C(AFFINITY) = { "affinity", affinity_decode, affinity_perform, 0 },
	C(EXITED) = { "exited", no_decode, event_exited, 0 },
};
