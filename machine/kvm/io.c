// SPDX-License-Identifier: Apache-2.0
/*
 * The data plane: one exit for each transfer. The hypervisor is told the pages, which are held meanwhile: it reads and
 * writes guest memory directly.
 */
#include <asm/poll.h>
#include <linux/socket.h>

#include "kvm_impl.h"

#define MSG_DONTWAIT 0x40

struct transfer {
	u32 call, handle, flags;
	s64 off;
	bool to_user;
	void *addr;
	u32 *addr_len;
	bool wait;  /* what would block is to be told of */
	bool armed; /* it will be */
};

static u32 events_of(const struct transfer *t) { return t->to_user ? POLLIN : POLLOUT; }

struct cursor {
	const struct mc_iovec *iov;
	int n;
	u64 done; /* of the first */
};

static void advance(struct cursor *c, u64 n)
{
	while (n) {
		u64 part = min(n, c->iov->len - c->done);

		c->done += part;
		n -= part;
		if (c->done == c->iov->len) {
			c->iov++;
			c->n--;
			c->done = 0;
		}
	}
}

/* Pages from the cursor on, held. How many segments; *len: their bytes. */
static u32 hold(struct cursor c, bool write, struct kvm_extent *seg, u64 *len)
{
	u32 n = 0;

	*len = 0;
	while (n < KVM_IO_SEGMENTS && c.n > 0) {
		uaddr_t at = c.iov->base + c.done;
		u64 part = min(c.iov->len - c.done, PAGE_SIZE - (at & ~PAGE_MASK)), gpa;

		if (!part) {
			c.iov++;
			c.n--;
			c.done = 0;
			continue;
		}
		gpa = page_hold(self()->space, at, write);
		if (!gpa)
			break;
		seg[n++] = (struct kvm_extent){ gpa + (at & ~PAGE_MASK), part };
		*len += part;
		advance(&c, part);
	}
	return n;
}

static void drop(const struct kvm_extent *seg, u32 n)
{
	while (n-- > 0)
		page_drop(seg[n].gpa & PAGE_MASK);
}

/* *limit: how long to wait at most, if it would block; 0: for ever. */
static s64 make_call(struct transfer *t, const struct kvm_extent *seg, u32 n, u64 *limit)
{
	struct kvm_call *k = call_begin();
	s64 r;

	k->u.io.handle = t->handle;
	k->u.io.flags = t->flags;
	k->u.io.off = t->off;
	k->u.io.n = n;
	k->u.io.addr_len = t->addr ? *t->addr_len : 0;
	k->u.io.arm = t->wait ? events_of(t) : 0;
	memcpy(k->u.io.seg, seg, n * sizeof(*seg));
	r = call_make(t->call);
	t->armed = r == -EAGAIN && k->u.io.arm;
	*limit = t->call != KVM_CALL_IO && r == -EAGAIN ? (u64)k->u.io.off : 0;
	if (r >= 0 && t->addr) {
		memcpy(t->addr, k->u.io.addr, min(*t->addr_len, k->u.io.addr_len));
		*t->addr_len = k->u.io.addr_len;
	}
	return r;
}

/* As much as the segments of one call hold. */
static s64 part(struct transfer *t, struct cursor c, u64 *wanted, u64 *limit)
{
	struct kvm_extent *seg = kmalloc(KVM_IO_SEGMENTS * sizeof(*seg));
	u32 n;
	s64 r;

	*limit = 0;
	if (!seg)
		return -ENOMEM;
	n = hold(c, t->to_user, seg, wanted);
	if (!n && c.n > 0 && c.iov->len)
		r = -EFAULT;
	else
		r = make_call(t, seg, n, limit);
	drop(seg, n);
	kfree(seg);
	return r;
}

static bool iov_ok(const struct mc_iovec *iov, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (iov[i].len && (iov[i].base >= USER_END || iov[i].len > USER_END - iov[i].base))
			return false;
	return true;
}

/* 0: try again; -ETIMEDOUT, -EINTR. */
static int wait_armed(u64 deadline)
{
	return min(sched_park(TOKEN_UNPARK | TOKEN_READY, deadline, true), 0);
}

/* Waits where the call would have blocked, unless it must not. */
static s64 blocking(struct transfer *t, struct cursor c, u64 *wanted)
{
	u64 deadline = MC_FOREVER, limit;
	int ready = 0;
	s64 r;

	for (;;) {
		r = part(t, c, wanted, &limit);
		if (r != -EAGAIN || !t->wait || ready == -ETIMEDOUT)
			return r;
		if (limit && deadline == MC_FOREVER)
			deadline = clock_now() + limit;
		if (!t->armed)
			continue;
		ready = wait_armed(deadline);
		if (ready == -EINTR)
			return ready;
	}
}

static s64 listed(struct transfer *t, struct cursor c, u64 *wanted)
{
	struct ready_wait w;
	s64 r;

	if (!t->wait)
		return blocking(t, c, wanted);
	ready_begin(&w, t->handle);
	r = blocking(t, c, wanted);
	ready_end(&w);
	return r;
}

static s64 transfer(struct transfer *t, const struct mc_iovec *iov, int n, bool wait, bool all)
{
	struct cursor c = { iov, n, 0 };
	s64 done = 0, r;
	u64 wanted;

	if (!iov_ok(iov, n))
		return -EFAULT;
	do {
		t->wait = wait && !done;
		r = listed(t, c, &wanted);
		if (r <= 0)
			break;
		done += r;
		if (t->off >= 0)
			t->off += r;
		if ((u64)r > wanted) /* MSG_TRUNC: the length of a datagram that did not fit */
			break;
		advance(&c, (u64)r);
	} while (all && (u64)r == wanted && c.n > 0);
	return done ? done : r;
}

s64 mc_io(u32 handle, const struct mc_iovec *iov, int n, s64 off, int flags)
{
	struct transfer t = { .call = KVM_CALL_IO, .handle = handle, .flags = (u32)flags, .off = off,
			      .to_user = !(flags & MC_WRITE) };

	return transfer(&t, iov, n, !(flags & MC_NOWAIT), true);
}

s64 mc_send(u32 handle, const struct mc_iovec *iov, int n, int flags)
{
	struct transfer t = { .call = KVM_CALL_SEND, .handle = handle, .flags = (u32)flags, .off = -1 };

	return transfer(&t, iov, n, !(flags & MSG_DONTWAIT), false);
}

s64 mc_recv(u32 handle, const struct mc_iovec *iov, int n, int flags, void *addr, u32 *addr_len)
{
	struct transfer t = { .call = KVM_CALL_RECV, .handle = handle, .flags = (u32)flags, .off = -1, .to_user = true,
			      .addr = addr, .addr_len = addr_len };

	return transfer(&t, iov, n, !(flags & MSG_DONTWAIT), false);
}

/* Kernel memory is the heap, which lies in one piece, or a stack or static data: those go by way of the heap. */
s64 mc_io_kernel(u32 handle, void *buf, size_t len, s64 off, int flags)
{
	struct transfer t = { .call = KVM_CALL_IO, .handle = handle, .flags = (u32)flags, .off = off };
	size_t n = min(len, (size_t)0x100000);
	s64 r = flags & MC_AS_MAPPED ? object_read(handle, buf, len, (u64)off) : -EAGAIN;
	u8 *copy = r < 0 ? kmalloc(n + 1) : NULL;
	struct kvm_extent seg = { (u64)copy - KVM_DIRECT, n };
	u64 limit;

	if (!copy)
		return r < 0 ? -ENOMEM : r;
	if (flags & MC_WRITE)
		memcpy(copy, buf, n);
	while ((r = make_call(&t, &seg, 1, &limit)) == -EAGAIN && !(flags & MC_NOWAIT)) {
		r = ready_wait(handle, flags & MC_WRITE ? POLLOUT : POLLIN, MC_FOREVER);
		if (r < 0)
			break;
	}
	if (r > 0 && !(flags & MC_WRITE))
		memcpy(buf, copy, (size_t)r);
	kfree(copy);
	return r;
}
