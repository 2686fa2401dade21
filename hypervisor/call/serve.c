/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ring to a command and back: one request at a time on the main thread, blocking ones on a
 * worker.
 */
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call/server_impl.h"

void serve_violation(struct pv_server *srv, const char *why)
{
	server_set_stopping(srv);
	if (srv->cfg.protocol_error)
		srv->cfg.protocol_error(srv->cfg.ctx, why);
	ring_wake_server(srv);
}

static void wake_sleeper(struct pv_server *srv, u32 *state)
{
	if (srv->cfg.wake_guest)
		srv->cfg.wake_guest(srv->cfg.ctx);
	else
		syscall(SYS_futex, state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void respond(const struct call *c)
{
	struct pv_server *srv = c->srv;
	u32 slot = c->rsp.req_id;
	u32 *state = &srv->ring->state[slot];

	srv->ring->responses[slot] = c->rsp;
	/*
	 * Before the guest can see the answer and use the slot again. One that does not wait for that may have the main
	 * thread fill in the call anew at once: here it is not touched any more.
	 */
	__atomic_store_n(&srv->busy[slot], false, __ATOMIC_RELEASE);
	if (__atomic_exchange_n(state, SLOT_DONE, __ATOMIC_SEQ_CST) == SLOT_SLEEPING)
		wake_sleeper(srv, state);
}

static void count(struct call *c, int ret)
{
	struct command_counter *n = &c->srv->counters[command_index(c->req.cmd)];

	__atomic_fetch_add(&n->calls, 1, __ATOMIC_RELAXED);
	if (ret < 0)
		__atomic_fetch_add(&n->errors, 1, __ATOMIC_RELAXED);
	else if (ret == PV_CROSS)
		__atomic_fetch_add(&n->crossings, 1, __ATOMIC_RELAXED);
}

static void call_violation(struct call *c)
{
	char why[160];

	snprintf(why, sizeof(why), "%s.%s: %s", c->command->name, c->field, c->violation);
	serve_violation(c->srv, why);
}

static void finish(struct call *c, int ret)
{
	count(c, ret);
	call_end(c);
	if (c->violation) {
		call_violation(c);
		return;
	}
	if (ret == CALL_NO_ANSWER) {
		server_set_stopping(c->srv);
		return;
	}
	c->rsp.ret = ret;
	respond(c);
}

/* A root directory is entered with all authority; the call itself has only its own. */
static int assume(struct call *c, struct caller *me)
{
	int ret;

	if (c->root != me->root) {
		ret = caller_become(me, me->srv->creds.creds[0]);
		if (ret == 0)
			ret = caller_chroot(me, c->root);
		if (ret < 0)
			return ret;
	}
	return c->cred ? caller_become(me, c->cred) : 0;
}

void serve_perform(struct call *c, struct caller *me)
{
	int ret;

	c->me = me;
	if (assume(c, me) < 0)
		ret = violation(c, "cred", "a server thread cannot take on the caller's identity");
	else
		ret = c->command->perform(c);
	finish(c, ret);
}

/* Our copy of the next request; NULL if the guest made a mess of the ring. */
static struct call *take_request(struct pv_server *srv)
{
	u32 produced = __atomic_load_n(&srv->ring->req_prod, __ATOMIC_ACQUIRE);
	struct pv_request req;
	struct call *c;

	if (produced - srv->consumed > RING_SLOTS) {
		serve_violation(srv, "ring.req_prod: more requests than slots");
		return NULL;
	}
	fetch(&req, &srv->ring->requests[srv->consumed % RING_SLOTS], sizeof(req));
	srv->consumed++;
	if (req.req_id >= RING_SLOTS) {
		serve_violation(srv, "request.req_id: slot number out of range");
		return NULL;
	}
	if (__atomic_exchange_n(&srv->busy[req.req_id], true, __ATOMIC_ACQ_REL)) {
		serve_violation(srv, "request.req_id: a request in a slot that is in use");
		return NULL;
	}
	c = &srv->calls[req.req_id];
	memset(c, 0, offsetof(struct call, path));
	c->srv = srv;
	c->req = req;
	c->rsp.req_id = req.req_id;
	c->rsp.cmd = req.cmd;
	c->buf = srv->data + (size_t)req.req_id * RING_BUF_SIZE;
	return c;
}

bool serve_next(struct pv_server *srv, struct caller *me)
{
	struct call *c = take_request(srv);
	int ret;

	if (!c)
		return false;
	c->command = pv_command_find(c->req.cmd);
	if (!c->command) {
		serve_violation(srv, "request.cmd: unknown command");
		return false;
	}
	place_look(srv, &srv->ring->state[c->req.req_id]);
	ret = c->command->decode(c);
	if (ret < 0)
		finish(c, ret);
	else if (!(c->blocks || (c->command->flags & CALL_BLOCKS)) || workers_submit(srv, c) < 0)
		serve_perform(c, me);
	return !server_stopping(srv);
}

int call_donate(struct call *c, u32 id, int fd)
{
	struct donor *d = &c->srv->donor;
	struct pv_donation what = { .handle = id };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { &what, sizeof(what) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int ret = 0;

	if (c->srv->cfg.by_exit) /* who asks has its data moved here */
		return 0;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	pthread_mutex_lock(&d->lock);
	what.sequence = d->sequence + 1;
	/* There is room for every slot's message: a full channel means that the guest takes none. */
	if (sendmsg(c->srv->cfg.chan_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		ret = errno == EAGAIN ? violation(c, "donation", "donated descriptors are not taken") : -errno;
	else
		c->rsp.donation = ++d->sequence;
	pthread_mutex_unlock(&d->lock);
	return ret;
}

int call_install(struct call *c, u32 id, enum handle_kind kind, int fd, bool donate)
{
	bool again = c->dir[0] && c->dir[0]->foreign && !c->path[0][0];
	bool foreign = again || c->req.cmd == PV_TAKE_FD || c->req.cmd == PV_DEVICE;
	struct pv_handle *h;
	int ret = handle_insert(&c->srv->handles, id, kind, fd, foreign, &h);

	if (ret < 0) {
		close(fd);
		return ret == -EEXIST ? violation(c, "id", "a new handle's number is in use") : ret;
	}
	/* On a worker, the guest may release it before it has been answered: fd is ours by the reference only. */
	if (donate)
		ret = call_donate(c, id, h->fd);
	if (ret < 0)
		handle_drop(&c->srv->handles, id, h);
	handle_put(h);
	return ret;
}
