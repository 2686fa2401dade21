// SPDX-License-Identifier: Apache-2.0
/*
 * The calls of a vCPU (abi/kvm.h). The call page is guest-writable: what decides is copied once. A guest can name its
 * own memory and its handles, nothing else.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "kvm/kvm_impl.h"

#define MC_WRITE 1u /* machine.h */
#define MC_APPEND 4u
#define SENDRECV_FLAGS (MSG_PEEK | MSG_OOB | MSG_TRUNC | MSG_MORE | MSG_EOR | MSG_CTRUNC | MSG_DONTROUTE | MSG_CONFIRM)

/* What leaves the hypervisor at all: see donate_decode() in call/file.c. 0, or -errno as there. */
static int usable(struct pv_handle *h)
{
	if (!h)
		return -EBADF;
	if (h->kind == HANDLE_PATH)
		return -EBADF;
	return h->kind == HANDLE_DIR ? -EISDIR : h->kind == HANDLE_NETLINK ? -ENODEV : 0;
}

static struct pv_handle *take(struct vcpu *c, u32 id, s64 *ret)
{
	struct pv_handle *h = id < MAX_HANDLES ? handle_get(&c->guest->server->handles, id) : NULL;

	*ret = usable(h);
	if (*ret && h) {
		handle_put(h);
		h = NULL;
	}
	return h;
}

/* ---- data ---- */

struct io {
	u32 handle, flags, n, addr_len, arm;
	s64 off;
	struct iovec iov[KVM_IO_SEGMENTS];
};

/* The segments, as they are mapped here. False: the guest names what it has not. */
static bool decode_io(struct vcpu *c, struct io *io)
{
	const struct kvm_call *k = c->call;

	fetch(&io->handle, &k->u.io.handle, sizeof(io->handle));
	fetch(&io->flags, &k->u.io.flags, sizeof(io->flags));
	fetch(&io->n, &k->u.io.n, sizeof(io->n));
	fetch(&io->addr_len, &k->u.io.addr_len, sizeof(io->addr_len));
	fetch(&io->arm, &k->u.io.arm, sizeof(io->arm));
	fetch(&io->off, &k->u.io.off, sizeof(io->off));
	if (io->n > KVM_IO_SEGMENTS)
		return false;
	for (u32 i = 0; i < io->n; i++) {
		struct kvm_extent s;

		fetch(&s, &k->u.io.seg[i], sizeof(s));
		io->iov[i] = (struct iovec){ memory_at(c->guest, s.gpa, s.len), s.len };
		if (!io->iov[i].iov_base)
			return false;
	}
	return true;
}

static bool waits(const struct pv_handle *h)
{
	return h->kind == HANDLE_STREAM || h->kind == HANDLE_CHARDEV;
}

/* What can't be told not to wait is looked at first. */
static s64 do_rw(struct pv_handle *h, const struct io *io)
{
	int flags = h->kind == HANDLE_FILE || h->kind == HANDLE_MEMFD || h->kind == HANDLE_BLOCKDEV ? 0 : RWF_NOWAIT;
	struct pollfd p = { .fd = h->fd, .events = io->flags & MC_WRITE ? POLLOUT : POLLIN };
	ssize_t n;

	for (;;) {
		if (io->flags & MC_WRITE)
			n = pwritev2(h->fd, io->iov, (int)io->n, io->off, flags | (io->flags & MC_APPEND ? RWF_APPEND : 0));
		else
			n = preadv2(h->fd, io->iov, (int)io->n, io->off, flags);
		if (n >= 0 || errno != EOPNOTSUPP || !flags)
			return n < 0 ? -errno : n;
		flags = 0;
		if (waits(h) && poll(&p, 1, 0) == 0)
			return -EAGAIN;
	}
}

/* To be waited for by the guest: how long at most. */
static s64 would_block(struct vcpu *c, struct pv_handle *h, int option)
{
	struct timeval tv = { 0 };
	socklen_t len = sizeof(tv);

	getsockopt(h->fd, SOL_SOCKET, option, &tv, &len);
	c->call->u.io.off = (s64)tv.tv_sec * 1000000000 + (s64)tv.tv_usec * 1000;
	return -EAGAIN;
}

static s64 do_send(struct vcpu *c, struct pv_handle *h, const struct io *io)
{
	struct msghdr m = { .msg_iov = (struct iovec *)io->iov, .msg_iovlen = io->n };
	ssize_t n = sendmsg(h->fd, &m, (int)(io->flags & SENDRECV_FLAGS) | MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return would_block(c, h, SO_SNDTIMEO);
	return n < 0 ? -errno : n;
}

/* After shutdown() a call that may wait ends; a datagram socket tells one that may not to come again. */
static bool will_not_come(const struct pv_handle *h, const struct io *io)
{
	struct pollfd p = { .fd = h->fd, .events = POLLRDHUP };

	return !(io->flags & MSG_DONTWAIT) && poll(&p, 1, 0) == 1 && p.revents & POLLRDHUP;
}

static s64 do_recv(struct vcpu *c, struct pv_handle *h, const struct io *io)
{
	struct sockaddr_storage addr = { 0 };
	struct msghdr m = { .msg_iov = (struct iovec *)io->iov, .msg_iovlen = io->n, .msg_name = &addr,
			    .msg_namelen = sizeof(addr) };
	ssize_t n = recvmsg(h->fd, &m, (int)(io->flags & SENDRECV_FLAGS) | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0 && io->addr_len) {
		memcpy(c->call->u.io.addr, &addr, m.msg_namelen < sizeof(addr) ? m.msg_namelen : sizeof(addr));
		c->call->u.io.addr_len = m.msg_namelen;
	}
	if (n < 0 && errno == EAGAIN)
		return will_not_come(h, io) ? 0 : would_block(c, h, SO_RCVTIMEO);
	return n < 0 ? -errno : n;
}

/* The guest will wait: for what is not ready now, it is told. */
static void arm_io(struct vcpu *c, const struct pv_handle *h, const struct io *io)
{
	struct pollfd p = { .fd = h->fd, .events = (short)io->arm };

	if (!io->arm || poll(&p, 1, 0) || ready_arm(c->guest, io->handle, h->fd, io->arm))
		c->call->u.io.arm = 0;
}

static bool call_io(struct vcpu *c, u32 nr, s64 *ret)
{
	struct io io;
	struct pv_handle *h;

	if (!decode_io(c, &io))
		return false;
	h = take(c, io.handle, ret);
	if (!h)
		return true;
	if (nr == KVM_CALL_IO)
		*ret = do_rw(h, &io);
	else
		*ret = nr == KVM_CALL_SEND ? do_send(c, h, &io) : do_recv(c, h, &io);
	if (*ret == -EAGAIN)
		arm_io(c, h, &io);
	handle_put(h);
	return true;
}

static bool call_position(struct vcpu *c, u32 nr, s64 *ret)
{
	struct kvm_call *k = c->call;
	u32 id, whence;
	struct stat st;
	s64 off;
	struct pv_handle *h;

	fetch(&id, &k->u.seek.handle, sizeof(id));
	fetch(&whence, &k->u.seek.whence, sizeof(whence));
	fetch(&off, &k->u.seek.off, sizeof(off));
	h = take(c, id, ret);
	if (!h)
		return true;
	if (nr == KVM_CALL_SEEK)
		*ret = lseek(h->fd, off, (int)whence);
	else
		*ret = fstat(h->fd, &st);
	if (*ret < 0)
		*ret = -errno;
	else if (nr == KVM_CALL_FSTAT)
		memcpy(k->u.stat, &st, sizeof(st));
	handle_put(h);
	return true;
}

/* ---- readiness ---- */

static int look(struct vcpu *c, struct kvm_poll *p, bool arm)
{
	s64 bad;
	struct pv_handle *h = take(c, p->handle, &bad);
	struct pollfd pfd = { .events = (short)p->events };

	if (!h) {
		p->revents = POLLNVAL;
		return 1;
	}
	pfd.fd = h->fd;
	if (poll(&pfd, 1, 0) < 0)
		pfd.revents = POLLERR;
	if (!pfd.revents && arm && ready_arm(c->guest, p->handle, h->fd, p->events))
		pfd.revents = POLLERR;
	p->revents = (u16)pfd.revents;
	handle_put(h);
	return pfd.revents != 0;
}

static bool call_poll(struct vcpu *c, s64 *ret)
{
	struct kvm_call *k = c->call;
	struct kvm_poll p;
	u32 n, arm;

	fetch(&n, &k->u.poll.n, sizeof(n));
	fetch(&arm, &k->u.poll.arm, sizeof(arm));
	if (n > KVM_POLL_MAX)
		return false;
	*ret = 0;
	for (u32 i = 0; i < n; i++) {
		fetch(&p, &k->u.poll.fds[i], sizeof(p));
		*ret += look(c, &p, arm && !*ret);
		k->u.poll.fds[i].revents = p.revents;
	}
	return true;
}

static struct pv_handle *take_watch(struct vcpu *c, u32 id, s64 *ret)
{
	struct pv_handle *h = take(c, id, ret);

	if (!h || h->kind == HANDLE_WATCH)
		return h;
	handle_put(h);
	*ret = -EINVAL;
	return NULL;
}

static bool call_watch(struct vcpu *c, s64 *ret)
{
	struct kvm_call *k = c->call;
	struct epoll_event ev;
	struct pv_handle *w, *h;
	u32 watch, handle, op, events;

	fetch(&watch, &k->u.watch.watch, sizeof(watch));
	fetch(&handle, &k->u.watch.handle, sizeof(handle));
	fetch(&op, &k->u.watch.op, sizeof(op));
	fetch(&events, &k->u.watch.events, sizeof(events));
	ev.events = events;
	fetch(&ev.data.u64, &k->u.watch.data, sizeof(ev.data.u64));
	w = take_watch(c, watch, ret);
	if (!w)
		return true;
	h = take(c, handle, ret);
	if (h) {
		*ret = epoll_ctl(w->fd, (int)op, h->fd, &ev) ? -errno : 0;
		handle_put(h);
	}
	handle_put(w);
	return true;
}

static bool call_events(struct vcpu *c, s64 *ret)
{
	struct epoll_event ev[KVM_EVENTS_MAX];
	struct kvm_call *k = c->call;
	struct pv_handle *w;
	u32 watch, arm;
	u64 max;

	fetch(&watch, &k->u.watch.watch, sizeof(watch));
	fetch(&arm, &k->u.watch.op, sizeof(arm));
	fetch(&max, &k->u.watch.arg, sizeof(max));
	w = take_watch(c, watch, ret);
	if (!w)
		return true;
	*ret = epoll_wait(w->fd, ev, max && max < KVM_EVENTS_MAX ? (int)max : KVM_EVENTS_MAX, 0);
	if (*ret < 0)
		*ret = -errno;
	if (!*ret && arm == 1)
		*ret = ready_arm(c->guest, watch, w->fd, POLLIN);
	for (s64 i = 0; i < *ret; i++) {
		k->u.events[i].events = ev[i].events;
		k->u.events[i].data = ev[i].data.u64;
	}
	handle_put(w);
	return true;
}

/* ---- the window ---- */

static void answer_map(struct kvm_call *k, const struct window_place *p)
{
	k->u.map.flags = p->write ? KVM_MAP_WRITE : 0;
	k->u.map.gpa = KVM_WINDOW_GPA + p->off;
	k->u.map.off = p->file_off;
	k->u.map.len = p->len;
	k->u.map.size = p->pages;
}

static bool call_map(struct vcpu *c, s64 *ret)
{
	struct kvm_call *k = c->call;
	struct window_place p = { 0 };
	struct pv_handle *h;
	u32 id, flags;

	fetch(&id, &k->u.map.handle, sizeof(id));
	fetch(&flags, &k->u.map.flags, sizeof(flags));
	fetch(&p.file_off, &k->u.map.off, sizeof(p.file_off));
	fetch(&p.len, &k->u.map.len, sizeof(p.len));
	h = take(c, id, ret);
	if (*ret == -EISDIR)
		*ret = -ENODEV;
	if (!h)
		return true;
	p.write = flags & KVM_MAP_WRITE;
	p.whole = flags & KVM_MAP_WHOLE;
	*ret = window_map(c->guest, h, &p);
	answer_map(k, &p);
	handle_put(h);
	return true;
}

static bool call_larger(struct vcpu *c, s64 *ret)
{
	struct kvm_call *k = c->call;
	struct window_place p = { 0 };
	u64 gpa;
	u32 flags;

	fetch(&gpa, &k->u.map.gpa, sizeof(gpa));
	fetch(&p.len, &k->u.map.len, sizeof(p.len));
	fetch(&flags, &k->u.map.flags, sizeof(flags));
	p.write = flags & KVM_MAP_WRITE;
	*ret = window_map_again(c->guest, gpa - KVM_WINDOW_GPA, &p);
	answer_map(k, &p);
	return *ret != -EINVAL;
}

static bool call_window(struct vcpu *c, u32 nr, s64 *ret)
{
	struct kvm_call *k = c->call;
	u64 gpa, off, len;

	fetch(&gpa, &k->u.map.gpa, sizeof(gpa));
	fetch(&off, &k->u.map.off, sizeof(off));
	fetch(&len, &k->u.map.len, sizeof(len));
	gpa -= KVM_WINDOW_GPA;
	if (nr == KVM_CALL_UNMAP)
		*ret = window_unmap(c->guest, gpa);
	else if (nr == KVM_CALL_SIZE)
		*ret = window_pages(c->guest, gpa);
	else
		*ret = window_punch(c->guest, gpa, off, len);
	return *ret != -EINVAL || nr == KVM_CALL_PUNCH;
}

/* ---- the rest ---- */

static u64 ns_of(const struct timespec *ts)
{
	return (u64)ts->tv_sec * 1000000000u + (u64)ts->tv_nsec;
}

#define CLOCKS_AT_ONCE 200000 /* ns: who takes longer was interrupted, and looks again */
#define CLOCKS_TRIES 5

static bool call_clocks(struct vcpu *c, s64 *ret)
{
	struct kvm_call *k = c->call;
	struct kvm_clock_data before, now = { 0 };
	struct timespec ts;

	for (int try = 0; try < CLOCKS_TRIES; try++) {
		*ret = ioctl(c->guest->vm_fd, KVM_GET_CLOCK, &before) ? -errno : 0;
		for (int i = 0; i < 12; i++)
			k->u.clocks.clock[i] = clock_gettime(i, &ts) ? 0 : ns_of(&ts);
		if (!*ret && ioctl(c->guest->vm_fd, KVM_GET_CLOCK, &now))
			*ret = -errno;
		if (*ret)
			return true;
		if (now.clock - before.clock < CLOCKS_AT_ONCE)
			break;
	}
	k->u.clocks.now = now.clock;
	return true;
}

static bool call_start(struct vcpu *c, s64 *ret)
{
	struct kvm_guest *g = c->guest;

	*ret = 0;
	for (unsigned int i = 1; i < g->ncpus && !*ret; i++)
		if (!g->cpus[i].started)
			*ret = vcpu_start(&g->cpus[i]);
	return c->id == 0;
}

static bool call_give(struct vcpu *c, s64 *ret)
{
	struct kvm_extent s;
	u32 n;

	fetch(&n, &c->call->u.io.n, sizeof(n));
	if (n > KVM_IO_SEGMENTS)
		return false;
	for (u32 i = 0; i < n; i++) {
		fetch(&s, &c->call->u.io.seg[i], sizeof(s));
		if (!memory_give(c->guest, s.gpa, s.len))
			return false;
	}
	*ret = 0;
	return true;
}

static bool call_pv(struct vcpu *c, s64 *ret)
{
	struct kvm_guest *g = c->guest;

	*ret = 0;
	pthread_mutex_lock(&g->serve_lock);
	while (!server_stopping(g->server) && ring_pending(g->server) && serve_next(g->server, &c->me))
		;
	pthread_mutex_unlock(&g->serve_lock);
	return true;
}

static void panicked(struct vcpu *c)
{
	char text[sizeof(c->call->u.text)];

	fetch(text, c->call->u.text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	if (c->guest->server->cfg.panic)
		c->guest->server->cfg.panic(c->guest->server->cfg.ctx, text);
}

static bool dispatch(struct vcpu *c, u32 nr, s64 *ret)
{
	switch (nr) {
	case KVM_CALL_PV:
		return call_pv(c, ret);
	case KVM_CALL_START:
		return call_start(c, ret);
	case KVM_CALL_CLOCKS:
		return call_clocks(c, ret);
	case KVM_CALL_IO:
	case KVM_CALL_SEND:
	case KVM_CALL_RECV:
		return call_io(c, nr, ret);
	case KVM_CALL_SEEK:
	case KVM_CALL_FSTAT:
		return call_position(c, nr, ret);
	case KVM_CALL_POLL:
		return call_poll(c, ret);
	case KVM_CALL_WATCH:
		return call_watch(c, ret);
	case KVM_CALL_EVENTS:
		return call_events(c, ret);
	case KVM_CALL_MAP:
		return call_map(c, ret);
	case KVM_CALL_GIVE:
		return call_give(c, ret);
	case KVM_CALL_BOOTED:
		*ret = counts_booted(c->guest);
		return *ret == 0;
	case KVM_CALL_LARGER:
		return call_larger(c, ret);
	case KVM_CALL_UNMAP:
	case KVM_CALL_SIZE:
	case KVM_CALL_PUNCH:
		return call_window(c, nr, ret);
	default:
		return false;
	}
}

bool serve_call(struct vcpu *c, u32 nr, const char **why)
{
	s64 ret = -ENOSYS;
	bool served;

	if (nr < KVM_CALLS)
		count(&c->calls[nr]);
	if (nr == KVM_CALL_PANIC) {
		panicked(c);
		return false;
	}
	__atomic_store_n(&c->serving, nr, __ATOMIC_RELAXED);
	served = dispatch(c, nr, &ret);
	__atomic_store_n(&c->serving, 0, __ATOMIC_RELAXED);
	if (!served) {
		*why = "the guest broke the protocol of calls by exit";
		return false;
	}
	c->call->ret = ret;
	return true;
}
