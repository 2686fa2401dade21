/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signalfd(2). What is read are the signals of whoever reads, so readiness belongs to a task, not
 * to the file: pollers wait on a queue that the task's sighand is given at its first look. Queues are never
 * freed: an epoll set may outlive the process that filled it. They are given out in turn, so only those of
 * a thousand processes and more share one. A needless wake-up does no harm, but costs two switches of a process.
 */
#include <asm/poll.h>
#include <linux/signalfd.h>

#include "fs.h"
#include "syscall.h"
#include "task.h"

#define QUEUES 1024
static struct waitq queues[QUEUES] BSS_LARGE;

static struct waitq *queue_nr(u32 nr)
{
	return &queues[nr % QUEUES];
}

static struct waitq *signalfd_queue(struct sighand *s)
{
	static u32 given;
	u32 nr = READ_ONCE(s->signalfd_queue), none = 0;

	if (nr)
		return queue_nr(nr);
	nr = max(__atomic_add_fetch(&given, 1, __ATOMIC_RELAXED), 1u);
	{
		guard(&queue_nr(nr)->lock);
		if (!queue_nr(nr)->waiters.next)
			list_init(&queue_nr(nr)->waiters);
	}
	/* A full barrier: whoever finds none here has made his signal pending before the look at it that follows. */
	if (!__atomic_compare_exchange_n(&s->signalfd_queue, &none, nr, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		nr = none; /* another thread's */
	return queue_nr(nr);
}

void signalfd_wake(struct sighand *s)
{
	u32 nr;

	smp_mb();
	nr = READ_ONCE(s->signalfd_queue);
	if (nr)
		waitq_wake_all(queue_nr(nr), 0);
}

struct signalfd {
	sigmask_t mask; /* signals to read */
};

static void fill_by_code(struct signalfd_siginfo *s, const siginfo_t *i)
{
	switch (i->si_signo) {
	case SIGCHLD:
		s->ssi_pid = (u32)i->si_pid;
		s->ssi_uid = i->si_uid;
		s->ssi_status = i->si_status;
		s->ssi_utime = (u64)i->si_utime;
		s->ssi_stime = (u64)i->si_stime;
		break;
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
		s->ssi_addr = (u64)i->si_addr;
		break;
	case SIGPOLL:
		s->ssi_band = (u32)i->si_band;
		s->ssi_fd = i->si_fd;
		break;
	}
}

static void fill(struct signalfd_siginfo *s, const siginfo_t *i)
{
	memset(s, 0, sizeof(*s));
	s->ssi_signo = (u32)i->si_signo;
	s->ssi_errno = i->si_errno;
	s->ssi_code = i->si_code;
	if (i->si_code > 0 && i->si_code != SI_KERNEL) {
		fill_by_code(s, i);
		return;
	}
	if (i->si_code == SI_TIMER) {
		s->ssi_tid = (u32)i->si_tid;
		s->ssi_overrun = (u32)i->si_overrun;
	} else {
		s->ssi_pid = (u32)i->si_pid;
		s->ssi_uid = i->si_uid;
	}
	if (i->si_code < 0 && i->si_code != SI_TKILL) {
		s->ssi_ptr = (u64)i->si_ptr;
		s->ssi_int = i->si_int;
	}
}

static int take(struct signalfd *s, bool nowait, siginfo_t *info)
{
	struct task *t = current;
	long err;
	int sig;

	while (!(sig = dequeue_signal(READ_ONCE(s->mask), info))) {
		if (nowait)
			return -EAGAIN;
		err = wait_event(signalfd_queue(t->sighand),
				 pending_signals(t) & READ_ONCE(s->mask), MC_FOREVER);
		if (err)
			return (int)err;
	}
	return sig;
}

static s64 signalfd_read(struct file *f, struct uio *u, s64 *pos)
{
	struct signalfd_siginfo out;
	siginfo_t info;
	s64 done = 0, n;
	int sig;

	if (u->resid < sizeof(out))
		return -EINVAL;
	while (u->resid >= sizeof(out)) {
		sig = take(f->priv, u->nowait || done, &info);
		if (sig < 0)
			return done ? done : sig;
		fill(&out, &info);
		n = uio_put(u, &out, sizeof(out));
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;
	struct task *t = current;

	poll_wait(pt, f, signalfd_queue(t->sighand));
	return pending_signals(t) & READ_ONCE(s->mask) ? POLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
};

static int change_mask(int fd, sigmask_t mask)
{
	struct file *f __file = fd_get_io(fd);
	struct signalfd *s;

	if (!f)
		return -EBADF;
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	s = f->priv;
	WRITE_ONCE(s->mask, mask);
	signalfd_wake(current->sighand);
	return fd;
}

long sys_signalfd4(u64 fd, u64 from, u64 size, u64 uflags)
{
	u32 flags = (u32)uflags;
	struct signalfd *s;
	sigmask_t mask;
	struct file *f;

	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK) || size != sizeof(mask))
		return -EINVAL;
	if (mc_copy_from_user(&mask, from, sizeof(mask)))
		return -EFAULT;
	mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	if ((int)fd != -1)
		return change_mask((int)fd, mask);
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = mask;
	f = anon_file("signalfd", &signalfd_ops, O_RDWR | (flags & O_NONBLOCK),
		      FMODE_READ | FMODE_STREAM, 0600, s);
	if (!f) {
		kfree(s);
		return -ENOMEM;
	}
	return fd_install(f, flags & O_CLOEXEC);
}

long sys_signalfd(u64 fd, u64 from, u64 size)
{
	return sys_signalfd4(fd, from, size, 0);
}
