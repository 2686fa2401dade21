// SPDX-License-Identifier: Apache-2.0
/*
 * sched(7). Policies and priorities are kept, inherited and reported, with Linux' permission rules. What steers is nice values,
 * SCHED_IDLE as the worst of them, and masks, where the machine obeys them: on pv the host's scheduler runs the guest's threads.
 */
#include "syscall.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>

#include "cred.h"
#include "hoststat.h"
#include "pid_ns.h"
#include "ring.h"
#include "sched.h"
#include "task.h"
#include "user_ns.h"

#define MASK_WORDS ARRAY_SIZE(((struct task_sched *)0)->affinity)
#define RT_MIN 1
#define RT_MAX 99
#define RR_INTERVAL (100 * NSEC_PER_MSEC)
#define SCHED_ATTR_SIZE_VER0 48

long sys_sched_yield(void)
{
	mc_yield();
	return 0;
}

/* The task `tid` (0: current); caller holds tasklist_lock. */
static struct task *target(int tid)
{
	return tid ? find_vtask(tid) : current;
}

bool sched_may_change(struct task *t)
{
	const struct cred *me = current->cred;
	bool same = me->euid == t->cred->uid || me->euid == t->cred->euid;

	/* a set-user-ID program of the caller's has more capabilities, and is not the caller's to slow down */
	return (same && !(t->cred->cap_permitted & ~me->cap_permitted)) || ns_capable(t->cred->user_ns, CAP_SYS_NICE);
}

/* ---- CPU masks ---- */

u32 cpu_count(void)
{
	return clamp(limit_cpus(), 1u, 64 * (u32)MASK_WORDS);
}

static void all_cpus(u64 *mask)
{
	memset(mask, 0, MASK_WORDS * sizeof(u64));
	for (u32 i = 0, n = cpu_count(); i < n; i++)
		mask[i / 64] |= 1ULL << (i % 64);
}

static size_t mask_bytes(void)
{
	return (cpu_count() + 63) / 64 * 8;
}

static bool mask_empty(const u64 *mask)
{
	for (size_t i = 0; i < MASK_WORDS; i++)
		if (mask[i])
			return false;
	return true;
}

void sched_inherit(struct task *c, struct task *p)
{
	c->sched = p->sched;
	if (p->sched.reset_on_fork) {
		memset(&c->sched, 0, sizeof(c->sched));
		memcpy(c->sched.affinity, p->sched.affinity, sizeof(c->sched.affinity));
	}
	if (!mask_empty(c->sched.affinity)) /* it is p's: there are such CPUs */
		mc_thread_affinity(c, c->sched.affinity, MASK_WORDS);
}

void task_cpu_mask(struct task *t, u64 *mask)
{
	u64 all[MASK_WORDS];

	all_cpus(all);
	for (size_t i = 0; i < MASK_WORDS; i++)
		mask[i] = t->sched.affinity[i] & all[i]; /* the limit may be lower now */
	if (mask_empty(mask))
		memcpy(mask, all, sizeof(all));
}

long sys_sched_getaffinity(u64 tid, u64 len_arg, u64 to)
{
	u64 mask[MASK_WORDS];
	u32 len = (u32)len_arg;
	struct task *t;
	size_t n;

	if (len < mask_bytes() || (len & 7))
		return -EINVAL;
	mutex_lock(&tasklist_lock);
	t = target((int)tid);
	if (t)
		task_cpu_mask(t, mask);
	mutex_unlock(&tasklist_lock);
	if (!t)
		return -ESRCH;
	n = mask_bytes();
	return mc_copy_to_user(to, mask, n) ? -EFAULT : (long)n;
}

long sys_sched_setaffinity(u64 tid, u64 len, u64 from)
{
	u64 all[MASK_WORDS], mask[MASK_WORDS] = { 0 };
	struct task *t;
	int ret;

	if (mc_copy_from_user(mask, from, min((size_t)(u32)len, sizeof(mask))))
		return -EFAULT;
	all_cpus(all);
	for (size_t i = 0; i < MASK_WORDS; i++)
		mask[i] &= all[i];
	guard(&tasklist_lock);
	t = target((int)tid);
	if (!t)
		return -ESRCH;
	if (!sched_may_change(t))
		return -EPERM;
	if (mask_empty(mask))
		return -EINVAL;
	ret = mc_thread_affinity(t, mask, MASK_WORDS);
	if (!ret)
		memcpy(t->sched.affinity, mask, sizeof(mask));
	return ret;
}

/* ---- policies ---- */

static bool realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool policy_known(int policy)
{
	return realtime(policy) || policy == SCHED_NORMAL || policy == SCHED_BATCH ||
	       policy == SCHED_IDLE || policy == SCHED_DEADLINE;
}

static bool priority_valid(int policy, int priority)
{
	return realtime(policy) ? priority >= RT_MIN && priority <= RT_MAX : priority == 0;
}

/* setpriority's scale turned round, as RLIMIT_NICE counts: 1 (nice 19) to 40 (nice -20). */
bool sched_may_nice(struct task *t, int nice)
{
	return nice >= t->sched.nice || capable(CAP_SYS_NICE) ||
	       (u64)(20 - nice) <= t->proc->rlim[RLIMIT_NICE].rlim_cur;
}

static bool may_realtime(struct task *t, int policy, int priority)
{
	if (policy == SCHED_DEADLINE)
		return capable(CAP_SYS_NICE);
	if (!realtime(policy) || capable(CAP_SYS_NICE))
		return true;
	return (policy == t->sched.policy && priority <= t->sched.priority) ||
	       (u64)priority <= t->proc->rlim[RLIMIT_RTPRIO].rlim_cur;
}

struct change {
	int policy; /* -1: as it is */
	int priority, nice;
	u64 runtime, deadline, period; /* ns */
	bool set_nice, reset_on_fork;
};

/* Linux' bounds, with the sysctls as they come. */
static bool deadline_valid(const struct change *c)
{
	return c->runtime >= 1024 && c->runtime <= c->deadline && c->deadline <= c->period &&
	       c->period >= 100 * 1000ULL && c->period <= (1ULL << 22) * 1000ULL;
}

/* As the host is to have it, which may not let a thread leave its own class for idle ones. */
int sched_host_nice(const struct task *t)
{
	return t->sched.policy == SCHED_IDLE ? 19 : t->sched.nice;
}

static long apply(int tid, const struct change *c)
{
	struct task *t;
	int policy, before;

	if (tid < 0)
		return -EINVAL;
	guard(&tasklist_lock);
	t = target(tid);
	if (!t)
		return -ESRCH;
	before = sched_host_nice(t);
	policy = c->policy < 0 ? t->sched.policy : c->policy;
	if (!policy_known(policy) || !priority_valid(policy, c->priority) ||
	    (c->policy == SCHED_DEADLINE && !deadline_valid(c)))
		return -EINVAL;
	if (!sched_may_change(t) || !may_realtime(t, policy, c->priority) ||
	    (c->set_nice && !sched_may_nice(t, c->nice)))
		return -EPERM;
	t->sched.policy = policy;
	t->sched.priority = c->priority;
	t->sched.runtime = c->runtime;
	t->sched.deadline = c->deadline;
	t->sched.period = c->period;
	if (c->set_nice)
		t->sched.nice = c->nice;
	if (c->policy >= 0)
		t->sched.reset_on_fork = c->reset_on_fork;
	if (sched_host_nice(t) != before)
		mc_thread_nice(t, sched_host_nice(t));
	return 0;
}

long sys_sched_setscheduler(u64 tid, u64 policy_arg, u64 param)
{
	int policy = (int)policy_arg;
	struct change c = { .policy = policy & ~SCHED_RESET_ON_FORK,
			    .reset_on_fork = policy & SCHED_RESET_ON_FORK };

	if (policy < 0 || !param)
		return -EINVAL;
	if (mc_copy_from_user(&c.priority, param, sizeof(c.priority)))
		return -EFAULT;
	return apply((int)tid, &c);
}

long sys_sched_setparam(u64 tid, u64 param)
{
	struct change c = { .policy = -1 };

	if (!param)
		return -EINVAL;
	if (mc_copy_from_user(&c.priority, param, sizeof(c.priority)))
		return -EFAULT;
	return apply((int)tid, &c);
}

static long read_sched(int tid, struct task_sched *out)
{
	struct task *t;

	if (tid < 0)
		return -EINVAL;
	guard(&tasklist_lock);
	t = target(tid);
	if (!t)
		return -ESRCH;
	*out = t->sched;
	return 0;
}

long sys_sched_getscheduler(u64 tid)
{
	struct task_sched s;
	long err = read_sched((int)tid, &s);

	return err ? err : s.policy | (s.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(u64 tid, u64 to)
{
	struct task_sched s;
	long err = to ? read_sched((int)tid, &s) : -EINVAL;

	if (err)
		return err;
	return mc_copy_to_user(to, &s.priority, sizeof(s.priority)) ? -EFAULT : 0;
}

long sys_sched_setattr(u64 tid, u64 attr, u64 flags)
{
	struct sched_attr a = { 0 };
	struct change c;
	u32 size;

	if (!attr || flags)
		return -EINVAL;
	if (mc_copy_from_user(&size, attr, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -E2BIG;
	if (mc_copy_from_user(&a, attr, min((size_t)size, sizeof(a))))
		return -EFAULT;
	if ((int)a.sched_policy < 0)
		return -EINVAL;
	c = (struct change){ .policy = (int)a.sched_policy,
			     .priority = (int)a.sched_priority,
			     .nice = clamp(a.sched_nice, -20, 19),
			     .runtime = a.sched_runtime,
			     .deadline = a.sched_deadline,
			     .period = a.sched_period ? a.sched_period : a.sched_deadline,
			     .set_nice = !realtime((int)a.sched_policy) && a.sched_policy != SCHED_DEADLINE,
			     .reset_on_fork = a.sched_flags & SCHED_FLAG_RESET_ON_FORK };
	if (a.sched_flags & SCHED_FLAG_KEEP_POLICY)
		c.policy = -1;
	return apply((int)tid, &c);
}

long sys_sched_getattr(u64 tid, u64 to, u64 size_arg, u64 flags)
{
	u32 size = (u32)size_arg;
	struct sched_attr a = { 0 };
	struct task_sched s;
	long err;

	if (!to || size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	err = read_sched((int)tid, &s);
	if (err)
		return err;
	a.size = min(size, (u32)sizeof(a));
	a.sched_policy = (u32)s.policy;
	a.sched_priority = (u32)s.priority;
	a.sched_nice = s.nice;
	a.sched_runtime = s.runtime;
	a.sched_deadline = s.deadline;
	a.sched_period = s.period;
	a.sched_flags = s.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	return mc_copy_to_user(to, &a, a.size) ? -EFAULT : 0;
}

long sys_sched_get_priority_max(u64 policy)
{
	if (!policy_known((int)policy))
		return -EINVAL;
	return realtime((int)policy) ? RT_MAX : 0;
}

long sys_sched_get_priority_min(u64 policy)
{
	if (!policy_known((int)policy))
		return -EINVAL;
	return realtime((int)policy) ? RT_MIN : 0;
}

long sys_sched_rr_get_interval(u64 tid, u64 to)
{
	struct __kernel_timespec ts = { 0 };
	struct task_sched s;
	long err = read_sched((int)tid, &s);

	if (err)
		return err;
	if (s.policy == SCHED_RR)
		ts.tv_nsec = RR_INTERVAL;
	return mc_copy_to_user(to, &ts, sizeof(ts)) ? -EFAULT : 0;
}
