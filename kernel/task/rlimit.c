// SPDX-License-Identifier: Apache-2.0
/* Resource limits: getrlimit, setrlimit, prlimit64. */
#include "syscall.h"

#include "pid_ns.h"
#include "ring.h"
#include "task.h"
#include "user_ns.h"

#define INF ((u64)RLIM_INFINITY)
#define DEFAULT_PROCS 31000 /* what Linux gives the first process on a machine of some GB */

static const struct rlimit defaults[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { INF, INF },
	[RLIMIT_FSIZE] = { INF, INF },
	[RLIMIT_DATA] = { INF, INF },
	[RLIMIT_STACK] = { 8 << 20, INF },
	[RLIMIT_CORE] = { 0, INF },
	[RLIMIT_RSS] = { INF, INF },
	[RLIMIT_NPROC] = { DEFAULT_PROCS, DEFAULT_PROCS },
	[RLIMIT_NOFILE] = { 1024, 524288 },
	[RLIMIT_MEMLOCK] = { 8 << 20, 8 << 20 },
	[RLIMIT_AS] = { INF, INF },
	[RLIMIT_LOCKS] = { INF, INF },
	[RLIMIT_SIGPENDING] = { DEFAULT_PROCS, DEFAULT_PROCS },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_NICE] = { 0, 0 },
	[RLIMIT_RTPRIO] = { 0, 0 },
	[RLIMIT_RTTIME] = { INF, INF },
};

void rlimits_boot(struct process *p, const struct boot_process *b, const void *base)
{
	const struct boot_rlimit *l = (const void *)((const u8 *)base + b->rlimits);

	memcpy(p->rlim, defaults, sizeof(defaults));
	for (u32 i = 0; b->rlimits && i < b->nrlimits; i++) {
		if (l[i].resource >= RLIM_NLIMITS)
			continue;
		p->rlim[l[i].resource].rlim_cur = l[i].soft;
		p->rlim[l[i].resource].rlim_max = l[i].hard;
	}
}

/* A word each: no lock is needed to read one. */
u64 rlimit(int resource)
{
	return READ_ONCE(current->proc->rlim[resource].rlim_cur);
}

int limit_check(struct process *p, int resource, u64 value)
{
	return value > READ_ONCE(p->rlim[resource].rlim_cur) ? -EAGAIN : 0;
}

static void get_limit(struct process *p, u32 resource, struct rlimit *out)
{
	guard(&p->lock);

	*out = p->rlim[resource];
}

static long store_limit(struct process *p, u32 resource, const struct rlimit *l)
{
	guard(&p->lock);

	if (l->rlim_cur > l->rlim_max)
		return -EINVAL;
	if (l->rlim_max > p->rlim[resource].rlim_max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	p->rlim[resource] = *l;
	return 0;
}

static long set_limit(struct process *p, u32 resource, const struct rlimit *l)
{
	long err = store_limit(p, resource, l);

	if (!err && resource == RLIMIT_CPU)
		timers_cpu_limit(p);
	return err;
}

long sys_getrlimit(u64 resource, u64 to)
{
	struct rlimit l;

	if ((u32)resource >= RLIM_NLIMITS)
		return -EINVAL;
	get_limit(current->proc, (u32)resource, &l);
	return mc_copy_to_user(to, &l, sizeof(l)) ? -EFAULT : 0;
}

long sys_setrlimit(u64 resource, u64 from)
{
	struct rlimit l;

	if (mc_copy_from_user(&l, from, sizeof(l)))
		return -EFAULT;
	if ((u32)resource >= RLIM_NLIMITS)
		return -EINVAL;
	return set_limit(current->proc, (u32)resource, &l);
}

/* prlimit(2): all three real, effective and saved ids of the target must be the caller's real ones. */
static bool may_limit(struct process *p)
{
	const struct cred *me = current->cred;
	struct cred *c;
	bool same;

	if (p == current->proc)
		return true;
	mutex_lock(&tasklist_lock);
	c = p->leader ? cred_get(p->leader->cred) : NULL;
	mutex_unlock(&tasklist_lock);
	if (!c)
		return capable(CAP_SYS_RESOURCE);
	same = me->uid == c->uid && me->uid == c->euid && me->uid == c->suid &&
	       me->gid == c->gid && me->gid == c->egid && me->gid == c->sgid;
	same = same || ns_capable(c->user_ns, CAP_SYS_RESOURCE);
	cred_put(c);
	return same;
}

static struct process *process_of_arg(int pid)
{
	if (pid)
		return process_vget(pid);
	ref_get(&current->proc->ref);
	return current->proc;
}

long sys_prlimit64(u64 pid, u64 resource, u64 new, u64 old)
{
	struct rlimit set, was;
	struct process *p;
	long err = 0;

	if ((u32)resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (new && mc_copy_from_user(&set, new, sizeof(set)))
		return -EFAULT;
	p = process_of_arg((int)pid);
	if (!p)
		return -ESRCH;
	if (!may_limit(p))
		err = -EPERM;
	get_limit(p, (u32)resource, &was);
	if (!err && new)
		err = set_limit(p, (u32)resource, &set);
	process_put(p);
	if (!err && old && mc_copy_to_user(old, &was, sizeof(was)))
		err = -EFAULT;
	return err;
}
