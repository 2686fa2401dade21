/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag(7) about unix sockets: those of the caller's network namespace, as ss(8) asks for them. */
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "netlink.h"
#include "unix.h"
#include "user_ns.h"

#define DATAGRAM_MAX 8192u
#define MESSAGE_MAX 512u /* of one socket: the name is the largest part */

/* States, as TCP counts them. */
#define STATE_ESTABLISHED 1
#define STATE_CLOSE 7
#define STATE_LISTEN 10

struct dump {
	const struct unix_diag_request *r;
	struct list_head *answers;
	u8 *data; /* of the datagram that is being filled, DATAGRAM_MAX bytes */
	u32 len;
	struct nlmsghdr *h; /* the last message in it */
	u16 flags;
	int err;
};

/* ---- messages ---- */

static void *put(struct dump *d, const void *data, u32 len)
{
	u8 *to = d->data + d->len;

	memcpy(to, data, len);
	memset(to + len, 0, NLMSG_ALIGN(len) - len);
	d->len += NLMSG_ALIGN(len);
	d->h->nlmsg_len = (u32)(d->data + d->len - (u8 *)d->h);
	return to;
}

static void put_attr(struct dump *d, u16 type, const void *data, u32 len)
{
	struct rtattr head = { .rta_len = (u16)RTA_LENGTH(len), .rta_type = type };

	put(d, &head, sizeof(head));
	put(d, data, len);
}

static void flush(struct dump *d)
{
	if (d->len && !d->err)
		d->err = netlink_answer(d->answers, d->data, d->len);
	d->len = 0;
}

static void begin(struct dump *d, u16 type)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = d->flags, .nlmsg_seq = d->r->head.nlmsg_seq,
			      .nlmsg_pid = d->r->port };

	if (d->len + MESSAGE_MAX > DATAGRAM_MAX)
		flush(d);
	d->h = (struct nlmsghdr *)(d->data + d->len);
	put(d, &h, sizeof(h));
}

/* ---- sockets ---- */

static u8 state_of(const struct unix_sock *u)
{
	if (u->state == UNIX_LISTENING)
		return STATE_LISTEN;
	return u->state == UNIX_CONNECTED || u->peer ? STATE_ESTABLISHED : STATE_CLOSE;
}

static u32 pending_connections(struct unix_sock *u, u32 *inodes, u32 most)
{
	struct unix_sock *end;
	u32 n = 0;

	list_for_each(end, &u->pending, pending_node) {
		guard(&end->lock);
		if (n < most)
			inodes[n++] = end->peer ? (u32)end->peer->sk.ino : 0;
	}
	return n;
}

static void put_queues(struct dump *d, struct unix_sock *u)
{
	struct unix_diag_rqlen q = { .udiag_rqueue = (u32)u->rx_bytes, .udiag_wqueue = u->wmem };

	if (u->state == UNIX_LISTENING)
		q = (struct unix_diag_rqlen){ u->npending, u->backlog };
	put_attr(d, UNIX_DIAG_RQLEN, &q, sizeof(q));
}

static void put_socket(struct dump *d, struct unix_sock *u)
{
	u32 show = d->r->q.req.udiag_show, icons[16], peer, n;
	struct unix_diag_msg m = { .udiag_family = AF_UNIX, .udiag_type = (u8)u->sk.type, .udiag_state = state_of(u),
				   .udiag_ino = (u32)u->sk.ino, .udiag_cookie = { (u32)u->sk.ino, 0 } };
	u8 shutdown = (u8)u->shutdown;

	guard(&u->lock);
	peer = u->peer ? (u32)u->peer->sk.ino : 0;
	begin(d, SOCK_DIAG_BY_FAMILY);
	put(d, &m, sizeof(m));
	if ((show & UDIAG_SHOW_NAME) && u->addr)
		put_attr(d, UNIX_DIAG_NAME, u->addr->un.sun_path, u->addr->len - (u32)UNIX_HEADER);
	if ((show & UDIAG_SHOW_VFS) && u->ino) {
		struct unix_diag_vfs v = { (u32)u->ino, (u32)(u->dev >> 32) << 20 | (u32)u->dev };

		put_attr(d, UNIX_DIAG_VFS, &v, sizeof(v));
	}
	if ((show & UDIAG_SHOW_PEER) && peer)
		put_attr(d, UNIX_DIAG_PEER, &peer, sizeof(peer));
	n = pending_connections(u, icons, ARRAY_SIZE(icons));
	if ((show & UDIAG_SHOW_ICONS) && n)
		put_attr(d, UNIX_DIAG_ICONS, icons, n * (u32)sizeof(u32));
	if (show & UDIAG_SHOW_RQLEN)
		put_queues(d, u);
	put_attr(d, UNIX_DIAG_SHUTDOWN, &shutdown, sizeof(shutdown));
	if (show & UDIAG_SHOW_UID) {
		u32 uid = show_uid(u->own.uid);

		put_attr(d, UNIX_DIAG_UID, &uid, sizeof(uid));
	}
}

/* One that nobody has accepted yet has no number, and is not told of. */
static bool is_told(const struct dump *d, const struct unix_sock *u)
{
	const struct unix_diag_req *q = &d->r->q.req;

	if (!u->sk.ino || u->net != current_net_ns())
		return false;
	return d->flags ? q->udiag_states & 1u << state_of(u) : q->udiag_ino == (u32)u->sk.ino;
}

static int put_all(struct dump *d)
{
	int none = 0, found = 0;
	struct unix_sock *u;

	{
		guard(&unix_table_lock);
		list_for_each(u, &unix_all, all_node)
			if (is_told(d, u) && (d->flags || !found++))
				put_socket(d, u);
	}
	if (!d->flags && !found)
		return -ENOENT;
	if (d->flags) {
		begin(d, NLMSG_DONE);
		put(d, &none, sizeof(none));
	}
	flush(d);
	return d->err;
}

int unix_diag(const struct unix_diag_request *r, struct list_head *answers)
{
	struct dump d = { .r = r, .answers = answers, .data = kmalloc(DATAGRAM_MAX),
			  .flags = (r->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP ? NLM_F_MULTI : 0 };
	int err;

	if (!d.data)
		return -ENOBUFS;
	err = put_all(&d);
	kfree(d.data);
	return err;
}
