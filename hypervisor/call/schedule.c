/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PV_NICE, PV_AFFINITY: how the host schedules a thread of the guest. Never better than the container was started with, and on no other
 * CPUs than the hypervisor's own. The thread is looked for among vm0's descendants; and it is changed with the rights of its user, who has
 * no other threads than this VM's, so a number that was used again in between hits none of the hypervisor's.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "call/control.h"
#include "call/cred.h"
#include "call/server_impl.h"

#define NICE_WORST 19

int nice_decode(struct call *c)
{
	s64 nice = (s64)c->req.u.ctl.arg;

	if (nice < -20 || nice > NICE_WORST)
		return violation(c, "arg", "no nice value");
	return c->req.u.ctl.pid == 0 || c->req.u.ctl.pid > 0x7fffffff ? -ESRCH : 0;
}

int affinity_decode(struct call *c)
{
	const struct pv_req_ctl *r = &c->req.u.ctl;

	if (r->len == 0 || r->len > PV_MASK_MAX || r->len % 8)
		return violation(c, "len", "no length of a mask");
	if (r->arg == 0 || r->arg > r->len * 8)
		return violation(c, "arg", "more CPUs than the mask has");
	return r->pid == 0 || r->pid > 0x7fffffff ? -ESRCH : 0;
}

/* The thread's number for host calls, and its user's rights; -errno. */
static pid_t take_rights(struct call *c)
{
	char name[16];
	pid_t thread;

	if (!c->srv->cfg.schedules)
		return -EPERM;
	thread = vm_host_pid(c->srv, c->req.u.ctl.pid);
	if (thread <= 0)
		return -ESRCH;
	snprintf(name, sizeof(name), "%d", thread);
	return caller_be_owner(c->me, c->srv->cfg.procfd, name) < 0 ? -ESRCH : thread;
}

static int leave_rights(struct call *c, int result)
{
	int ret = caller_be_no_owner(c->me);

	return ret ? ret : result;
}

int nice_perform(struct call *c)
{
	int nice = (int)(s64)c->req.u.ctl.arg;
	pid_t thread = take_rights(c);

	if (thread < 0)
		return thread;
	if (nice < c->srv->nice)
		nice = c->srv->nice;
	return leave_rights(c, setpriority(PRIO_PROCESS, (id_t)thread, nice) ? -errno : 0);
}

/* The guest counts its CPUs from 0: the first of them is the first that the container has. */
static bool some_cpus(cpu_set_t *to, const cpu_set_t *own, const u64 *mask, u32 bits)
{
	u32 n = 0;

	CPU_ZERO(to);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && n < bits; cpu++) {
		if (!CPU_ISSET(cpu, own))
			continue;
		if (mask[n / 64] >> (n % 64) & 1)
			CPU_SET(cpu, to);
		n++;
	}
	return CPU_COUNT(to) > 0;
}

static bool all_of(const u64 *mask, u32 bits)
{
	for (u32 i = 0; i < bits; i++)
		if (!(mask[i / 64] >> (i % 64) & 1))
			return false;
	return true;
}

int affinity_perform(struct call *c)
{
	u64 mask[PV_MASK_MAX / sizeof(u64)] = { 0 };
	u32 cpus = (u32)c->req.u.ctl.arg;
	cpu_set_t own, set;
	pid_t thread;

	fetch(mask, c->buf, c->req.u.ctl.len);
	if (sched_getaffinity(0, sizeof(own), &own))
		return -errno;
	if (all_of(mask, cpus) ? !place_usual(&set, &own) : !some_cpus(&set, &own, mask, cpus))
		return -EINVAL;
	thread = take_rights(c);
	if (thread < 0)
		return thread;
	return leave_rights(c, sched_setaffinity(thread, sizeof(set), &set) ? -errno : 0);
}
