// SPDX-License-Identifier: Apache-2.0
/* Handlers: struct sighand through its life, rt_sigaction, what fork and exec do to signals. */
#include "syscall.h"

#include "sig.h"

#define USER_FLAGS                                                                                 \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 SA_RESETHAND | SA_RESTORER | 0x800UL /* SA_EXPOSE_TAGBITS */)

struct sighand *sighand_get(struct sighand *s)
{
	ref_get(&s->ref);
	return s;
}

static struct sighand *sighand_new(void)
{
	struct sighand *s = kzalloc(sizeof(*s));

	if (s)
		ref_init(&s->ref);
	return s;
}

/* NULL: a first one, all default. */
struct sighand *sighand_copy(struct sighand *from)
{
	struct sighand *s = sighand_new();

	if (s && from) {
		guard(&from->lock);
		memcpy(s->action, from->action, sizeof(s->action));
	}
	return s;
}

void sighand_put(struct sighand *s)
{
	if (s && ref_put(&s->ref))
		kfree(s);
}

/* A signal that is now ignored does not stay pending. */
static void flush_ignored(struct task *t, int sig)
{
	struct task *other;

	mutex_lock(&tasklist_lock);
	mutex_lock(&t->sighand->lock);
	sigqueue_flush(&t->proc->pending, SIGBIT(sig));
	list_for_each(other, &t->proc->threads, thread_node)
		sigqueue_flush(&other->pending, SIGBIT(sig));
	mutex_unlock(&t->sighand->lock);
	mutex_unlock(&tasklist_lock);
}

static void set_action(struct task *t, int sig, struct ksigaction *new, struct ksigaction *old)
{
	struct ksigaction *a = &t->sighand->action[sig - 1];
	bool ignored;

	new->flags &= USER_FLAGS;
	new->mask &= ~UNBLOCKABLE;
	mutex_lock(&t->sighand->lock);
	*old = *a;
	*a = *new;
	mutex_unlock(&t->sighand->lock);
	ignored = new->handler == HANDLER_IGN ||
		  (new->handler == HANDLER_DFL && default_ignored(sig));
	if (ignored)
		flush_ignored(t, sig);
}

long sys_rt_sigaction(u64 sig_arg, u64 new, u64 old, u64 size)
{
	struct task *t = current;
	struct ksigaction set, was;
	int sig = (int)sig_arg;

	if (size != sizeof(sigmask_t))
		return -EINVAL;
	if (new && mc_copy_from_user(&set, new, sizeof(set)))
		return -EFAULT;
	if (!valid_signal(sig) || (new && sig_in(sig, UNBLOCKABLE)))
		return -EINVAL;
	if (new)
		set_action(t, sig, &set, &was);
	else
		was = t->sighand->action[sig - 1];
	return old && mc_copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}

/* ---- fork, exit, exec ---- */

/* child->proc is set; parent NULL: the first process. */
void signal_task_init(struct task *child, struct task *parent)
{
	sigpending_init(&child->pending);
	child->sas_flags = SS_DISABLE;
	if (!parent)
		return;
	child->blocked = parent->restore_sigmask ? parent->saved_sigmask : parent->blocked;
	if (child->proc == parent->proc) {
		/* A stop in progress is one for the new thread, too. */
		work_set(child, READ_ONCE(parent->mc.work) & WORK_STOP);
		return;
	}
	sigpending_init(&child->proc->pending);
	child->sas_sp = parent->sas_sp;
	child->sas_size = parent->sas_size;
	child->sas_flags = parent->sas_flags;
}

void signal_task_exit(struct task *t)
{
	guard(&tasklist_lock);
	mutex_lock(&t->sighand->lock);
	t->state = TASK_ZOMBIE;
	sigqueue_flush(&t->pending, ~0ULL);
	if (!t->proc->group_exiting && t->proc->nthreads > 1)
		retarget_shared(t, ~t->blocked);
	mutex_unlock(&t->sighand->lock);
	stop_thread_exits(t);
}

void signal_process_exit(struct process *p)
{
	sigqueue_flush(&p->pending, ~0ULL);
}

static bool unshare_sighand(struct task *t)
{
	struct sighand *s, *old = t->sighand;

	if (ref_read(&old->ref) == 1)
		return true;
	s = sighand_copy(old);
	if (!s)
		return false;
	mutex_lock(&tasklist_lock);
	t->sighand = s;
	mutex_unlock(&tasklist_lock);
	sighand_put(old);
	return true;
}

/*
 * The calling thread is the last of its process. Ignored signals stay so, handlers become the
 * default.
 */
int signal_exec(struct task *t)
{
	if (!unshare_sighand(t))
		return -ENOMEM;
	guard(&t->sighand->lock);
	for (int i = 0; i < NSIG_MAX; i++) {
		struct ksigaction *a = &t->sighand->action[i];

		if (a->handler != HANDLER_IGN)
			a->handler = HANDLER_DFL;
		a->flags = 0;
		a->restorer = 0;
		a->mask = 0;
	}
	t->sas_sp = 0;
	t->sas_size = 0;
	t->sas_flags = SS_DISABLE;
	t->restart.fn = NULL;
	return 0;
}
