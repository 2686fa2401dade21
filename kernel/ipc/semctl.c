// SPDX-License-Identifier: Apache-2.0
/* semctl(2). */
#include "sem.h"

#include "ipc_show.h"
#include "pid_ns.h"
#include "syscall.h"
#include "user_ns.h"

/* The set, if current may use it so; the lock is held. */
static struct sem_set *find(int id, u32 mode)
{
	struct sem_set *s = (struct sem_set *)ipc_find(&sem_table, id);

	return IS_ERR(s) || ipc_allowed(&s->ipc, mode) ? s : ERR_PTR(-EACCES);
}

static long get_one(int id, u32 num, int cmd)
{
	struct sem_set *s;

	guard(&sem_table.lock);
	s = find(id, 0444);
	if (IS_ERR(s))
		return PTR_ERR(s);
	if (num >= s->n)
		return -EINVAL;
	switch (cmd) {
	case GETVAL:
		return s->sem[num].value;
	case GETPID:
		return pid_shown(s->sem[num].pid);
	case GETNCNT:
		return s->sem[num].ncount;
	}
	return s->sem[num].zcount;
}

static void changed(struct sem_set *s)
{
	s->ipc.ctime = ipc_now();
	waitq_wake_all(&s->ipc.wait, 0);
}

static long set_one(int id, u32 num, int value)
{
	struct sem_set *s;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	guard(&sem_table.lock);
	s = find(id, 0222);
	if (IS_ERR(s))
		return PTR_ERR(s);
	if (num >= s->n)
		return -EINVAL;
	s->sem[num].value = value;
	s->sem[num].pid = current->proc->pid;
	sem_undo_clear(s, num, 1);
	changed(s);
	return 0;
}

static long count_of(int id, u32 mode)
{
	struct sem_set *s;

	guard(&sem_table.lock);
	s = find(id, mode);
	return IS_ERR(s) ? PTR_ERR(s) : (long)s->n;
}

/* The set again, if it still is the one that was counted. The lock is held. */
static struct sem_set *find_same(int id, u32 mode, long n)
{
	struct sem_set *s = find(id, mode);

	return IS_ERR(s) || s->n == n ? s : ERR_PTR(-EIDRM);
}

static long get_all(int id, uaddr_t to)
{
	long n = count_of(id, 0444);
	u16 *values __kfree = n > 0 ? kmalloc((size_t)n * sizeof(*values)) : NULL;
	struct sem_set *s;

	if (n <= 0)
		return n;
	if (!values)
		return -ENOMEM;
	mutex_lock(&sem_table.lock);
	s = find_same(id, 0444, n);
	for (long i = 0; i < n && !IS_ERR(s); i++)
		values[i] = (u16)s->sem[i].value;
	mutex_unlock(&sem_table.lock);
	if (IS_ERR(s))
		return PTR_ERR(s);
	return mc_copy_to_user(to, values, (size_t)n * sizeof(*values)) ? -EFAULT : 0;
}

static long set_all(int id, uaddr_t from)
{
	long n = count_of(id, 0222);
	u16 *values __kfree = n > 0 ? kmalloc((size_t)n * sizeof(*values)) : NULL;
	struct sem_set *s;

	if (n <= 0)
		return n;
	if (!values)
		return -ENOMEM;
	if (mc_copy_from_user(values, from, (size_t)n * sizeof(*values)))
		return -EFAULT;
	for (long i = 0; i < n; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	guard(&sem_table.lock);
	s = find_same(id, 0222, n);
	if (IS_ERR(s))
		return PTR_ERR(s);
	for (long i = 0; i < n; i++) {
		s->sem[i].value = values[i];
		s->sem[i].pid = current->proc->pid;
	}
	sem_undo_clear(s, 0, s->n);
	changed(s);
	return 0;
}

static long stat_set(int id, int cmd, uaddr_t to)
{
	struct semid64_ds d = { 0 };
	struct sem_set *s;
	long ret;

	mutex_lock(&sem_table.lock);
	s = (struct sem_set *)(cmd == IPC_STAT ? ipc_find(&sem_table, id) : ipc_at(&sem_table, id));
	ret = IS_ERR(s) ? PTR_ERR(s) : 0;
	if (!ret && cmd != SEM_STAT_ANY && !ipc_allowed(&s->ipc, 0444))
		ret = -EACCES;
	if (!ret) {
		d.sem_perm = ipc_shown_perm(&s->ipc);
		d.sem_otime = s->otime;
		d.sem_ctime = s->ipc.ctime;
		d.sem_nsems = s->n;
		ret = cmd == IPC_STAT ? 0 : s->ipc.id;
	}
	mutex_unlock(&sem_table.lock);
	if (ret >= 0 && mc_copy_to_user(to, &d, sizeof(d)))
		return -EFAULT;
	return ret;
}

static long change(int id, int cmd, uaddr_t from)
{
	struct semid64_ds d;
	struct sem_set *s;
	long ret = 0;

	if (cmd == IPC_SET && mc_copy_from_user(&d, from, sizeof(d)))
		return -EFAULT;
	mutex_lock(&sem_table.lock);
	s = (struct sem_set *)ipc_find(&sem_table, id);
	if (IS_ERR(s)) {
		ret = PTR_ERR(s);
	} else if (!ipc_owned(&s->ipc)) {
		ret = -EPERM;
	} else if (cmd == IPC_SET) {
		ret = ipc_set_perm(&s->ipc, &d.sem_perm);
	} else {
		ipc_remove(&sem_table, &s->ipc);
	}
	mutex_unlock(&sem_table.lock);
	if (!ret && cmd == IPC_RMID)
		ipc_put(&sem_table, &s->ipc);
	return ret;
}

static long show_info(int cmd, uaddr_t to)
{
	const s64 *limit = ipc_limits.sem;
	struct seminfo i = { .semmni = (int)limit[SEM_LIMIT_MNI], .semmns = (int)limit[SEM_LIMIT_MNS],
			     .semmsl = (int)limit[SEM_LIMIT_MSL], .semopm = (int)limit[SEM_LIMIT_OPM], .semvmx = SEMVMX, .semmnu = SEMMNU, .semmap = SEMMAP,
			     .semume = SEMUME, .semusz = SEMUSZ, .semaem = SEMAEM };
	long highest;

	mutex_lock(&sem_table.lock);
	highest = ipc_highest(&sem_table);
	if (cmd == SEM_INFO) {
		i.semusz = (int)sem_table.used;
		i.semaem = (int)sem_total;
	}
	mutex_unlock(&sem_table.lock);
	return mc_copy_to_user(to, &i, sizeof(i)) ? -EFAULT : highest;
}

long sys_semctl(u64 id_arg, u64 num, u64 cmd_arg, u64 arg)
{
	int cmd = (int)cmd_arg & ~IPC_64, id = (int)id_arg;

	switch (cmd) {
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return get_one(id, (u32)num, cmd);
	case SETVAL:
		return set_one(id, (u32)num, (int)arg);
	case GETALL:
		return get_all(id, arg);
	case SETALL:
		return set_all(id, arg);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return stat_set(id, cmd, arg);
	case IPC_SET:
	case IPC_RMID:
		return change(id, cmd, arg);
	case IPC_INFO:
	case SEM_INFO:
		return show_info(cmd, arg);
	}
	return -EINVAL;
}

void ipc_show_sem(struct seq *m)
{
	guard(&sem_table.lock);

	for (u32 i = 0; i < sem_table.top; i++) {
		struct sem_set *s = (struct sem_set *)sem_table.slot[i];

		if (s && ipc_visible(&s->ipc))
			seq_printf(m, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", s->ipc.perm.key,
				   s->ipc.id, s->ipc.perm.mode, s->n, show_uid(s->ipc.perm.uid), show_gid(s->ipc.perm.gid),
				   show_uid(s->ipc.perm.cuid), show_gid(s->ipc.perm.cgid), s->otime, s->ipc.ctime);
	}
}
