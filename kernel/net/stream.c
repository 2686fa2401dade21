/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets of machines that donate no descriptors: names, connections and options are the hypervisor's, as for
 * those of inet.c; the data and the news of connections come by a data ring.
 */
#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "exec_id.h"
#include "hostfs.h"
#include "stream.h"
#include "task.h"

static const struct sock_ops stream_ops;

/* ---- life ---- */

static int add_stream(struct socket *s)
{
	struct stream *st = kzalloc(sizeof(*st));

	if (!st)
		return -ENOMEM;
	waitq_init(&st->wait);
	host_of(s)->stream = st;
	return 0;
}

struct socket *stream_socket(int domain, int protocol)
{
	struct socket *s = host_sock_new(&stream_ops, domain, SOCK_STREAM, protocol);

	if (IS_ERR(s) || !add_stream(s))
		return s;
	host_release(s);
	return ERR_PTR(-ENOMEM);
}

static void stream_release(struct socket *s)
{
	struct stream *st = stream_of(s);

	mc_handle_release(s->handle); /* the hypervisor takes what is not sent yet out of the ring */
	stream_ring_put(st);
	kfree(st);
	kfree(s);
}

int stream_take_error(struct stream *st)
{
	s32 err = ring_out_error(st);

	if (!err || err == -EINPROGRESS || err == -EPIPE)
		err = ring_in_error(st);
	if (!err || err == -EINPROGRESS || err == -ENOTCONN)
		return 0;
	return __atomic_exchange_n(&st->err_told, 1, __ATOMIC_SEQ_CST) ? 0 : err;
}

/* ---- connect ---- */

static int pv_connect(struct socket *s, const void *addr, u32 len, u32 ref)
{
	struct pv_slot slot;
	s64 ret;

	len = min(len, PV_ADDR_MAX);
	mc_pv_get(&slot);
	slot.req.cmd = PV_CONNECT;
	slot.req.u.connect = (struct pv_req_xen_connect){
		.id = s->handle, .len = len, .ref = ref, .cred = exec_id_cred(), .pid = current->proc->pid };
	memcpy(slot.req.u.connect.addr, addr, len);
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return (int)ret;
}

static void dissolve(struct stream *st)
{
	st->ring = NULL;
	st->established = st->listening = st->shut_in = st->shut_out = false;
	st->err_told = 0;
}

/* What has come of the connection that is being made. */
static int connect_result(struct stream *st)
{
	int err = ring_out_error(st);

	if (err == -EINPROGRESS)
		return err;
	err = stream_take_error(st);
	if (err)
		dissolve(st); /* the next connect() is a new one */
	else
		st->established = true;
	return err;
}

static int begin_connect(struct socket *s, const void *addr, u32 len)
{
	struct stream *st = stream_of(s);
	bool ends = ((const struct sockaddr *)addr)->sa_family == AF_UNSPEC;
	int ret;

	guard(&st->connecting);
	if (ends) {
		dissolve(st);
		return pv_connect(s, addr, len, 0);
	}
	if (st->established || st->listening)
		return -EISCONN;
	if (st->ring) {
		ret = connect_result(st);
		return ret == -EINPROGRESS ? -EALREADY : ret;
	}
	ret = stream_ring_get(st);
	if (!ret)
		ret = pv_connect(s, addr, len, st->ref);
	if (!ret || ret == -EINPROGRESS)
		stream_ring_use(st);
	st->established = !ret;
	return ret;
}

int stream_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	struct stream *st = stream_of(s);
	int ret = begin_connect(s, addr, len);
	long err;

	if ((ret != -EINPROGRESS && ret != -EALREADY) || nowait)
		return ret;
	err = wait_event(&st->wait, ring_out_error(st) != -EINPROGRESS, sock_deadline(s->sndtimeo));
	if (err)
		return err == -ETIMEDOUT ? -EINPROGRESS : sock_interrupted(s->sndtimeo);
	guard(&st->connecting);
	return st->ring && !st->established ? connect_result(st) : 0;
}

/* ---- listen, accept ---- */

static int pv_listen(struct socket *s, int backlog, u32 ref)
{
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_LISTEN;
	slot.req.u.listen = (struct pv_req_xen_listen){
		.id = s->handle, .backlog = backlog, .ref = ref, .cred = exec_id_cred(), .pid = current->proc->pid };
	ret = mc_pv_call(&slot);
	mc_pv_put(&slot);
	return (int)ret;
}

static int stream_listen(struct socket *s, int backlog)
{
	struct stream *st = stream_of(s);
	int ret;

	guard(&st->connecting);
	if (st->ring && !st->listening)
		return -EINVAL;
	ret = stream_ring_get(st);
	if (!ret) /* a second call changes the backlog only */
		ret = pv_listen(s, backlog, st->listening ? 0 : st->ref);
	if (!ret && !st->listening) {
		st->listening = true;
		stream_ring_use(st);
	}
	return ret;
}

/* There is none any more: the hypervisor is to tell of the next. */
static void await_next(struct stream *st, u32 told)
{
	__atomic_store_n(&st->ring->in_cons, told, __ATOMIC_RELEASE);
	mc_data_bell(st->ref);
}

static s64 pv_accept(struct socket *s, struct socket *new)
{
	struct stream *st = stream_of(s);
	u32 told = __atomic_load_n(&st->ring->in_prod, __ATOMIC_ACQUIRE);
	struct host_sock *peer = host_of(new);
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_ACCEPT;
	slot.req.u.accept = (struct pv_req_xen_accept){ .id = s->handle,
							.id_new = new->handle,
							.ref = stream_of(new)->ref,
							.cred = exec_id_cred(),
							.pid = current->proc->pid };
	host_sock_who(&slot, 0);
	ret = mc_pv_call(&slot);
	if (ret >= 0) {
		new->ino = slot.rsp.flags;
		peer->peer_len = min(slot.rsp.val & ~PV_ACCEPTED_LAST, PV_ADDR_MAX);
		memcpy(peer->peer, slot.buf, peer->peer_len);
		stream_ring_use(stream_of(new));
		stream_of(new)->established = true;
		stream_of(new)->tells_rest = st->tells_rest;
	}
	if (ret == -EAGAIN || (ret >= 0 && slot.rsp.val & PV_ACCEPTED_LAST))
		await_next(st, told);
	mc_pv_put(&slot);
	return ret;
}

/* A socket that is nobody's yet, with a ring. */
static struct socket *prepare(struct socket *s, u32 handle)
{
	struct host_sock *h = host_sock_wrap(&stream_ops, s, handle);
	int err = h ? add_stream(&h->sk) : -ENOMEM;

	if (!err)
		err = stream_ring_get(h->stream);
	if (!err)
		return &h->sk;
	if (h)
		kfree(h->stream);
	kfree(h);
	return ERR_PTR(err);
}

static struct socket *try_accept(struct socket *s)
{
	u32 handle = host_handle_get();
	struct socket *new;
	s64 ret;

	if (!handle)
		return ERR_PTR(-ENFILE);
	new = prepare(s, handle);
	ret = IS_ERR(new) ? PTR_ERR(new) : pv_accept(s, new);
	if (ret >= 0)
		return new;
	host_handle_unused(handle);
	if (!IS_ERR(new)) {
		stream_ring_put(stream_of(new));
		kfree(stream_of(new));
		kfree(new);
	}
	return ERR_PTR(ret);
}

static struct socket *stream_accept(struct socket *s, bool nowait)
{
	struct stream *st = stream_of(s);
	u64 deadline = sock_deadline(s->rcvtimeo);
	struct socket *new;
	long err;

	if (!st->listening)
		return ERR_PTR(-EINVAL);
	for (;;) {
		new = stream_readable(st) ? try_accept(s) : ERR_PTR(-EAGAIN);
		if (!IS_ERR(new) || PTR_ERR(new) != -EAGAIN || nowait)
			return new;
		err = wait_event(&st->wait, stream_readable(st) != 0, deadline);
		if (err)
			return ERR_PTR(err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(s->rcvtimeo));
	}
}

/* ---- readiness ---- */

static u32 connected_mask(struct stream *st)
{
	s32 in = ring_in_error(st), out = ring_out_error(st);
	bool fin = in == -ENOTCONN || READ_ONCE(st->shut_in), shut = READ_ONCE(st->shut_out);
	u32 mask = 0;

	if (out == -EINPROGRESS)
		return 0;
	if (stream_readable(st) || in || fin)
		mask |= POLLIN | POLLRDNORM;
	if (stream_urgent(st))
		mask |= POLLPRI;
	if (fin || in)
		mask |= POLLRDHUP;
	if (out || shut || stream_writable(st))
		mask |= POLLOUT | POLLWRNORM;
	if ((in && in != -ENOTCONN) || (out && out != -EPIPE))
		mask |= READ_ONCE(st->err_told) ? POLLHUP : POLLERR | POLLHUP;
	if ((fin || in) && (shut || out))
		mask |= POLLHUP;
	return mask;
}

static u32 stream_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct stream *st = stream_of(s);

	poll_wait(pt, f, &st->wait);
	if (!__atomic_load_n(&st->ring, __ATOMIC_ACQUIRE))
		return POLLOUT | POLLWRNORM | POLLHUP;
	if (st->listening)
		return stream_readable(st) ? POLLIN | POLLRDNORM : 0;
	return connected_mask(st);
}

/* ---- the rest ---- */

static int stream_shutdown(struct socket *s, int how)
{
	struct stream *st = stream_of(s);
	int ret = host_shutdown(s, how);

	if (ret)
		return ret;
	if (how != SHUT_RD)
		WRITE_ONCE(st->shut_out, true);
	if (how != SHUT_WR)
		WRITE_ONCE(st->shut_in, true);
	waitq_wake_all(&st->wait, 0);
	return 0;
}

/* Of the control messages that TCP has this is the one which the ring knows. */
static int stream_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	int ret = host_setsockopt(s, level, name, val, len);

	if (!ret && level == IPPROTO_TCP && name == TCP_INQ)
		stream_of(s)->tells_rest = *(const u8 *)val != 0;
	return ret;
}

static int stream_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct stream *st = stream_of(s);
	int err;

	if (level != SOL_SOCKET || name != SO_ERROR || !st->ring || st->listening || room < sizeof(err))
		return host_getsockopt(s, level, name, val, room);
	err = -stream_take_error(st);
	memcpy(val, &err, sizeof(err));
	return sizeof(err);
}

/* What lies in the ring counts, too. */
static s64 stream_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct stream *st = stream_of(s);
	bool in_ring = st->ring && !st->listening;
	s64 ret;
	s32 n;

	if (in_ring && cmd == SIOCATMARK) {
		n = !stream_to_mark(st);
		return mc_copy_to_user(arg, &n, sizeof(n));
	}
	ret = host_ioctl(s, cmd, arg);

	if (ret || !in_ring || (cmd != FIONREAD && cmd != TIOCOUTQ))
		return ret;
	if (mc_copy_from_user(&n, arg, sizeof(n)))
		return -EFAULT;
	n += (s32)(cmd == FIONREAD ? stream_readable(st) : stream_unsent(st));
	return mc_copy_to_user(arg, &n, sizeof(n));
}

static const struct sock_ops stream_ops = {
	.bind = host_bind,
	.connect = stream_connect,
	.listen = stream_listen,
	.accept = stream_accept,
	.getname = host_getname,
	.shutdown = stream_shutdown,
	.getsockopt = stream_getsockopt,
	.setsockopt = stream_setsockopt,
	.sendmsg = stream_sendmsg,
	.recvmsg = stream_recvmsg,
	.poll = stream_poll,
	.ioctl = stream_ioctl,
	.release = stream_release,
};
