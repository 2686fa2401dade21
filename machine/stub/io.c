/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data plane: the host's descriptors behind handles. What may block waits first, together with
 * the thread's own wake-up, and then does not block. User memory is reached by way of a buffer.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stub_impl.h"

#define BOUNCE_MAX (1u << 20)

struct bounce {
	u8 *buf;
	size_t len;
};

static bool iov_ok(const struct mc_iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		if (iov[i].len && (iov[i].base >= USER_END || iov[i].len > USER_END - iov[i].base))
			return false;
	}
	return true;
}

static size_t total(const struct mc_iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].len < BOUNCE_MAX ? iov[i].len : BOUNCE_MAX;
	return sum < BOUNCE_MAX ? sum : BOUNCE_MAX;
}

/* Up to len bytes between buf and user memory; what was moved before a fault. */
static size_t move(const struct mc_iovec *iov, int n, u8 *buf, size_t len, bool to_user)
{
	size_t done = 0;

	for (int i = 0; i < n && done < len; i++) {
		size_t want = iov[i].len < len - done ? iov[i].len : len - done;
		size_t got = space_copy(stub_self()->space, iov[i].base, buf + done, want, to_user);

		done += got;
		if (got < want)
			break;
	}
	return done;
}

static bool may_block(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Until fd is ready. 0, -EAGAIN, -EINTR. */
static int await(int fd, short events, bool nowait)
{
	struct pollfd p = {.fd = fd, .events = events};
	int ret;

	if (!may_block(fd))
		return 0;
	do {
		ret = stub_wait(&p, 1, nowait ? 0 : MC_FOREVER, true);
	} while (!ret && !nowait);
	return ret == -ETIMEDOUT || (!ret && nowait) ? -EAGAIN : ret < 0 ? ret : 0;
}

static s64 host_io(int fd, void *buf, size_t len, s64 off, int flags)
{
	struct iovec iov = {buf, len};
	int rwf = flags & MC_APPEND ? RWF_APPEND : 0;
	int ret = await(fd, flags & MC_WRITE ? POLLOUT : POLLIN, flags & MC_NOWAIT);
	ssize_t n;

	if (ret)
		return ret;
	mc_of(stub_self()->task)->host_calls++;
	n = flags & MC_WRITE ? pwritev2(fd, &iov, 1, off, rwf) : preadv2(fd, &iov, 1, off, 0);
	return n < 0 ? -errno : n;
}

s64 mc_io_kernel(u32 handle, void *buf, size_t len, s64 off, int flags)
{
	int fd = stub_fd(handle);

	return fd < 0 ? fd : host_io(fd, buf, len, off, flags);
}

/* Run op on a buffer of the size of iov, and move the bytes to or from the user. */
static s64 with_bounce(const struct mc_iovec *iov, int n, bool write,
		       s64 (*op)(void *ctx, u8 *buf, size_t len), void *ctx)
{
	size_t len = total(iov, n), moved;
	u8 *buf;
	s64 ret;

	if (!iov_ok(iov, n))
		return -EFAULT;
	buf = malloc(len + 1);
	STUB_CHECK(buf);
	if (write) {
		moved = move(iov, n, buf, len, false);
		ret = !moved && len ? -EFAULT : op(ctx, buf, moved);
	} else {
		ret = op(ctx, buf, len);
		if (ret > 0) {
			moved = move(iov, n, buf, (size_t)ret < len ? (size_t)ret : len, true);
			ret = moved ? (ret > (s64)len ? ret : (s64)moved) : -EFAULT;
		}
	}
	free(buf);
	return ret;
}

struct io_args {
	int fd, flags;
	s64 off;
	void *addr;
	u32 *addr_len;
};

static s64 io_op(void *ctx, u8 *buf, size_t len)
{
	struct io_args *a = ctx;

	return host_io(a->fd, buf, len, a->off, a->flags);
}

s64 mc_io(u32 handle, const struct mc_iovec *iov, int n, s64 off, int flags)
{
	struct io_args a = {.fd = stub_fd(handle), .flags = flags, .off = off};

	return a.fd < 0 ? a.fd : with_bounce(iov, n, flags & MC_WRITE, io_op, &a);
}

static s64 send_op(void *ctx, u8 *buf, size_t len)
{
	struct io_args *a = ctx;
	int ret = await(a->fd, POLLOUT, a->flags & MSG_DONTWAIT);
	ssize_t n;

	if (ret)
		return ret;
	n = send(a->fd, buf, len, a->flags | MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

s64 mc_send(u32 handle, const struct mc_iovec *iov, int n, int flags)
{
	struct io_args a = {.fd = stub_fd(handle), .flags = flags};

	return a.fd < 0 ? a.fd : with_bounce(iov, n, true, send_op, &a);
}

static s64 recv_op(void *ctx, u8 *buf, size_t len)
{
	struct io_args *a = ctx;
	socklen_t alen = a->addr ? *a->addr_len : 0;
	int ret = await(a->fd, POLLIN, a->flags & MSG_DONTWAIT);
	ssize_t n;

	if (ret)
		return ret;
	n = recvfrom(a->fd, buf, len, a->flags | MSG_DONTWAIT, a->addr, a->addr ? &alen : NULL);
	if (n >= 0 && a->addr)
		*a->addr_len = alen;
	return n < 0 ? -errno : n;
}

s64 mc_recv(u32 handle, const struct mc_iovec *iov, int n, int flags, void *addr, u32 *addr_len)
{
	struct io_args a = {
		.fd = stub_fd(handle), .flags = flags, .addr = addr, .addr_len = addr_len};

	return a.fd < 0 ? a.fd : with_bounce(iov, n, false, recv_op, &a);
}

s64 mc_seek(u32 handle, s64 off, int whence)
{
	int fd = stub_fd(handle);
	off_t ret = fd < 0 ? fd : lseek(fd, off, whence);

	return fd < 0 ? fd : ret < 0 ? -errno : ret;
}

int mc_fstat(u32 handle, struct stat *st)
{
	int fd = stub_fd(handle);

	return fd < 0 ? fd : fstat(fd, st) ? -errno : 0;
}

/* ---- readiness ---- */

int mc_poll(struct pollfd *fds, int n, u64 deadline)
{
	struct pollfd *host = calloc((size_t)n + 1, sizeof(*host));
	int ret = 0;

	STUB_CHECK(host);
	for (int i = 0; i < n && ret >= 0; i++) {
		ret = stub_fd((u32)fds[i].fd);
		host[i] = (struct pollfd){.fd = ret, .events = fds[i].events};
	}
	if (ret >= 0)
		ret = stub_wait(host, n, deadline, true);
	for (int i = 0; i < n; i++)
		fds[i].revents = host[i].revents;
	free(host);
	return ret == -ETIMEDOUT && !deadline ? 0 : ret;
}

int mc_watch_ctl(u32 watch, int op, u32 handle, u32 events, u64 data)
{
	int wfd = stub_fd(watch), fd = stub_fd(handle);
	struct epoll_event ev = {.events = events, .data.u64 = data};

	if (wfd < 0 || fd < 0)
		return wfd < 0 ? wfd : fd;
	return epoll_ctl(wfd, op, fd, &ev) ? -errno : 0;
}

#define WATCH_BATCH 64

int mc_watch_wait(u32 watch, struct mc_event *out, int max, u64 deadline)
{
	struct epoll_event ev[WATCH_BATCH];
	struct pollfd p = {.fd = stub_fd(watch), .events = POLLIN};
	int ret;

	if (p.fd < 0)
		return p.fd;
	ret = stub_wait(&p, 1, deadline, true);
	if (ret <= 0)
		return ret == -ETIMEDOUT && !deadline ? 0 : ret;
	ret = epoll_wait(p.fd, ev, max < WATCH_BATCH ? max : WATCH_BATCH, 0);
	for (int i = 0; i < ret; i++)
		out[i] = (struct mc_event){.events = ev[i].events, .data = ev[i].data.u64};
	return ret < 0 ? -errno : ret;
}
