// SPDX-License-Identifier: Apache-2.0
/* kcmp(2): do two tasks share an object? */
#include "syscall.h"

#include <linux/kcmp.h>

#include "fs.h"
#include "pid_ns.h"
#include "user_ns.h"

static long order(const void *a, const void *b)
{
	return a == b ? 0 : a < b ? 1 : 2;
}

static bool may_look(struct task *t)
{
	return ptrace_may_access(t, PTRACE_ACCESS_REAL);
}

static long compare(struct task *a, struct task *b, int type)
{
	switch (type) {
	case KCMP_VM:
		return order(a->mm, b->mm);
	case KCMP_FILES:
		return order(a->files, b->files);
	case KCMP_FS:
		return order(a->fs, b->fs);
	case KCMP_SIGHAND:
		return order(a->sighand, b->sighand);
	case KCMP_IO: /* who never asked for a priority has no context */
		return order(a->sched.ioprio ? a : NULL, b->sched.ioprio ? b : NULL);
	case KCMP_SYSVSEM: /* who never undid has no list: that is equal */
		return order(a->proc->sem_undos.next ? a->proc : NULL, b->proc->sem_undos.next ? b->proc : NULL);
	}
	return -EINVAL;
}

/* Descriptors idx1 of one table and idx2 of the other; NULL: a task that has exited. */
static long compare_files(struct fdtable *a, struct fdtable *b, int idx1, int idx2)
{
	struct file *f1 __file = a ? fdtable_file(a, idx1) : NULL;
	struct file *f2 __file = b ? fdtable_file(b, idx2) : NULL;

	return f1 && f2 ? order(f1, f2) : -EBADF;
}

static struct fdtable *table_of(struct task *t)
{
	return t->files ? fdtable_get(t->files) : NULL;
}

long sys_kcmp(u64 tid1, u64 tid2, u64 type, u64 idx1, u64 idx2)
{
	struct fdtable *files1 = NULL, *files2 = NULL;
	struct task *a, *b;
	long ret = -ESRCH;

	mutex_lock(&tasklist_lock);
	a = find_vtask((int)tid1);
	b = find_vtask((int)tid2);
	if (a && b)
		ret = may_look(a) && may_look(b) ? compare(a, b, (int)type) : -EPERM;
	if (ret == -EINVAL && (int)type == KCMP_FILE) {
		files1 = table_of(a);
		files2 = table_of(b);
	}
	mutex_unlock(&tasklist_lock);
	if (ret == -EINVAL && (int)type == KCMP_FILE)
		ret = compare_files(files1, files2, (int)idx1, (int)idx2);
	if (files1)
		fdtable_put(files1);
	if (files2)
		fdtable_put(files2);
	return ret;
}
