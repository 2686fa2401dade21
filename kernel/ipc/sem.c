// SPDX-License-Identifier: Apache-2.0
/* System V semaphores: semget(2), semop(2). */
#include "sem.h"

#include "ktime.h"
#include "syscall.h"

static void set_free(struct ipc_object *o)
{
	if (!o->removed) /* never was there */
		sem_total -= ((struct sem_set *)o)->n;
	kfree(o);
}

u64 sem_total;

static void set_forget(struct ipc_object *o)
{
	struct sem_set *s = (struct sem_set *)o;

	sem_undo_drop(s);
	sem_total -= s->n;
}

struct ipc_table sem_table = { .forget = set_forget, .free = set_free, .most = &ipc_limits.sem[SEM_LIMIT_MNI] };

static struct ipc_object *set_create(const struct ipc_request *r)
{
	struct sem_set *s;

	if (!r->size)
		return ERR_PTR(-EINVAL);
	if ((s64)(sem_total + r->size) > READ_ONCE(ipc_limits.sem[SEM_LIMIT_MNS]))
		return ERR_PTR(-ENOSPC);
	s = kzalloc(sizeof(*s) + r->size * sizeof(s->sem[0]));
	if (!s)
		return ERR_PTR(-ENOMEM);
	list_init(&s->undos);
	s->n = (u32)r->size;
	sem_total += s->n;
	return &s->ipc;
}

static long set_check(struct ipc_object *o, const struct ipc_request *r)
{
	return r->size > ((struct sem_set *)o)->n ? -EINVAL : 0;
}

long sys_semget(u64 key, u64 n, u64 flags)
{
	struct ipc_request r = { .key = (u32)key, .flags = (int)flags, .size = (u32)n,
				 .create = set_create, .check = set_check };

	return (u32)n > READ_ONCE(ipc_limits.sem[SEM_LIMIT_MSL]) ? -EINVAL : ipc_get(&sem_table, &r);
}

/* ---- operations ---- */

struct operation {
	struct sem_set *set;
	struct sembuf *ops;
	u32 n;
	bool undo, alter;
	struct sem *blocked; /* -EAGAIN: by this one ... */
	const struct sembuf *by; /* ... in this operation */
};

static void roll_back(struct operation *o, u32 done)
{
	while (done--)
		o->set->sem[o->ops[done].sem_num].value -= o->ops[done].sem_op;
}

static long step(struct operation *o, const struct sembuf *b)
{
	struct sem *sem = &o->set->sem[b->sem_num];

	if (b->sem_op ? sem->value + b->sem_op < 0 : sem->value != 0) {
		o->blocked = sem;
		o->by = b;
		return -EAGAIN;
	}
	if (sem->value + b->sem_op > SEMVMX)
		return -ERANGE;
	sem->value += b->sem_op;
	return 0;
}

static void commit(struct operation *o, struct sem_undo *u)
{
	for (u32 i = 0; i < o->n; i++) {
		o->set->sem[o->ops[i].sem_num].pid = current->proc->pid;
		if (o->ops[i].sem_flg & SEM_UNDO)
			u->adjust[o->ops[i].sem_num] -= o->ops[i].sem_op;
	}
	o->set->otime = ipc_now();
	if (o->alter)
		waitq_wake_all(&o->set->ipc.wait, 0);
}

/* All of the operations or none. sem_table.lock held. */
static long try_locked(struct operation *o)
{
	struct sem_undo *u = NULL;

	if (o->set->ipc.removed)
		return -EIDRM;
	if (o->undo) {
		u = sem_undo_get(o->set);
		if (!u)
			return -ENOMEM;
	}
	for (u32 i = 0; i < o->n; i++) {
		long err = step(o, &o->ops[i]);

		if (err) {
			roll_back(o, i);
			return err;
		}
	}
	commit(o, u);
	return 0;
}

static long try(struct operation *o)
{
	guard(&sem_table.lock);

	return try_locked(o);
}

/* For GETNCNT and GETZCNT. */
static void count_waiter(struct operation *o, int by)
{
	guard(&sem_table.lock);

	if (o->by->sem_op)
		o->blocked->ncount += (u32)by;
	else
		o->blocked->zcount += (u32)by;
}

static long wait_for(struct operation *o, u64 deadline)
{
	struct operation first = *o;
	long ret = -EAGAIN, waited;

	count_waiter(&first, 1);
	waited = wait_event(&o->set->ipc.wait, (ret = try(o)) != -EAGAIN, deadline);
	count_waiter(&first, -1);
	if (waited == -ETIMEDOUT)
		return -EAGAIN;
	return waited ? -EINTR : ret; /* semop is never restarted: signal(7) */
}

static struct sem_set *set_get(int id, const struct operation *o)
{
	struct sem_set *s;

	guard(&sem_table.lock);
	s = (struct sem_set *)ipc_find(&sem_table, id);
	if (IS_ERR(s))
		return s;
	for (u32 i = 0; i < o->n; i++)
		if (o->ops[i].sem_num >= s->n)
			return ERR_PTR(-EFBIG);
	if (!ipc_allowed(&s->ipc, o->alter ? 0222 : 0444))
		return ERR_PTR(-EACCES);
	ref_get(&s->ipc.ref);
	return s;
}

static long do_semop(int id, uaddr_t from, u32 n, u64 deadline)
{
	struct sembuf *ops __kfree = NULL;
	struct operation o = { .n = n };
	long ret;

	if (!n)
		return -EINVAL;
	if (n > READ_ONCE(ipc_limits.sem[SEM_LIMIT_OPM]))
		return -E2BIG;
	o.ops = ops = kmalloc(n * sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	if (mc_copy_from_user(ops, from, n * sizeof(*ops)))
		return -EFAULT;
	for (u32 i = 0; i < n; i++) {
		o.alter |= ops[i].sem_op != 0;
		o.undo |= !!(ops[i].sem_flg & SEM_UNDO);
	}
	o.set = set_get(id, &o);
	if (IS_ERR(o.set))
		return PTR_ERR(o.set);
	ret = try(&o);
	if (ret == -EAGAIN && !(o.by->sem_flg & IPC_NOWAIT))
		ret = wait_for(&o, deadline);
	ipc_put(&sem_table, &o.set->ipc);
	return ret;
}

long sys_semop(u64 id, u64 ops, u64 n)
{
	return do_semop((int)id, ops, (u32)n, MC_FOREVER);
}

long sys_semtimedop(u64 id, u64 ops, u64 n, u64 timeout)
{
	u64 ns, deadline = MC_FOREVER;

	if (timeout) {
		int err = get_timespec(timeout, &ns);

		if (err)
			return err;
		deadline = time_add(monotonic_now(), ns);
	}
	return do_semop((int)id, ops, (u32)n, deadline);
}
