// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/{exe,cwd,root,fd/,fdinfo/,ns/}: links to things rather than to names. And timens_offsets. */
#include "brought.h"
#include "proc.h"
#include "time_ns.h"
#include "user_ns.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "name.h"

static struct file *exe_of(const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);
	struct file *f;

	if (IS_ERR(mm))
		return (void *)mm;
	if (!mm)
		return ERR_PTR(-ENOENT);
	mutex_lock(&mm->lock);
	f = mm->exe ? file_get(mm->exe) : ERR_PTR(-ENOENT);
	mutex_unlock(&mm->lock);
	mm_put(mm);
	return f;
}

static struct file *fd_of(const struct pseudo_ctx *c)
{
	struct fdtable *files = proc_files(c);
	struct file *f;

	if (IS_ERR(files))
		return (void *)files;
	f = fdtable_file(files, c->n);
	fdtable_put(files);
	return f ? f : ERR_PTR(-ENOENT);
}

static int show_file(struct seq *m, struct file *f)
{
	char *text;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	text = file_text(f);
	seq_puts(m, text ? text : "");
	kfree(text);
	file_put(f);
	return 0;
}

static int follow_file(struct file *f, struct path *out)
{
	int err;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	err = file_path(f, out);
	file_put(f);
	return err;
}

int pid_exe(struct seq *m, const struct pseudo_ctx *c)
{
	return show_file(m, exe_of(c));
}

int pid_exe_follow(const struct pseudo_ctx *c, struct path *out)
{
	return follow_file(exe_of(c), out);
}

int pid_fd(struct seq *m, const struct pseudo_ctx *c)
{
	return show_file(m, fd_of(c));
}

int pid_fd_follow(const struct pseudo_ctx *c, struct path *out)
{
	return follow_file(fd_of(c), out);
}

/* ---- cwd, root ---- */

static int copy_path(const struct pseudo_ctx *c, bool root, struct path *out)
{
	struct fs_ctx *fs = proc_fs(c, PROC_PTRACE);
	struct path *from;

	if (IS_ERR(fs))
		return (int)PTR_ERR(fs);
	from = root ? &fs->root : &fs->cwd;
	mutex_lock(&fs->lock);
	path_copy(out, from);
	mutex_unlock(&fs->lock);
	fs_ctx_put(fs);
	return 0;
}

static int show_path(struct seq *m, const struct pseudo_ctx *c, bool root)
{
	struct path p;
	char *text;
	int err = copy_path(c, root, &p);

	if (err)
		return err;
	text = p.inode ? path_text(&p) : kstrdup("/");
	if (!IS_ERR(text) && text) {
		seq_puts(m, text);
		kfree(text);
	} else {
		err = text ? (int)PTR_ERR(text) : -ENOMEM;
	}
	path_put(&p);
	return err;
}

int pid_cwd(struct seq *m, const struct pseudo_ctx *c)
{
	return show_path(m, c, false);
}

int pid_cwd_follow(const struct pseudo_ctx *c, struct path *out)
{
	return copy_path(c, false, out);
}

int pid_root(struct seq *m, const struct pseudo_ctx *c)
{
	return show_path(m, c, true);
}

int pid_root_follow(const struct pseudo_ctx *c, struct path *out)
{
	return copy_path(c, true, out);
}

/* ---- fdinfo ---- */

/* Of files of the host the machine has the position. */
static s64 position_of(const struct file *f)
{
	s64 pos = -ESPIPE;

	if ((f->mode & FMODE_HOST) && f->handle && !(f->mode & FMODE_STREAM))
		pos = host_position(f);
	return pos < 0 ? f->pos : pos;
}

int pid_fdinfo(struct seq *m, const struct pseudo_ctx *c)
{
	struct fdtable *files = proc_files(c);
	struct file *f;
	u32 flags;

	if (IS_ERR(files))
		return (int)PTR_ERR(files);
	f = fdtable_file(files, c->n);
	if (!f) {
		fdtable_put(files);
		return -ENOENT;
	}
	flags = f->flags | (fdtable_cloexec(files, c->n) ? O_CLOEXEC : 0);
	fdtable_put(files);
	seq_printf(m, "pos:\t%ld\nflags:\t0%o\n", position_of(f), flags);
	seq_printf(m, "mnt_id:\t%d\nino:\t%lu\n", f->mnt ? f->mnt->id : 1,
		   f->inode ? f->inode->ino : 0);
	pidfd_show(f, m, proc_pids(c));
	file_put(f);
	return 0;
}

/* ---- ns ---- */

/* Which namespace of a task an entry is. */
enum { PID_OF_CHILDREN = NS_KINDS, TIME_OF_CHILDREN };

static struct ns *pick(const struct task *t, uintptr_t which)
{
	struct ns *pids = t->nsproxy ? t->nsproxy->of[NS_PID] : NULL;

	switch (which) {
	case NS_USER:
		return t->cred ? &t->cred->user_ns->ns : NULL;
	case NS_PID:
		return &task_pid_ns(t)->ns;
	case PID_OF_CHILDREN: /* in one without a first process nobody can be yet */
		return pids && (!pid_ns_of(pids)->parent || pid_ns_of(pids)->reaper) ? pids : NULL;
	case NS_TIME:
		return t->nsproxy ? t->nsproxy->time : NULL;
	case TIME_OF_CHILDREN:
		return t->nsproxy ? t->nsproxy->of[NS_TIME] : NULL;
	default:
		return t->nsproxy ? t->nsproxy->of[which] : NULL;
	}
}

/* With a reference, or ERR_PTR(-ESRCH, -EACCES, -ENOENT). */
static struct ns *ns_of_ctx(const struct pseudo_ctx *c)
{
	struct ns *ns;
	struct task *t;

	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t)
		return ERR_PTR(-ESRCH);
	if (!ptrace_may_access(t, PTRACE_ACCESS_FS))
		return ERR_PTR(-EACCES);
	ns = pick(t, (uintptr_t)c->e->arg);
	return ns ? ns_get(ns) : ERR_PTR(-ENOENT);
}

int pid_ns(struct seq *m, const struct pseudo_ctx *c)
{
	struct ns *ns = ns_of_ctx(c);

	if (IS_ERR(ns))
		return (int)PTR_ERR(ns);
	seq_printf(m, "%s:[%u]", ns_name(ns->kind), ns->inum);
	ns_put(ns);
	return 0;
}

int pid_ns_follow(const struct pseudo_ctx *c, struct path *out)
{
	struct ns *ns = ns_of_ctx(c);

	return IS_ERR(ns) ? (int)PTR_ERR(ns) : ns_path(ns, out);
}

/* ---- timens_offsets ---- */

static struct time_ns *time_ns_of_ctx(const struct pseudo_ctx *c)
{
	struct task *t;

	guard(&tasklist_lock);
	if (!proc_find(c, &t) || !t || !t->nsproxy)
		return ERR_PTR(-ESRCH);
	return time_ns_of(ns_get(t->nsproxy->of[NS_TIME]));
}

int pid_timens_offsets(struct seq *m, const struct pseudo_ctx *c)
{
	struct time_ns *ns = time_ns_of_ctx(c);

	if (IS_ERR(ns))
		return (int)PTR_ERR(ns);
	time_offsets_show(m, ns);
	ns_put(&ns->ns);
	return 0;
}

s64 pid_timens_offsets_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	struct time_ns *ns;
	int err;

	if (len >= PAGE_SIZE)
		return -EINVAL;
	ns = time_ns_of_ctx(c);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	err = time_offsets_write(ns, text, &len);
	ns_put(&ns->ns);
	return err ? err : (s64)len;
}

#define NS(n, which) PSEUDO_LINK(n, .show = pid_ns, .follow = pid_ns_follow, .arg = (void *)(uintptr_t)(which))
const struct pseudo_entry ns_entries[] = {
	NS("cgroup", NS_CGROUP),
	NS("ipc", NS_IPC),
	NS("mnt", NS_MNT),
	NS("net", NS_NET),
	NS("pid", NS_PID),
	NS("pid_for_children", PID_OF_CHILDREN),
	NS("time", NS_TIME),
	NS("time_for_children", TIME_OF_CHILDREN),
	NS("user", NS_USER),
	NS("uts", NS_UTS),
	{ 0 },
};
