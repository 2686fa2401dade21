/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2): a counter. */
#include <asm/poll.h>

#include "fs.h"
#include "syscall.h"
#include "task.h"
#include "vfs_impl.h"

#define EFD_SEMAPHORE 1u
#define EFD_CLOEXEC O_CLOEXEC
#define EFD_NONBLOCK O_NONBLOCK

struct eventfd {
	struct mutex lock;
	u64 count;
	bool semaphore;
	struct waitq wait;
};

/* Take the value of a read; 0: none. */
static u64 eventfd_take(struct eventfd *e)
{
	u64 value;

	guard(&e->lock);
	value = e->semaphore ? e->count != 0 : e->count;
	e->count -= value;
	return value;
}

static bool eventfd_add(struct eventfd *e, u64 value)
{
	guard(&e->lock);
	if (~0ULL - e->count <= value)
		return false;
	e->count += value;
	return true;
}

static s64 eventfd_read(struct file *f, struct uio *u, s64 *pos)
{
	struct eventfd *e = f->priv;
	u64 value;
	long err;

	if (u->resid < sizeof(value))
		return -EINVAL;
	while (!(value = eventfd_take(e))) {
		if (u->nowait)
			return -EAGAIN;
		err = wait_event(&e->wait, READ_ONCE(e->count) != 0, MC_FOREVER);
		if (err)
			return err;
	}
	waitq_wake_all(&e->wait, POLLOUT);
	return uio_put(u, &value, sizeof(value));
}

static s64 eventfd_write(struct file *f, struct uio *u, s64 *pos)
{
	struct eventfd *e = f->priv;
	u64 value;
	s64 n;
	long err;

	if (u->resid < sizeof(value))
		return -EINVAL;
	n = uio_get(u, &value, sizeof(value));
	if (n != sizeof(value))
		return -EFAULT;
	if (value == ~0ULL)
		return -EINVAL;
	while (!eventfd_add(e, value)) {
		if (u->nowait)
			return -EAGAIN;
		err = wait_event(&e->wait, ~0ULL - READ_ONCE(e->count) > value, MC_FOREVER);
		if (err)
			return err;
	}
	waitq_wake_all(&e->wait, POLLIN);
	return sizeof(value);
}

void eventfd_signal(struct file *f)
{
	struct eventfd *e = f->priv;

	eventfd_add(e, 1); /* no more than it can hold */
	waitq_wake_all(&e->wait, POLLIN);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;

	poll_wait(pt, f, &e->wait);
	count = __atomic_load_n(&e->count, __ATOMIC_ACQUIRE);
	if (count == ~0ULL)
		return POLLERR;
	return (count ? POLLIN : 0) | (count < ~0ULL - 1 ? POLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

bool file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

long sys_eventfd2(u64 count, u64 uflags)
{
	u32 flags = uflags;
	struct eventfd *e;
	struct file *f;

	if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->count = (u32)count;
	e->semaphore = flags & EFD_SEMAPHORE;
	waitq_init(&e->wait);
	f = anon_file("eventfd", &eventfd_ops, O_RDWR | (flags & O_NONBLOCK),
		      FMODE_READ | FMODE_WRITE | FMODE_STREAM, 0600, e);
	if (!f) {
		kfree(e);
		return -ENOMEM;
	}
	return fd_install(f, flags & O_CLOEXEC);
}

long sys_eventfd(u64 count)
{
	return sys_eventfd2(count, 0);
}
