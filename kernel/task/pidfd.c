// SPDX-License-Identifier: Apache-2.0
/* pidfd_open(2) and its kin: a process as a file. It keeps the process structure, not the process. */
#include <asm/poll.h>
#include <linux/pidfd.h>

#include "fs.h"
#include "internal.h"
#include "pid_ns.h"
#include "seq.h"
#include "syscall.h"
#include "user_ns.h"

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->priv;

	poll_wait(pt, f, &p->pidfd_wait);
	return READ_ONCE(p->state) >= TASK_ZOMBIE ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *f) { process_put(f->priv); }

static const struct file_ops pidfd_ops = { .poll = pidfd_poll, .release = pidfd_release };

/* Takes over a reference to p. A descriptor, or -errno. */
int pidfd_new(struct process *p, u32 flags)
{
	struct file *f = anon_file("[pidfd]", &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), FMODE_STREAM, 0600, p);

	if (!f) {
		process_put(p);
		return -ENOMEM;
	}
	return fd_install(f, true);
}

/* pidfd_open(2), in fdinfo: -1 once it is gone, 0 where it cannot be seen. */
void pidfd_show(struct file *f, struct seq *m, const struct pid_ns *pids)
{
	struct process *p = f->priv;

	if (f->ops != &pidfd_ops)
		return;
	guard(&tasklist_lock);
	if (p->state == TASK_DEAD) {
		seq_puts(m, "Pid:\t-1\nNSpid:\t-1\n");
		return;
	}
	seq_printf(m, "Pid:\t%d\nNSpid:\t%d", process_nr(p, pids), process_nr(p, pids));
	for (int level = pids->level; p->numbers && level < p->numbers->ns->level; level++)
		seq_printf(m, "\t%d", p->numbers->at[level].nr);
	seq_putc(m, '\n');
}

struct process *pidfd_process(int fd)
{
	struct file *f = fd_get(fd);
	struct process *p = ERR_PTR(-EBADF);

	if (f && f->ops == &pidfd_ops) {
		p = f->priv;
		ref_get(&p->ref);
	}
	file_put(f);
	return p;
}

long sys_pidfd_open(u64 pid, u64 flags)
{
	struct process *p;

	if ((u32)flags & ~(u32)O_NONBLOCK || (int)pid <= 0)
		return -EINVAL;
	p = process_vget((int)pid);
	return p ? pidfd_new(p, (u32)flags) : -ESRCH;
}

/* What pidfd_send_signal takes: /proc/PID, too. */
static struct process *signal_process(int fd)
{
	struct file *f __file = fd_get_io(fd);
	struct process *p = f ? proc_dir_process(f) : NULL;

	return p ? p : pidfd_process(fd);
}

static long send(struct process *p, int sig, siginfo_t *info)
{
	long r;

	guard(&tasklist_lock);
	if (p->state == TASK_DEAD)
		return -ESRCH;
	if (!process_nr(p, task_pid_ns(current)))
		return -EINVAL; /* it is in an outer namespace */
	r = may_signal(p, sig);
	if (!r && sig)
		r = send_signal_process_locked(p, sig, info);
	return r;
}

long sys_pidfd_send_signal(u64 fd, u64 usig, u64 uinfo, u64 flags)
{
	struct process *p;
	siginfo_t info;
	int sig = (int)usig;
	long r = 0;

	if ((u32)flags || sig < 0 || sig > NSIG_MAX)
		return -EINVAL;
	p = signal_process((int)fd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	siginfo_user(&info, sig, SI_USER);
	if (uinfo && mc_copy_from_user(&info, uinfo, sizeof(info)))
		r = -EFAULT;
	else if (uinfo && info.si_signo != sig)
		r = -EINVAL;
	else if (uinfo && p != current->proc && (info.si_code >= 0 || info.si_code == SI_TKILL))
		r = -EPERM;
	if (!r)
		r = send(p, sig, &info);
	process_put(p);
	return r;
}

/* With a reference, or ERR_PTR. */
static struct fdtable *files_of(struct process *p)
{
	guard(&tasklist_lock);
	if (!p->leader || !p->leader->files)
		return ERR_PTR(-ESRCH);
	if (!ptrace_may_attach(p->leader, PTRACE_ACCESS_REAL))
		return ERR_PTR(-EPERM);
	return fdtable_get(p->leader->files);
}

static struct file *file_of(struct process *p, int fd)
{
	struct fdtable *files = files_of(p);
	struct file *f;

	if (IS_ERR(files))
		return ERR_PTR(PTR_ERR(files));
	f = fdtable_file(files, fd);
	fdtable_put(files);
	return f ? f : ERR_PTR(-EBADF);
}

long sys_pidfd_getfd(u64 pidfd, u64 fd, u64 flags)
{
	struct process *p;
	struct file *f;

	if ((u32)flags)
		return -EINVAL;
	p = pidfd_process((int)pidfd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	f = file_of(p, (int)fd);
	process_put(p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	return fd_install(f, true);
}
