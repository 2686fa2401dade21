// SPDX-License-Identifier: Apache-2.0
/* mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2). */
#include "mqueue.h"
#include "pid_ns.h"

#include <asm/poll.h>

#include "cred.h"
#include "ktime.h"
#include "mounts.h"
#include "syscall.h"
#include "task.h"
#include "vfs_impl.h"

#define PRIORITIES 32768u

struct message {
	struct list_head node;
	u32 priority;
	size_t len;
	u8 text[];
};

void mqueue_empty(struct mqueue *q)
{
	struct message *m, *next;

	list_for_each_safe(m, next, &q->messages, node)
		kfree(m);
	if (q->notify)
		process_put(q->notify);
}

/* ---- notification; the queue's lock is held ---- */

static void forget_notify(struct mqueue *q)
{
	if (q->notify)
		process_put(q->notify);
	q->notify = NULL;
}

static void notify(struct mqueue *q)
{
	siginfo_t info;

	if (!q->notify)
		return;
	if (q->notify_how == SIGEV_SIGNAL && q->notify_signal) {
		siginfo_user(&info, q->notify_signal, SI_MESGQ);
		info.si_ptr = (void *)q->notify_value;
		send_signal_process(q->notify, q->notify_signal, &info);
	}
	forget_notify(q);
}

/* ---- the file ---- */

static s64 status_read(struct file *f, struct uio *u, s64 *pos)
{
	struct mqueue *q = f->priv;
	char text[96];
	int len;

	mutex_lock(&q->lock);
	len = snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
		       q->notify ? q->notify_how : 0,
		       q->notify && q->notify_how == SIGEV_SIGNAL ? q->notify_signal : 0,
		       q->notify ? process_nr(q->notify, task_pid_ns(current)) : 0);
	mutex_unlock(&q->lock);
	if (*pos < 0 || *pos >= len)
		return 0;
	len = (int)uio_put(u, text + *pos, min((size_t)(len - *pos), u->resid));
	if (len > 0)
		*pos += len;
	return len;
}

static u32 mqueue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->priv;

	poll_wait(pt, f, &q->wait);
	guard(&q->lock);
	return (q->count ? POLLIN | POLLRDNORM : 0) | (q->count < q->max_count ? POLLOUT | POLLWRNORM : 0);
}

/* Who closes any descriptor of a queue is not notified any more. */
static void mqueue_flush(struct file *f, struct fdtable *owner)
{
	struct mqueue *q = f->priv;

	guard(&q->lock);
	if (q->notify == current->proc)
		forget_notify(q);
}

const struct file_ops mqueue_file_ops = {
	.read = status_read,
	.seek = generic_seek,
	.poll = mqueue_poll,
	.flush = mqueue_flush,
};

/* A descriptor of a queue, opened for mode; NULL: -EBADF. */
static struct file *get_queue(int fd, u32 mode)
{
	struct file *f = fd_get_io(fd);

	if (f && (f->ops != &mqueue_file_ops || (f->mode & mode) != mode)) {
		file_put(f);
		return NULL;
	}
	return f;
}

/* ---- opening, unlinking ---- */

static int check_name(const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return -ENOENT;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return len > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int may_open(const struct inode *i, u32 flags)
{
	static const int wants[] = {
		[O_RDONLY] = MAY_READ,
		[O_WRONLY] = MAY_WRITE,
		[O_RDWR] = MAY_READ | MAY_WRITE,
	};

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return inode_permission((struct inode *)i, wants[flags & O_ACCMODE]);
}

/* The directory's lock is held. */
static int find_or_make(struct inode *dir, const char *name, u32 flags, u32 mode, const struct mq_attr *attr,
			struct inode **out)
{
	int r = dir->ops->lookup(dir, name, strlen(name), out);

	if (!r) {
		r = may_open(*out, flags);
		if (r)
			inode_put(*out);
		return r;
	}
	if (r != -ENOENT || !(flags & O_CREAT))
		return r;
	return mqueue_make(dir, name, strlen(name), mode & ~current->fs->umask, attr, out);
}

static long open_queue(const char *name, u32 flags, u32 mode, const struct mq_attr *attr)
{
	struct inode *dir = mqueue_dir(), *i = NULL;
	struct file *f;
	int r;

	if (!dir)
		return -ENOMEM;
	mutex_lock(&dir->lock);
	r = find_or_make(dir, name, flags, mode, attr, &i);
	mutex_unlock(&dir->lock);
	inode_put(dir);
	if (r)
		return r;
	f = inode_open_file(i, i->mnt, flags & (O_ACCMODE | O_NONBLOCK));
	inode_put(i);
	if (IS_ERR(f))
		return PTR_ERR(f);
	f->name = kasprintf("/%s", name);
	return fd_install(f, true);
}

long sys_mq_open(u64 uname, u64 flags, u64 mode, u64 uattr)
{
	struct mq_attr attr;
	long r = uattr && mc_copy_from_user(&attr, uattr, sizeof(attr)) ? -EFAULT : 0;
	char *name __name = r ? ERR_PTR(r) : getname(uname);

	if (IS_ERR(name))
		return PTR_ERR(name);
	r = check_name(name);
	return r ? r : open_queue(name, (u32)flags, (u32)mode, uattr ? &attr : NULL);
}

static int unlink_queue(struct inode *dir, const char *name)
{
	struct inode *victim;
	int r;

	guard(&dir->lock);
	r = dir->ops->lookup(dir, name, strlen(name), &victim);
	if (r)
		return r;
	r = dir_may_remove(dir, victim);
	if (!r)
		r = dir->ops->unlink(dir, name, strlen(name), false);
	inode_put(victim);
	return r;
}

long sys_mq_unlink(u64 uname)
{
	char *name __name = getname(uname);
	struct inode *dir;
	int r;

	if (IS_ERR(name))
		return PTR_ERR(name);
	r = check_name(name);
	if (r)
		return r;
	dir = mqueue_dir();
	if (!dir)
		return -ENOMEM;
	r = unlink_queue(dir, name);
	inode_put(dir);
	return r;
}

/* ---- sending ---- */

/* 0 none: wait for ever. */
static int get_deadline(uaddr_t timeout, u64 *deadline)
{
	u64 time;
	int r;

	*deadline = MC_FOREVER;
	if (!timeout)
		return 0;
	r = get_timespec(timeout, &time);
	if (!r)
		*deadline = deadline_of(CLOCK_REALTIME, time, true);
	return r;
}

static void insert(struct mqueue *q, struct message *m)
{
	struct message *after;

	list_for_each(after, &q->messages, node)
		if (after->priority < m->priority)
			break;
	list_add_tail(&m->node, &after->node); /* before it, or at the end */
	q->bytes += m->len;
	q->count++;
}

/*
 * Who waits, in the order of coming. A message goes to the first receiver that waits, past the queue; room in the queue
 * is the first sender's. The queue's lock is held.
 */
struct partner {
	struct list_head node;
	struct message *m;
	bool done;
};

static struct partner *first_of(struct list_head *list)
{
	return list_empty(list) ? NULL : list_entry(list->next, struct partner, node);
}

static void serve(struct mqueue *q, struct partner *p, u32 events)
{
	list_del(&p->node);
	__atomic_store_n(&p->done, true, __ATOMIC_RELEASE);
	waitq_wake_all(&q->wait, events);
}

static bool try_send(struct mqueue *q, struct message *m)
{
	struct partner *receiver = first_of(&q->receivers);

	if (receiver) {
		receiver->m = m;
		serve(q, receiver, POLLIN | POLLRDNORM);
		return true;
	}
	if (q->count >= q->max_count)
		return false;
	insert(q, m);
	if (q->count == 1)
		notify(q);
	waitq_wake_all(&q->wait, POLLIN | POLLRDNORM);
	return true;
}

static struct message *try_receive(struct mqueue *q)
{
	struct partner *sender = first_of(&q->senders);
	struct message *m;

	if (list_empty(&q->messages))
		return NULL;
	m = list_entry(q->messages.next, struct message, node);
	list_del(&m->node);
	q->bytes -= m->len;
	q->count--;
	if (sender) {
		insert(q, sender->m);
		serve(q, sender, POLLOUT | POLLWRNORM);
	} else {
		waitq_wake_all(&q->wait, POLLOUT | POLLWRNORM);
	}
	return m;
}

/* p is in one of the queue's lists. 0: it has been served. */
static long wait_for_partner(struct mqueue *q, struct partner *p, u64 deadline)
{
	long r = wait_event(&q->wait, __atomic_load_n(&p->done, __ATOMIC_ACQUIRE), deadline);

	guard(&q->lock);
	if (p->done)
		return 0;
	list_del(&p->node);
	return r;
}

static bool send_or_queue(struct mqueue *q, struct message *m, struct partner *p)
{
	defer_wakes();
	guard(&q->lock);
	inode_touch(&q->i, ATTR_MTIME);
	if (try_send(q, m))
		return true;
	if (p)
		list_add_tail(&p->node, &q->senders);
	return false;
}

static long send(struct file *f, struct message *m, u64 deadline)
{
	struct partner p = {.m = m};
	bool blocks = !(f->flags & O_NONBLOCK);

	if (send_or_queue(f->priv, m, blocks ? &p : NULL))
		return 0;
	return blocks ? wait_for_partner(f->priv, &p, deadline) : -EAGAIN;
}

long sys_mq_timedsend(u64 fd, u64 from, u64 len, u64 priority, u64 timeout)
{
	struct file *f __file = NULL;
	struct message *m;
	u64 deadline;
	long r = get_deadline(timeout, &deadline);

	if (r)
		return r;
	if ((u32)priority >= PRIORITIES)
		return -EINVAL;
	f = get_queue((int)fd, FMODE_WRITE);
	if (!f)
		return -EBADF;
	if (len > ((struct mqueue *)f->priv)->max_size)
		return -EMSGSIZE;
	m = kmalloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->priority = (u32)priority;
	m->len = len;
	r = mc_copy_from_user(m->text, from, len) ? -EFAULT : send(f, m, deadline);
	if (r)
		kfree(m);
	return r;
}

/* ---- receiving ---- */

static struct message *receive_or_queue(struct mqueue *q, struct partner *p)
{
	struct message *m;

	defer_wakes();
	guard(&q->lock);
	inode_touch(&q->i, ATTR_ATIME);
	m = try_receive(q);
	if (!m && p)
		list_add_tail(&p->node, &q->receivers);
	return m;
}

static struct message *receive(struct file *f, u64 deadline)
{
	struct partner p = {};
	bool blocks = !(f->flags & O_NONBLOCK);
	struct message *m = receive_or_queue(f->priv, blocks ? &p : NULL);
	long r;

	if (m)
		return m;
	r = blocks ? wait_for_partner(f->priv, &p, deadline) : -EAGAIN;
	return r ? ERR_PTR(r) : p.m;
}

long sys_mq_timedreceive(u64 fd, u64 to, u64 len, u64 upriority, u64 timeout)
{
	struct file *f __file = NULL;
	struct message *m;
	u64 deadline;
	long r = get_deadline(timeout, &deadline);

	if (r)
		return r;
	f = get_queue((int)fd, FMODE_READ);
	if (!f)
		return -EBADF;
	if (len < ((struct mqueue *)f->priv)->max_size)
		return -EMSGSIZE;
	m = receive(f, deadline);
	if (IS_ERR(m))
		return PTR_ERR(m);
	r = (long)m->len;
	if ((upriority && mc_copy_to_user(upriority, &m->priority, sizeof(m->priority))) ||
	    mc_copy_to_user(to, m->text, m->len))
		r = -EFAULT;
	kfree(m);
	return r;
}

/* ---- mq_notify, mq_getsetattr ---- */

static long set_notify(struct mqueue *q, const struct sigevent *ev)
{
	guard(&q->lock);
	if (!ev) {
		if (q->notify == current->proc)
			forget_notify(q);
		return 0;
	}
	if (q->notify)
		return -EBUSY;
	q->notify = current->proc;
	ref_get(&q->notify->ref);
	q->notify_how = ev->sigev_notify;
	q->notify_signal = ev->sigev_signo;
	q->notify_value = (u64)ev->sigev_value.sival_ptr;
	return 0;
}

long sys_mq_notify(u64 fd, u64 uevent)
{
	struct file *f __file = NULL;
	struct sigevent ev;

	if (uevent) {
		if (mc_copy_from_user(&ev, uevent, sizeof(ev)))
			return -EFAULT;
		/* The C library's SIGEV_THREAD wants the message at a netlink socket, which are the host's. */
		if (ev.sigev_notify == SIGEV_THREAD)
			return -ENOSYS;
		if (ev.sigev_notify != SIGEV_NONE && ev.sigev_notify != SIGEV_SIGNAL)
			return -EINVAL;
		if (ev.sigev_notify == SIGEV_SIGNAL && (u32)ev.sigev_signo > NSIG_MAX)
			return -EINVAL;
	}
	f = get_queue((int)fd, 0);
	return f ? set_notify(f->priv, uevent ? &ev : NULL) : -EBADF;
}

static void get_attr(const struct file *f, struct mq_attr *a)
{
	struct mqueue *q = f->priv;

	*a = (struct mq_attr){.mq_flags = f->flags & O_NONBLOCK, .mq_maxmsg = q->max_count, .mq_msgsize = q->max_size};
	guard(&q->lock);
	a->mq_curmsgs = q->count;
}

long sys_mq_getsetattr(u64 fd, u64 unew, u64 uold)
{
	struct file *f __file = NULL;
	struct mq_attr new, old;

	if (unew && mc_copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	if (unew && (new.mq_flags & ~(long)O_NONBLOCK))
		return -EINVAL;
	f = get_queue((int)fd, 0);
	if (!f)
		return -EBADF;
	get_attr(f, &old);
	if (unew)
		f->flags = (f->flags & ~(u32)O_NONBLOCK) | (u32)new.mq_flags;
	if (uold && mc_copy_to_user(uold, &old, sizeof(old)))
		return -EFAULT;
	return 0;
}
