// SPDX-License-Identifier: Apache-2.0
/* unshare(2): what clone(2) may share. There is one namespace of each kind, and no other can be made. */
#include <linux/sched.h>

#include "fs.h"
#include "syscall.h"
#include "task.h"
#include "vfs_impl.h"

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)
#define ALONE (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define KNOWN (NAMESPACES | ALONE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)

static int unshare_fs(void)
{
	struct fs_ctx *old = current->fs, *copy;

	if (ref_read(&old->ref) == 1)
		return 0;
	copy = fs_ctx_copy(old);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&tasklist_lock);
	current->fs = copy;
	mutex_unlock(&tasklist_lock);
	fs_ctx_put(old);
	return 0;
}

long sys_unshare(u64 flags)
{
	int err = 0;

	if (flags & ~(u64)KNOWN)
		return -EINVAL;
	if (flags & NAMESPACES)
		return -EPERM;
	if ((flags & ALONE) && current->proc->nthreads > 1)
		return -EINVAL;
	if (flags & CLONE_FS)
		err = unshare_fs();
	if (!err && (flags & CLONE_FILES))
		err = fdtable_unshare();
	return err;
}
