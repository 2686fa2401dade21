/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: life, readiness, options (unix(7)). */
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "cred.h"
#include "pid_ns.h"
#include "task.h"
#include "unix.h"
#include "user_ns.h"

#define SNDBUF_MIN 4608u
#define BUF_MAX 212992u /* net.core.wmem_max, rmem_max */

struct waitq unix_space = WAITQ_INIT(unix_space);

/* ---- life ---- */

struct ucred unix_current_cred(void)
{
	const struct cred *c = current->cred;

	return (struct ucred){ current->proc->pid, c->euid, c->egid };
}

struct ucred unix_show_cred(const struct ucred *c)
{
	bool none = c->uid == NO_ID; /* the peer of a socket that has none */

	return (struct ucred){ pid_shown((int)c->pid), none ? NO_ID : show_uid(c->uid),
			       none ? NO_ID : show_gid(c->gid) };
}

struct unix_sock *unix_new(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	u->sk.ops = &unix_ops;
	u->sk.domain = AF_UNIX;
	u->sk.type = type;
	ref_init(&u->ref);
	u->net = net_ns_of(ns_get(&current_net_ns()->ns));
	u->sndbuf = u->rcvbuf = UNIX_SNDBUF;
	u->other = (struct ucred){ 0, ~0u, ~0u };
	list_init(&u->rx);
	list_init(&u->pending);
	list_init(&u->pending_node);
	list_init(&u->hash_node);
	waitq_init(&u->rd_wait);
	waitq_init(&u->wr_wait);
	unix_list_add(u);
	return u;
}

void unix_get(struct unix_sock *u)
{
	ref_get(&u->ref);
}

void unix_put(struct unix_sock *u)
{
	if (!u || !ref_put(&u->ref))
		return;
	unix_addr_put(u->addr);
	ns_put(&u->net->ns);
	unix_addr_put(u->to);
	unix_dest_free(u->dest);
	kfree(u);
}

struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	guard(&u->lock);
	if (u->peer)
		unix_get(u->peer);
	return u->peer;
}

int unix_take_error(struct unix_sock *u)
{
	return READ_ONCE(u->err) ? -__atomic_exchange_n(&u->err, 0, __ATOMIC_RELAXED) : 0;
}

void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *next;
	struct list_head pending = LIST_HEAD_INIT(pending);
	bool unread;

	unix_list_del(u);
	{
		guard(&u->lock);
		u->dead = true;
		u->state = UNIX_CLOSED;
		u->shutdown = SHUTDOWN_MASK;
		unread = !list_empty(&u->rx);
		list_splice_tail(&u->pending, &pending);
		u->npending = 0;
	}
	waitq_wake_all(&unix_space,
		       POLLOUT); /* whoever waits for room here must see that we are dead */
	unix_detach_peer(u, unread);
	unix_rx_purge(u);
	while (!list_empty(&pending)) {
		next = list_entry(pending.next, struct unix_sock, pending_node);
		list_del(&next->pending_node);
		unix_list_del(next);
		{
			guard(&next->lock);
			next->dead = true;
		}
		unix_detach_peer(next, true);
		unix_rx_purge(next);
		unix_put(next);
	}
	unix_put(u);
}

struct socket *unix_socket(int type, int protocol)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return ERR_PTR(-EPROTONOSUPPORT);
	if (type == SOCK_RAW) /* as Linux does */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	u = unix_new(type);
	return u ? &u->sk : ERR_PTR(-ENOMEM);
}

int unix_socketpair(int type, struct socket **a, struct socket **b)
{
	struct socket *sa = unix_socket(type, 0), *sb;
	struct unix_sock *ua, *ub;

	if (IS_ERR(sa))
		return PTR_ERR(sa);
	sb = unix_socket(type, 0);
	if (IS_ERR(sb)) {
		unix_release(sa);
		return PTR_ERR(sb);
	}
	ua = unix_of(sa);
	ub = unix_of(sb);
	unix_get(ua);
	unix_get(ub);
	ua->peer = ub;
	ub->peer = ua;
	ua->own = ub->own = ua->other = ub->other = unix_current_cred();
	if (ua->sk.type != SOCK_DGRAM)
		ua->state = ub->state = UNIX_CONNECTED;
	*a = sa;
	*b = sb;
	return 0;
}

/* ---- readiness ---- */

bool unix_writable(const struct unix_sock *u)
{
	return (u64)__atomic_load_n(&u->wmem, __ATOMIC_ACQUIRE) * 4 <= u->sndbuf;
}

static bool peer_full(struct unix_sock *u)
{
	struct unix_sock *peer = unix_peer_get(u);
	bool full = peer && !peer->dead && peer->rx_packets >= UNIX_DGRAM_QUEUE;

	unix_put(peer);
	return full;
}

u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 mask = 0;

	if (pt && pt->fn)
		WRITE_ONCE(u->polled, true);
	poll_wait(pt, f, &u->rd_wait);
	poll_wait(pt, f, &u->wr_wait);
	if (unix_is_dgram(u) && u->peer)
		poll_wait(pt, f, &unix_space);
	smp_mb();
	if (READ_ONCE(u->err))
		mask |= POLLERR;
	if (u->shutdown == SHUTDOWN_MASK)
		mask |= POLLHUP;
	if (u->shutdown & RCV_SHUTDOWN)
		mask |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!list_empty(&u->rx) || !list_empty(&u->pending))
		mask |= POLLIN | POLLRDNORM;
	if (!unix_is_dgram(u) && u->state == UNIX_CLOSED)
		mask |= POLLHUP;
	if (unix_writable(u) && !(unix_is_dgram(u) && peer_full(u)))
		mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return mask;
}

/* ---- options ---- */

/* Linux doubles what is asked for, to cover its own overhead. */
static u32 buffer_size(int asked, u32 least)
{
	u32 size = min((u32)asked, BUF_MAX) * 2;

	return max(size, least);
}

static int set_int(const void *val, u32 len, int *n)
{
	if (len < sizeof(*n))
		return -EINVAL;
	memcpy(n, val, sizeof(*n));
	return 0;
}

/* Switches for other families, which Linux keeps for every socket. */
static const u8 unix_noted[] = { SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE,
				 SO_NO_CHECK, SO_RXQ_OVFL, SO_SELECT_ERR_QUEUE };

static int noted_index(int name)
{
	for (u32 i = 0; i < ARRAY_SIZE(unix_noted); i++)
		if (unix_noted[i] == name)
			return (int)i;
	return -1;
}

static int set_noted(struct unix_sock *u, int name, int n)
{
	int i = noted_index(name);

	if (i < 0)
		return -ENOPROTOOPT;
	if (n)
		u->noted |= 1u << i;
	else
		u->noted &= ~(1u << i);
	return 0;
}

static int set_priority(struct unix_sock *u, int n)
{
	if ((n < 0 || n > 6) && !ns_capable(ns_owner(&u->net->ns), CAP_NET_ADMIN))
		return -EPERM;
	u->priority = n;
	return 0;
}

static int unix_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	struct unix_sock *u = unix_of(s);
	int n, err;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	err = set_int(val, len, &n);
	if (err)
		return err;
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		u->sndbuf = buffer_size(n, SNDBUF_MIN);
		waitq_wake_all(&u->wr_wait, POLLOUT);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		u->rcvbuf = buffer_size(n, SNDBUF_MIN / 2);
		return 0;
	case SO_PASSCRED:
		u->passcred = n != 0;
		return 0;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
		u->stamps = n ? (u8)name : 0;
		return 0;
	case SO_PRIORITY:
		return set_priority(u, n);
	case SO_LINGER: /* there is nothing to wait for */
	case SO_RCVLOWAT:
		return 0;
	default:
		return set_noted(u, name, n);
	}
}

static int get_int(void *val, int n)
{
	memcpy(val, &n, sizeof(n));
	return sizeof(n);
}

static int unix_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct unix_sock *u = unix_of(s);
	int i;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (name) {
	case SO_ERROR:
		return get_int(val, -unix_take_error(u));
	case SO_SNDBUF:
		return get_int(val, u->sndbuf);
	case SO_RCVBUF:
		return get_int(val, u->rcvbuf);
	case SO_PASSCRED:
		return get_int(val, u->passcred);
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMPNS_NEW:
		return get_int(val, u->stamps == name);
	case SO_ACCEPTCONN:
		return get_int(val, u->state == UNIX_LISTENING);
	case SO_PEERCRED: {
		const struct ucred shown = unix_show_cred(&u->other);

		memcpy(val, &shown, sizeof(shown));
		return sizeof(shown);
	}
	case SO_LINGER:
		memset(val, 0, 8);
		return 8;
	case SO_RCVLOWAT:
	case SO_SNDLOWAT:
		return get_int(val, 1);
	case SO_PRIORITY:
		return get_int(val, u->priority);
	default:
		i = noted_index(name);
		return i < 0 ? -ENOPROTOOPT : get_int(val, u->noted >> i & 1);
	}
}

/* ---- ioctl ---- */

static int rx_size(struct unix_sock *u)
{
	guard(&u->lock);
	if (u->sk.type == SOCK_STREAM)
		return u->rx_bytes;
	return list_empty(&u->rx) ? 0 : (int)list_entry(u->rx.next, struct unix_packet, node)->len;
}

static s64 unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_sock *u = unix_of(s);
	int n;

	switch (cmd) {
	case FIONREAD:
		if (u->state == UNIX_LISTENING)
			return -EINVAL;
		n = rx_size(u);
		break;
	case TIOCOUTQ:
		n = u->wmem;
		break;
	default:
		return netdev_ioctl(cmd, arg);
	}
	return mc_copy_to_user(arg, &n, sizeof(n));
}

const struct sock_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.shutdown = unix_shutdown,
	.getsockopt = unix_getsockopt,
	.setsockopt = unix_setsockopt,
	.sendmsg = unix_sendmsg,
	.recvmsg = unix_recvmsg,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
};

/* ---- /proc/net/unix ---- */

static size_t proc_line(struct unix_sock *u, char *buf, size_t size)
{
	u32 len = u->addr ? u->addr->len - UNIX_HEADER : 0;
	int n = snprintf(buf, size, "%016llx: %08X %08X %08X %04X %02X %5llu", 0ULL,
			 ref_read(&u->ref), 0, u->state == UNIX_LISTENING ? 0x10000u : 0u,
			 (u32)u->sk.type, u->peer ? 3u : 1u, (unsigned long long)u->sk.ino);

	if (len && u->addr->un.sun_path[0])
		n += snprintf(buf + n, size - n, " %s", u->addr->un.sun_path);
	else if (len)
		n += snprintf(buf + n, size - n, " @%.*s", (int)len - 1, u->addr->un.sun_path + 1);
	return n + snprintf(buf + n, size - n, "\n");
}

size_t unix_proc_line(u32 n, char *buf, size_t size)
{
	struct unix_sock *u;

	guard(&unix_table_lock);
	list_for_each(u, &unix_all, all_node)
		if (u->sk.ino && u->net == current_net_ns() && n-- == 0)
			return proc_line(u, buf, size);
	return 0;
}
