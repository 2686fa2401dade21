/* SPDX-License-Identifier: Apache-2.0 */
/* Connections between unix sockets. */
#include "task.h"
#include "unix.h"

/* Lock two sockets, which may be one; the order keeps it free of deadlocks. */
static void lock_pair(struct unix_sock *a, struct unix_sock *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_pair(struct unix_sock *a, struct unix_sock *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

bool unix_may_send(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *peer = READ_ONCE(to->peer);

	return !peer || peer == u;
}

/* ---- the end of a connection ---- */

/* u gives up its peer. A connection's peer sees the end of it; with `reset`, ECONNRESET. */
void unix_detach_peer(struct unix_sock *u, bool reset)
{
	struct unix_sock *peer;

	{
		guard(&u->lock);
		peer = u->peer;
		u->peer = NULL;
	}
	if (!peer)
		return;
	if (!unix_is_dgram(u)) {
		{
			guard(&peer->lock);
			peer->shutdown = SHUTDOWN_MASK;
			if (reset)
				peer->err = ECONNRESET;
		}
		waitq_wake_all(&peer->rd_wait, 0);
		waitq_wake_all(&peer->wr_wait, 0);
	} else {
		waitq_wake_all(&peer->wr_wait, 0);
	}
	unix_put(peer);
}

int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *peer = unix_peer_get(u);
	u32 mode = how + 1, mirrored = 0; /* SHUT_RD, WR, RDWR are the bits less one */

	if (mode & RCV_SHUTDOWN)
		mirrored |= SEND_SHUTDOWN;
	if (mode & SEND_SHUTDOWN)
		mirrored |= RCV_SHUTDOWN;
	{
		guard(&u->lock);
		u->shutdown |= mode;
	}
	waitq_wake_all(&u->rd_wait, 0);
	waitq_wake_all(&u->wr_wait, 0);
	if (peer && !unix_is_dgram(u)) {
		{
			guard(&peer->lock);
			peer->shutdown |= mirrored;
		}
		waitq_wake_all(&peer->rd_wait, 0);
		waitq_wake_all(&peer->wr_wait, 0);
	}
	unix_put(peer);
	return 0;
}

/* ---- datagrams ---- */

static void set_peer(struct unix_sock *u, struct unix_sock *peer)
{
	struct unix_sock *old;

	{
		guard(&u->lock);
		old = u->peer;
		u->peer = peer;
	}
	waitq_wake_all(&u->wr_wait, POLLOUT);
	unix_put(old);
}

static int no_receiver(struct unix_sock *u, const void *addr, u32 len, int err)
{
	if (err == -ECONNREFUSED)
		err = unix_host_connect(u, addr, len, false);
	if (!err)
		set_peer(u, NULL);
	return err;
}

static int connect_dgram(struct unix_sock *u, const void *addr, u32 len)
{
	struct unix_sock *to = unix_find(addr, len, u->sk.type);

	if (IS_ERR(to))
		return no_receiver(u, addr, len, PTR_ERR(to));
	unix_host_disconnect(u);
	if (!unix_may_send(u, to)) {
		unix_put(to);
		return -EPERM;
	}
	u->own = unix_current_cred();
	set_peer(u, to);
	return 0;
}

/* ---- streams ---- */

static bool accepts(struct unix_sock *l)
{
	return l->state != UNIX_LISTENING || l->npending <= l->backlog;
}

/* Make the server's end, and queue it. 0, -EAGAIN: the backlog is full. */
static int try_connect(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	int err = 0;

	lock_pair(u, l);
	if (u->state != UNIX_CLOSED)
		err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	else if (l->state != UNIX_LISTENING || (l->shutdown & RCV_SHUTDOWN))
		err = -ECONNREFUSED;
	else if (!accepts(l))
		err = -EAGAIN;
	if (!err) {
		end->own = end->other = u->own = unix_current_cred();
		u->other = l->own;
		end->own = l->own;
		end->addr = unix_addr_get(l->addr);
		end->passcred = l->passcred;
		end->state = u->state = UNIX_CONNECTED;
		unix_get(u);
		unix_get(end);
		end->peer = u;
		u->peer = end;
		list_add_tail(&end->pending_node, &l->pending); /* with the first reference */
		l->npending++;
	}
	unlock_pair(u, l);
	return err;
}

static int connect_to(struct unix_sock *u, struct unix_sock *l, bool nowait)
{
	struct unix_sock *end = unix_new(u->sk.type);
	u64 deadline = sock_deadline(u->sk.sndtimeo);
	long err;

	if (!end)
		return -ENOMEM;
	for (;;) {
		err = try_connect(u, l, end);
		if (err != -EAGAIN || nowait)
			break;
		err = wait_event(&unix_space, accepts(l), deadline);
		if (err) {
			err = err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(u->sk.sndtimeo);
			break;
		}
	}
	if (err) {
		unix_list_del(end);
		unix_put(end);
		return err;
	}
	waitq_wake(&l->rd_wait, POLLIN | POLLRDNORM, 1);
	waitq_wake_all(&u->wr_wait, POLLOUT | POLLWRNORM);
	return 0;
}

int unix_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	struct unix_sock *u = unix_of(s), *l;
	const struct sockaddr *sa = addr;
	int err;

	if (u->passcred && !u->addr) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	if (unix_is_dgram(u) && sa->sa_family == AF_UNSPEC) {
		unix_host_disconnect(u);
		set_peer(u, NULL);
		return 0;
	}
	if (unix_is_dgram(u))
		return connect_dgram(u, addr, len);
	l = unix_find(addr, len, s->type);
	if (IS_ERR(l))
		return PTR_ERR(l) == -ECONNREFUSED ? unix_host_connect(u, addr, len, nowait) : PTR_ERR(l);
	err = l == u ? -ECONNREFUSED : connect_to(u, l, nowait);
	unix_put(l);
	return err;
}

int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);

	if (unix_is_dgram(u))
		return -EOPNOTSUPP;
	guard(&u->lock);
	if (!u->addr || u->state == UNIX_CONNECTED)
		return -EINVAL;
	u->backlog = min((u32)backlog, 4096u);
	u->state = UNIX_LISTENING;
	u->own = unix_current_cred();
	return 0;
}

static struct unix_sock *pop_pending(struct unix_sock *u)
{
	struct unix_sock *end;
	bool was_full;

	{
		guard(&u->lock);
		if (list_empty(&u->pending))
			return NULL;
		end = list_entry(u->pending.next, struct unix_sock, pending_node);
		list_del(&end->pending_node);
		was_full = u->npending-- > u->backlog;
	}
	if (was_full)
		waitq_wake_all(&unix_space, POLLOUT);
	if (!list_empty(&u->pending)) /* connect woke one of us only */
		waitq_wake(&u->rd_wait, POLLIN | POLLRDNORM, 1);
	return end;
}

struct socket *unix_accept(struct socket *s, bool nowait)
{
	struct unix_sock *u = unix_of(s), *end;
	u64 deadline = sock_deadline(s->rcvtimeo);
	long err;

	if (unix_is_dgram(u))
		return ERR_PTR(-EOPNOTSUPP);
	for (;;) {
		if (u->state != UNIX_LISTENING)
			return ERR_PTR(-EINVAL);
		end = pop_pending(u);
		if (end)
			return &end->sk;
		if (u->shutdown & RCV_SHUTDOWN)
			return ERR_PTR(-EINVAL);
		if (nowait)
			return ERR_PTR(-EAGAIN);
		err = wait_event_exclusive(&u->rd_wait,
					   !list_empty(&u->pending) || (u->shutdown & RCV_SHUTDOWN),
					   deadline);
		if (!err)
			continue;
		if (!list_empty(&u->pending))
			waitq_wake(&u->rd_wait, POLLIN | POLLRDNORM, 1);
		return ERR_PTR(err == -ETIMEDOUT ? -EAGAIN : sock_interrupted(s->rcvtimeo));
	}
}
