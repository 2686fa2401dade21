// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's agent in the guest: takes its events on vm0's thread, which must never wait for guest code.
 * Processes that it adds do all that takes time themselves, in kernel_process_main().
 */
#include <asm/unistd.h>

#include "dev.h"
#include "fs.h"
#include "hoststat.h"
#include "internal.h"
#include "pv_ctl.h"
#include "trace_hook.h"

/* pid 1 waits for its start. tasklist_lock. */
static struct {
	bool begun;   /* PV_EV_START came, or is not waited for */
	int death;    /* a signal that would have killed it came first */
	u32 event;    /* PV_EV_START's number */
} start;

/* ---- PV calls ---- */

void agent_answer(u32 event, int result, const char *text)
{
	pv_ctl_call(PV_EVENT_DONE, event, (u32)result, text, text ? strlen(text) : 0);
}

void agent_exited(u32 event, int wait_status)
{
	pv_ctl_call(PV_EXITED, event, (u32)wait_status, NULL, 0);
}

/* A copy of the oldest one, or NULL: there is none. */
static struct pv_event *next_event(void)
{
	struct pv_event *e = NULL;
	u32 lost = 0;
	struct pv_slot s;
	s64 n;

	mc_pv_get(&s);
	memset(&s.req.u, 0, sizeof(s.req.u));
	s.req.cmd = PV_EVENT;
	n = mc_pv_call(&s);
	if (n > 0) {
		e = kmalloc((size_t)n);
		lost = ((struct pv_event *)s.buf)->event;
		if (e)
			memcpy(e, s.buf, (size_t)n);
	}
	mc_pv_put(&s);
	if (n <= 0 || e)
		return e;
	agent_answer(lost, -ENOMEM, "no memory in the guest kernel");
	return next_event();
}

/* ---- start ---- */

void agent_await_start(struct program *p)
{
	for (;;) {
		int death;

		mutex_lock(&tasklist_lock);
		death = start.death;
		p->number = start.event;
		mutex_unlock(&tasklist_lock);
		if (p->number)
			return;
		if (death)
			mc_poweroff(death);
		mc_park_killable(MC_FOREVER);
	}
}

static bool waiting(void)
{
	return ((const struct boot_info *)mc_boot_info())->wait_start && !start.begun;
}

static int begin(u32 event)
{
	guard(&tasklist_lock);
	if (!waiting())
		return -EALREADY;
	start.begun = true;
	start.event = event;
	if (init_process && init_process->leader)
		mc_unpark(init_process->leader);
	return 0;
}

/* ---- signals ---- */

/* To a process that waits to be started: what is not ignored by default ends it, as runc's init. */
static int signal_waiting(int sig)
{
	if (!start.death && !signal_default_ignored(sig))
		start.death = sig;
	if (init_process && init_process->leader)
		mc_unpark(init_process->leader);
	return 0;
}

static bool is_target(const struct process *p, u32 target)
{
	if (!target || target == PV_TO_ALL)
		return target || p == init_process;
	return p->event == target || (p->program && p->program->number == target);
}

struct delivery {
	u32 target;
	int sig;
	bool found;
};

static int deliver(struct process *p, void *arg)
{
	struct delivery *d = arg;

	if (p->state == TASK_ZOMBIE || p->state == TASK_DEAD)
		return 0;
	if (!is_target(p, d->target))
		return 0;
	d->found = true;
	send_signal_outside_locked(p, d->sig);
	return d->target != PV_TO_ALL;
}

static int post_signal(u32 target, int sig)
{
	struct delivery d = {.target = target, .sig = sig};

	if (sig < 1 || sig > NSIG_MAX)
		return -EINVAL;
	defer_wakes();
	guard(&tasklist_lock);
	if ((!target || target == PV_TO_ALL) && waiting())
		return signal_waiting(sig);
	for_each_process(deliver, &d);
	return d.found ? 0 : -ESRCH;
}

/* ---- processes ---- */

static int add_process(struct pv_event *e)
{
	struct program *p = kzalloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->event = e;
	p->number = e->event;
	p->base = e;
	p->want = (const void *)((const char *)e + e->process);
	r = task_add_process(p);
	if (r)
		kfree(p);
	return r;
}

void program_started(struct process *proc)
{
	struct program *p = proc->program;
	u32 number = p->number;
	bool added = p->event != NULL;

	mutex_lock(&tasklist_lock);
	proc->program = NULL;
	if (added)
		proc->event = number;
	mutex_unlock(&tasklist_lock);
	if (number)
		agent_answer(number, added ? proc->pid : 0, NULL);
	program_free(p);
}

void kernel_process_main(struct task *t)
{
	struct program *p = t->proc->program;
	int r = vfs_take_descriptors(p->number, 0, p->event->nfds, p->want);

	if (!r)
		r = program_prepare(p, false);
	if (!r) {
		t->syscall_nr = __NR_execve;
		r = program_exec(p);
	}
	mutex_lock(&tasklist_lock);
	t->proc->program = NULL;
	mutex_unlock(&tasklist_lock);
	agent_answer(p->number, r, p->why ? p->why : "no memory");
	program_free(p);
	do_group_exit(127 << 8);
}

static void list_processes(u32 event, u32 after)
{
	char *text __kfree = kmalloc(PV_PATH_MAX);

	if (text)
		agent_answer(event, agent_processes(after, text, PV_PATH_MAX), text);
	else
		agent_answer(event, -ENOMEM, NULL);
}

/* ---- events ---- */

/* Takes e over. */
static void serve(struct pv_event *e)
{
	u32 kind = e->kind, number = e->event;
	int r = -EINVAL;

	switch (kind) {
	case PV_EV_START:
		r = begin(e->event);
		break;
	case PV_EV_EXEC:
		r = add_process(e);
		break;
	case PV_EV_SIGNAL:
		r = post_signal(e->target, (int)e->sig);
		break;
	case PV_EV_TTY_SIGNAL:
		r = dev_tty_event(e->target, (int)e->sig);
		break;
	case PV_EV_LIMITS:
		limits_set(e->ncpus, e->mem_limit);
		r = 0;
		break;
	case PV_EV_PROCESSES:
		list_processes(number, e->target);
		kfree(e);
		return;
	default:
		break;
	}
	if (!r && kind == PV_EV_EXEC)
		return; /* the process has it now, and may be done with it */
	if (r || kind != PV_EV_START)
		agent_answer(number, r, r == -EALREADY ? "it has been started already" : NULL);
	kfree(e);
}

void kernel_host_events(void)
{
	struct pv_event *e;

	trace_drain();
	while ((e = next_event()))
		serve(e);
}
