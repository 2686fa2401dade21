// SPDX-License-Identifier: Apache-2.0
/* From a pid in a path to the process, and whether the caller may look inside. */
#include "proc.h"
#include "user_ns.h"

struct process *proc_find(const struct pseudo_ctx *c, struct task **t)
{
	struct process *p = find_process(c->pid);
	struct task *main;

	if (!p || (c->start && p->start_time != c->start))
		return NULL;
	main = find_task(c->tid ? c->tid : c->pid);
	if (main && main->proc != p)
		main = NULL;
	if (c->tid && !main)
		return NULL;
	*t = main ? main : p->leader;
	return p;
}

/* tasklist_lock held. */
static struct task *find_allowed(const struct pseudo_ctx *c, enum proc_access access)
{
	struct task *t;
	struct process *p = proc_find(c, &t);

	if (!p || !t)
		return ERR_PTR(-ESRCH);
	if (access == PROC_PTRACE && !ptrace_may_access(t, PTRACE_ACCESS_FS))
		return ERR_PTR(-EACCES);
	if (access == PROC_ATTACH && !ptrace_may_attach(t, PTRACE_ACCESS_FS))
		return ERR_PTR(-EACCES);
	return t;
}

struct process *proc_dir_process(const struct file *f)
{
	const struct pseudo_ctx *c = f->inode && f->ops == &dir_file_ops ? pseudo_ctx_of(f->inode) : NULL;
	struct process *p;
	struct task *t;

	if (!c || c->e != &pid_root_entry)
		return NULL;
	guard(&tasklist_lock);
	p = proc_find(c, &t);
	if (!p)
		return ERR_PTR(-ESRCH);
	ref_get(&p->ref);
	return p;
}

int proc_may_access(const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	struct task *t = find_allowed(c, PROC_PTRACE);

	return IS_ERR(t) ? (int)PTR_ERR(t) : 0;
}

struct mm *proc_mm(const struct pseudo_ctx *c, enum proc_access access)
{
	guard(&tasklist_lock);
	struct task *t = find_allowed(c, access);

	if (IS_ERR(t))
		return (void *)t;
	return t->mm ? mm_get(t->mm) : NULL;
}

struct fdtable *proc_files(const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	struct task *t = find_allowed(c, PROC_PTRACE);

	if (IS_ERR(t))
		return (void *)t;
	return t->files ? fdtable_get(t->files) : ERR_PTR(-ENOENT);
}

struct fs_ctx *proc_fs(const struct pseudo_ctx *c, enum proc_access access)
{
	guard(&tasklist_lock);
	struct task *t = find_allowed(c, access);

	if (IS_ERR(t))
		return (void *)t;
	return t->fs ? fs_ctx_get(t->fs) : ERR_PTR(-ENOENT);
}

/*
 * The lock is held over the machine's access to another space: it is what keeps the task. To read one's
 * own memory, the usual case, needs neither.
 */
s64 proc_read_memory(const struct pseudo_ctx *c, struct mm *mm, uaddr_t addr, void *buf, size_t len)
{
	struct task *t;

	if (mm == current->mm)
		return mc_copy_from_user(buf, addr, len) ? -EFAULT : (s64)len;
	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t || t->mm != mm)
		return 0;
	return ptrace_memory(t, addr, buf, len, false);
}

s64 proc_write_memory(const struct pseudo_ctx *c, struct mm *mm, uaddr_t addr, void *buf, size_t len)
{
	struct task *t;

	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t || t->mm != mm)
		return 0;
	return ptrace_memory(t, addr, buf, len, true);
}
