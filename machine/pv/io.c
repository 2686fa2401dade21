// SPDX-License-Identifier: Apache-2.0
/* The data plane: donated descriptors are read, written and polled by host call, without the hypervisor. */
#include <asm/poll.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>
#include <linux/time_types.h>

#include "hostcall.h"

#define MSG_DONTWAIT 0x40
#define MSG_MORE 0x8000
#define MSG_NOSIGNAL 0x4000

/* No message of a socket is longer: those of unix sockets are as long as its send buffer, net.core.wmem_max by default. */
#define RECV_MAX (512u << 10)

static bool iov_ok(const struct mc_iovec *iov, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (iov[i].len && (iov[i].base >= USER_END || iov[i].len > USER_END - iov[i].base))
			return false;
	return true;
}

static s64 vector_io(int fd, const struct mc_iovec *iov, int n, s64 off, int flags)
{
	int rwf = (flags & MC_NOWAIT ? RWF_NOWAIT : 0) | (flags & MC_APPEND ? RWF_APPEND : 0);

	if (flags & MC_WRITE)
		return hostcall_intr(pwritev2, fd, iov, n, off, off >> 63, rwf);
	return hostcall_intr(preadv2, fd, iov, n, off, off >> 63, rwf);
}

static bool ready_now(int fd, int flags)
{
	struct pollfd p = { .fd = fd, .events = flags & MC_WRITE ? POLLOUT : POLLIN };
	struct __kernel_timespec zero = { 0 };

	return hostcall(ppoll, &p, 1, &zero, 0, 0) != 0;
}

/* Nearly all: one piece, no flags. */
static inline s64 one_io(u32 handle, const struct mc_iovec *iov, s64 off, int flags)
{
	int fd = pv_fd(handle);

	if (unlikely(fd < 0))
		return fd;
	if (off != -1)
		return flags ? hostcall_intr(pwrite64, fd, iov->base, iov->len, off) :
			       hostcall_intr(pread64, fd, iov->base, iov->len, off);
	return flags ? hostcall_intr(write, fd, iov->base, iov->len) : hostcall_intr(read, fd, iov->base, iov->len);
}

static s64 do_io(u32 handle, const struct mc_iovec *iov, int n, s64 off, int flags)
{
	int fd;
	s64 r;

	if (likely(n == 1 && !(flags & ~MC_WRITE)))
		return one_io(handle, iov, off, flags);
	fd = pv_fd(handle);
	if (fd < 0)
		return fd;
	r = vector_io(fd, iov, n, off, flags);
	if (r == -EOPNOTSUPP && (flags & MC_NOWAIT)) /* terminals and others that do not know RWF_NOWAIT */
		r = ready_now(fd, flags) ? vector_io(fd, iov, n, off, flags & ~MC_NOWAIT) : -EAGAIN;
	return r;
}

s64 mc_io(u32 handle, const struct mc_iovec *iov, int n, s64 off, int flags)
{
	return iov_ok(iov, n) ? do_io(handle, iov, n, off, flags) : -EFAULT;
}

s64 mc_io_kernel(u32 handle, void *buf, size_t len, s64 off, int flags)
{
	struct mc_iovec iov = { (u64)buf, len };

	return do_io(handle, &iov, 1, off, flags);
}

s64 mc_seek(u32 handle, s64 off, int whence)
{
	int fd = pv_fd(handle);

	return fd < 0 ? fd : hostcall(lseek, fd, off, whence);
}

int mc_fstat(u32 handle, struct stat *st)
{
	int fd = pv_fd(handle);

	return fd < 0 ? fd : (int)hostcall(fstat, fd, st);
}

/* sendmsg is not in the table (it names addresses). Several pieces of one message go by pwritev2. */
static s64 send_vector(int fd, const struct mc_iovec *iov, int n, int flags)
{
	return hostcall_intr(pwritev2, fd, iov, n, -1, -1, flags & MSG_DONTWAIT ? RWF_NOWAIT : 0);
}

static size_t total(const struct mc_iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].len;
	return sum;
}

static int scatter(const struct mc_iovec *iov, const u8 *from, size_t len)
{
	for (; len; iov++) {
		size_t n = min(len, (size_t)iov->len);

		if (n && mc_copy_to_user(iov->base, from, n))
			return -EFAULT;
		from += n;
		len -= n;
	}
	return 0;
}

/*
 * Nor is recvmsg (with the control data of a unix socket descriptors would come in). Several pieces without an address or
 * flags go by preadv2, the others through a buffer of ours.
 */
static s64 recv_vector(int fd, const struct mc_iovec *iov, int n, int flags, void *addr, u32 *addr_len)
{
	size_t room = min(total(iov, n), (size_t)RECV_MAX);
	u8 *buf;
	s64 r = -EOPNOTSUPP;

	if (!addr && !(flags & ~MSG_DONTWAIT))
		r = hostcall_intr(preadv2, fd, iov, n, -1, -1, flags & MSG_DONTWAIT ? RWF_NOWAIT : 0);
	if (r != -EOPNOTSUPP) /* before Linux 6.4 sockets do not know RWF_NOWAIT */
		return r;
	buf = kmalloc(room + 1);
	if (!buf)
		return -ENOMEM;
	r = hostcall_intr(recvfrom, fd, buf, room, flags, addr, addr_len);
	if (r > 0 && scatter(iov, buf, min((size_t)r, room)))
		r = -EFAULT;
	kfree(buf);
	return r;
}

s64 mc_send(u32 handle, const struct mc_iovec *iov, int n, int flags)
{
	int fd = pv_fd(handle);

	if (fd < 0)
		return fd;
	if (!iov_ok(iov, n))
		return -EFAULT;
	if (n != 1)
		return send_vector(fd, iov, n, flags);
	return hostcall_intr(sendto, fd, iov->base, iov->len, flags | MSG_NOSIGNAL, 0, 0);
}

s64 mc_recv(u32 handle, const struct mc_iovec *iov, int n, int flags, void *addr, u32 *addr_len)
{
	int fd = pv_fd(handle);

	if (fd < 0)
		return fd;
	if (!iov_ok(iov, n))
		return -EFAULT;
	if (n == 1)
		return hostcall_intr(recvfrom, fd, iov->base, iov->len, flags, addr, addr_len);
	return recv_vector(fd, iov, n, flags, addr, addr_len);
}

/* ---- readiness ---- */

static struct __kernel_timespec *relative(u64 deadline, struct __kernel_timespec *ts)
{
	u64 now;

	if (deadline == MC_FOREVER)
		return NULL;
	now = deadline ? mc_clock(1 /* CLOCK_MONOTONIC */) : 0;
	*ts = (struct __kernel_timespec){ 0 };
	if (deadline > now) {
		ts->tv_sec = (s64)((deadline - now) / NSEC_PER_SEC);
		ts->tv_nsec = (s64)((deadline - now) % NSEC_PER_SEC);
	}
	return ts;
}

/* From now to wait_end() an unpark sends a signal. False: unparked already. */
static bool wait_begin(struct pv_thread *t)
{
	u32 none = TOKEN_NONE;

	return __atomic_compare_exchange_n(&t->token, &none, TOKEN_HOST, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The wait's result: an end by unpark is 0, one by a kick -EINTR, one by the deadline -ETIMEDOUT. */
static int wait_end(struct pv_thread *t, long r)
{
	u32 old = __atomic_exchange_n(&t->token, TOKEN_NONE, __ATOMIC_SEQ_CST);

	if (r == -EINTR)
		return old != TOKEN_SET && t->work ? -EINTR : 0;
	return r || old == TOKEN_SET ? (int)r : -ETIMEDOUT;
}

static int poll_now(struct pollfd *fds, int n)
{
	struct __kernel_timespec zero = { 0 };

	return (int)hostcall(ppoll, fds, n, &zero, 0, 0);
}

static int do_poll(struct pollfd *fds, int n, u64 deadline)
{
	struct pv_thread *t = pv_self();
	struct __kernel_timespec ts;
	long r = -EINTR;

	if (deadline == 0)
		return poll_now(fds, n);
	if (wait_begin(t))
		r = hostcall_wait(ppoll, fds, n, relative(deadline, &ts), 0, 0);
	return wait_end(t, r);
}

int mc_poll(struct pollfd *fds, int n, u64 deadline)
{
	int i, r = 0;

	for (i = 0; i < n && r >= 0; i++) {
		r = pv_fd((u32)fds[i].fd);
		if (r >= 0)
			fds[i].fd = r;
	}
	if (r >= 0)
		r = do_poll(fds, n, deadline);
	while (i-- > 0)
		if (fds[i].fd >= KFD_DONATED)
			fds[i].fd -= KFD_DONATED;
	return r;
}

int mc_watch_ctl(u32 watch, int op, u32 handle, u32 events, u64 data)
{
	int wfd = pv_fd(watch), fd = pv_fd(handle);
	struct epoll_event ev = { .events = events, .data = data };

	if (wfd < 0 || fd < 0)
		return wfd < 0 ? wfd : fd;
	return (int)hostcall(epoll_ctl, wfd, op, fd, &ev);
}

#define WATCH_BATCH 64

int mc_watch_wait(u32 watch, struct mc_event *out, int max, u64 deadline)
{
	struct pv_thread *t = pv_self();
	struct epoll_event ev[WATCH_BATCH];
	struct __kernel_timespec ts = { 0 };
	int wfd = pv_fd(watch), i;
	long r = -EINTR;

	if (wfd < 0)
		return wfd;
	if (max > WATCH_BATCH)
		max = WATCH_BATCH;
	if (!deadline) {
		r = hostcall(epoll_pwait2, wfd, ev, max, &ts, 0, 0);
	} else {
		if (wait_begin(t))
			r = hostcall_wait(epoll_pwait2, wfd, ev, max, relative(deadline, &ts), 0, 0);
		r = wait_end(t, r);
	}
	for (i = 0; i < r; i++)
		out[i] = (struct mc_event){ .events = ev[i].events, .data = ev[i].data };
	return (int)r;
}
