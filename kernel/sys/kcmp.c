// SPDX-License-Identifier: Apache-2.0
/* kcmp(2): do two tasks share an object? */
#include "syscall.h"

#include <linux/kcmp.h>

#include "cred.h"
#include "fs.h"
#include "task.h"

static long order(const void *a, const void *b)
{
	return a == b ? 0 : a < b ? 1 : 2;
}

static bool may_look(struct task *t)
{
	return t->cred->uid == current->cred->uid || capable(CAP_SYS_PTRACE);
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
	case KCMP_IO:
	case KCMP_SYSVSEM:
		return order(a->proc, b->proc);
	}
	return -EINVAL;
}

static long compare_files(struct task *a, struct task *b, int fd1, int fd2)
{
	struct file *f1 __file = fd_get_of(a, fd1);
	struct file *f2 __file = fd_get_of(b, fd2);

	return f1 && f2 ? order(f1, f2) : -EBADF;
}

long sys_kcmp(u64 tid1, u64 tid2, u64 type, u64 idx1, u64 idx2)
{
	struct task *a, *b;
	long ret;

	mutex_lock(&tasklist_lock);
	a = find_task((int)tid1);
	b = find_task((int)tid2);
	if (!a || !b)
		ret = -ESRCH;
	else
		ret = may_look(a) && may_look(b) ? compare(a, b, (int)type) : -EPERM;
	mutex_unlock(&tasklist_lock);
	if ((int)type != KCMP_FILE || ret != -EINVAL)
		return ret;
	return compare_files(a, b, (int)idx1, (int)idx2);
}
