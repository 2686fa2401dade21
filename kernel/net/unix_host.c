/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets of the host's kernel, whose other end may be a process of the host or of another container. The
 * hypervisor finds them by name, in the mounts that are for it; data goes by the donated descriptor, as that of inet sockets.
 * Descriptors and credentials are not sent or received with it: they mean nothing on the other side.
 */
#include <asm/ioctls.h>
#include <linux/time.h>

#include "cred.h"
#include "epoll.h"
#include "exec_id.h"
#include "host_sock.h"
#include "hostfs.h"
#include "task.h"
#include "unix.h"

#define LOOK_AGAIN (10 * NSEC_PER_MSEC)

static const struct sock_ops unix_host_ops;

static bool hosting(void)
{
	return ((const struct boot_info *)mc_boot_info())->unix_mounts;
}

/* ---- names ---- */

struct host_name {
	u32 cmd, handle, type, mode;
};

static s64 name_on_host(struct name *n, void *arg)
{
	const struct host_name *h = arg;
	u32 cred = exec_id_cred(); /* may itself need a slot */
	struct pv_slot s;
	s64 ret;

	host_begin(&s, h->cmd, n);
	s.req.u.path.cred = cred;
	s.req.u.path.flags = h->type;
	s.req.u.path.mode = h->mode;
	s.req.u.path.arg = h->handle;
	host_sock_who(&s, s.req.u.path.path_len);
	ret = host_call(&s, n);
	host_end(&s);
	return ret;
}

static s64 name_in_guest(struct name *n, void *arg)
{
	return -EOPNOTSUPP;
}

/* A new socket of the host, bound or connected: its handle, or -errno. */
static s64 host_socket(u32 cmd, const char *path, int type, u32 mode)
{
	struct host_name h = { .cmd = cmd, .handle = host_handle_get(), .type = type, .mode = mode };
	struct name n;
	s64 ret;

	if (!h.handle)
		return -ENFILE;
	name_at(&n, AT_FDCWD, path, cmd == PV_UNIX_BIND ? NAME_PARENT | NAME_NOFOLLOW : 0);
	ret = name_run(&n, name_on_host, name_in_guest, &h);
	if (ret >= 0)
		return h.handle;
	host_handle_unused(h.handle);
	return ret;
}

/* From now on u is the host's. The handle is taken over, also on failure. */
static int become_hosted(struct unix_sock *u, u32 handle)
{
	bool late;

	{
		guard(&u->lock);
		late = u->sk.handle || u->state != UNIX_CLOSED; /* another thread was first */
		if (!late) {
			u->sk.handle = handle;
			u->sk.file->handle = handle;
			WRITE_ONCE(u->sk.ops, &unix_host_ops);
		}
	}
	if (late) {
		mc_handle_release(handle);
		return -EISCONN;
	}
	return epoll_host_begins(u->sk.file, FMODE_HOSTPOLL);
}

int unix_host_bind(struct unix_sock *u, const char *path)
{
	s64 handle;

	if (!hosting())
		return -EOPNOTSUPP;
	handle = host_socket(PV_UNIX_BIND, path, u->sk.type, 0777 & ~current->fs->umask);
	return handle < 0 ? (int)handle : become_hosted(u, handle);
}

/* ---- connections ---- */

/* The host does not tell when a server's queue has room: such waits are rare, and end soon. */
static s64 connect_stream(struct unix_sock *u, const char *path, bool nowait)
{
	u64 deadline = sock_deadline(u->sk.sndtimeo);

	for (;;) {
		s64 handle = host_socket(PV_UNIX_CONNECT, path, u->sk.type, 0);
		u64 now;

		if (handle != -EAGAIN || nowait)
			return handle;
		now = mc_clock(CLOCK_MONOTONIC);
		if (now >= deadline)
			return -EAGAIN;
		if (task_work_pending() || mc_park(min(now + LOOK_AGAIN, deadline)) == -EINTR)
			return sock_interrupted(u->sk.sndtimeo);
	}
}

/* Abstract names are never outside. */
static const char *path_of(const struct sockaddr_un *un, u32 len, char *path)
{
	u32 n = len - UNIX_HEADER;

	if (!un->sun_path[0])
		return NULL;
	memcpy(path, un->sun_path, n);
	path[n] = 0;
	return path;
}

struct unix_dest {
	u32 handle;
	bool connected; /* by connect(); else of the last datagram */
	u64 dev, ino;   /* what it was reached by */
};

void unix_dest_free(struct unix_dest *dest)
{
	if (dest)
		mc_handle_release(dest->handle);
	kfree(dest);
}

static struct unix_dest *set_dest(struct unix_sock *u, struct unix_dest *dest)
{
	guard(&u->lock);
	return __atomic_exchange_n(&u->dest, dest, __ATOMIC_ACQ_REL);
}

void unix_host_disconnect(struct unix_sock *u)
{
	if (READ_ONCE(u->dest))
		unix_dest_free(set_dest(u, NULL));
}

static struct unix_dest *open_dest(const char *path, const struct statx *st)
{
	struct unix_dest *dest = kzalloc(sizeof(*dest));
	s64 handle = dest ? host_socket(PV_UNIX_CONNECT, path, SOCK_DGRAM, 0) : -ENOMEM;

	if (handle < 0) {
		kfree(dest);
		return ERR_PTR(handle == -EOPNOTSUPP ? -ECONNREFUSED : handle);
	}
	dest->handle = handle;
	dest->dev = (u64)st->stx_dev_major << 32 | st->stx_dev_minor;
	dest->ino = st->stx_ino;
	return dest;
}

static int connect_dgram(struct unix_sock *u, const char *path)
{
	struct statx st = { 0 };
	struct unix_dest *dest = open_dest(path, &st);

	if (IS_ERR(dest))
		return PTR_ERR(dest);
	dest->connected = true;
	unix_dest_free(set_dest(u, dest));
	return 0;
}

int unix_host_connect(struct unix_sock *u, const void *addr, u32 len, bool nowait)
{
	char text[sizeof(struct sockaddr_un) + 1];
	const char *path = hosting() ? path_of(addr, len, text) : NULL;
	s64 handle;
	int err;

	if (!path)
		return -ECONNREFUSED;
	if (unix_is_dgram(u))
		return connect_dgram(u, path);
	if (u->state != UNIX_CLOSED)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	handle = connect_stream(u, path, nowait);
	if (handle < 0)
		return handle == -EOPNOTSUPP ? -ECONNREFUSED : handle;
	err = become_hosted(u, handle);
	if (err)
		return err;
	u->to = unix_addr_new(addr, len);
	u->own = unix_current_cred();
	WRITE_ONCE(u->state, UNIX_CONNECTED);
	waitq_wake_all(&u->rd_wait, 0);
	waitq_wake_all(&u->wr_wait, 0);
	return 0;
}

/* Of a socket that is the host's already. */
static int host_connect(struct socket *s, const void *addr, u32 len, bool nowait)
{
	if (s->type == SOCK_DGRAM)
		return unix_connect(s, addr, len, nowait);
	return unix_of(s)->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
}

static int host_rebind(struct socket *s, const void *addr, u32 len)
{
	return -EINVAL;
}

static int unix_host_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	int err;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (u->state == UNIX_CONNECTED)
		return -EINVAL;
	err = host_listen(s, backlog);
	if (!err)
		WRITE_ONCE(u->state, UNIX_LISTENING);
	return err;
}

static s64 pv_accept(struct socket *s, struct unix_sock *new, u32 handle)
{
	struct pv_slot slot;
	s64 ret;

	mc_pv_get(&slot);
	slot.req.cmd = PV_ACCEPT;
	slot.req.u.accept = (struct pv_req_xen_accept){ .id = s->handle, .id_new = handle, .cred = exec_id_cred(),
							.pid = current->proc->pid };
	host_sock_who(&slot, 0);
	ret = mc_pv_call(&slot);
	if (ret >= 0)
		new->sk.ino = slot.rsp.flags;
	mc_pv_put(&slot);
	return ret;
}

static struct socket *try_accept(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *new = unix_new(s->type);
	u32 handle = host_handle_get();
	s64 ret = !new ? -ENOMEM : !handle ? -ENFILE : pv_accept(s, new, handle);

	if (ret >= 0) {
		new->sk.ops = &unix_host_ops;
		new->sk.handle = handle;
		new->addr = unix_addr_get(u->addr);
		new->passcred = u->passcred;
		new->state = UNIX_CONNECTED;
		return &new->sk;
	}
	if (handle)
		host_handle_unused(handle);
	if (new) {
		unix_list_del(new);
		unix_put(new);
	}
	return ERR_PTR(ret);
}

static struct socket *host_accept(struct socket *s, bool nowait)
{
	u64 deadline = sock_deadline(s->rcvtimeo);

	if (s->type == SOCK_DGRAM)
		return ERR_PTR(-EOPNOTSUPP);
	if (unix_of(s)->state != UNIX_LISTENING)
		return ERR_PTR(-EINVAL);
	for (;;) {
		struct socket *new = try_accept(s);
		long err;

		if (!IS_ERR(new) || PTR_ERR(new) != -EAGAIN || nowait)
			return new;
		err = inet_wait(s, POLLIN, deadline, s->rcvtimeo, NULL);
		if (err)
			return ERR_PTR(err);
	}
}

static int unix_host_getname(struct socket *s, void *addr, bool peer)
{
	struct unix_sock *u = unix_of(s);
	const struct unix_addr *a = peer ? u->to : u->addr;
	struct sockaddr_un *un = addr;

	if (peer && u->state != UNIX_CONNECTED)
		return -ENOTCONN;
	un->sun_family = AF_UNIX;
	if (!a)
		return UNIX_HEADER;
	memcpy(un, &a->un, a->len);
	return a->len;
}

/* ---- data ---- */

static int refuse_descriptors(const struct msg *m)
{
	struct cmsghdr hdr;
	const u8 *data;
	u32 at = 0, len;
	int err = 0;

	while (m->ctl_len && msg_next_cmsg(m, &at, &hdr, &data, &len, &err))
		if (hdr.level == SOL_SOCKET && hdr.type == SCM_RIGHTS && len >= sizeof(int))
			return -EOPNOTSUPP;
	return err;
}

static s64 send_plain(struct socket *s, struct msg *m)
{
	int err = m->flags & MSG_OOB ? -EOPNOTSUPP : refuse_descriptors(m);

	if (err)
		return err;
	m->addr_len = m->ctl_len = 0;
	m->flags &= ~MSG_FASTOPEN;
	return inet_sendmsg(s, m);
}

static s64 send_by(const struct unix_sock *u, u32 handle, struct msg *m)
{
	struct socket out = { .domain = AF_UNIX, .type = SOCK_DGRAM, .sndtimeo = u->sk.sndtimeo, .handle = handle };

	return send_plain(&out, m);
}

/* As it is known for the last datagram, or anew. NULL: the one that is there will do. */
static struct unix_dest *dest_for(struct unix_sock *u, const struct msg *m)
{
	char text[sizeof(struct sockaddr_un) + 1];
	const char *path = path_of((const struct sockaddr_un *)m->addr, m->addr_len, text);
	const struct unix_dest *old = u->dest;
	struct statx st;
	int err = path ? vfs_stat(AT_FDCWD, path, 0, &st) : -ECONNREFUSED;

	if (err)
		return ERR_PTR(err);
	if (old && !old->connected && old->ino == st.stx_ino &&
	    old->dev == ((u64)st.stx_dev_major << 32 | st.stx_dev_minor))
		return NULL;
	return open_dest(path, &st);
}

static s64 send_to(struct unix_sock *u, struct msg *m)
{
	struct unix_dest *dest = dest_for(u, m);
	bool keep;
	s64 ret;

	if (IS_ERR(dest))
		return PTR_ERR(dest);
	if (!dest) {
		struct msg again = *m;

		ret = send_by(u, u->dest->handle, m);
		if (ret != -ECONNREFUSED && ret != -ENOTCONN)
			return ret;
		*m = again; /* another server has bound the name since */
		unix_host_disconnect(u);
		dest = dest_for(u, m);
		if (IS_ERR(dest) || !dest)
			return dest ? PTR_ERR(dest) : ret;
	}
	ret = send_by(u, dest->handle, m);
	keep = ret >= 0 && !(u->dest && u->dest->connected);
	unix_dest_free(keep ? set_dest(u, dest) : dest);
	return ret;
}

s64 unix_host_send(struct unix_sock *u, struct msg *m, s64 err)
{
	if (!hosting())
		return err;
	if (m->addr_len)
		return err == -ECONNREFUSED ? send_to(u, m) : err;
	if (err != -ENOTCONN || !u->dest || !u->dest->connected)
		return err;
	return send_by(u, u->dest->handle, m);
}

static s64 unix_host_sendmsg(struct socket *s, struct msg *m)
{
	if (s->type == SOCK_DGRAM)
		return unix_sendmsg(s, m);
	if (m->addr_len && s->type == SOCK_STREAM)
		return unix_of(s)->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	return send_plain(s, m);
}

static void peer_cred(struct socket *s, struct ucred *cred)
{
	if (host_getsockopt(s, SOL_SOCKET, SO_PEERCRED, cred, sizeof(*cred)) != sizeof(*cred))
		*cred = (struct ucred){ 0, ~0u, ~0u };
}

static s64 unix_host_recvmsg(struct socket *s, struct msg *m)
{
	struct unix_sock *u = unix_of(s);
	struct ucred cred;
	s64 n;

	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	n = inet_recvmsg(s, m);
	if (n > 0 && s->type == SOCK_SEQPACKET)
		m->out_flags |= MSG_EOR;
	if (n > 0 && u->passcred) {
		peer_cred(s, &cred);
		scm_receive_cred(u, m, &cred);
	}
	return n;
}

/* ---- options ---- */

static bool is_the_hosts(int name)
{
	switch (name) {
	case SO_ERROR:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
	case SO_RCVLOWAT:
		return true;
	default:
		return false;
	}
}

static int unix_host_getsockopt(struct socket *s, int level, int name, void *val, u32 room)
{
	struct ucred cred;

	if (level == SOL_SOCKET && name == SO_PEERCRED) {
		peer_cred(s, &cred);
		cred = unix_show_cred(&cred);
		memcpy(val, &cred, sizeof(cred)); /* room for every option: OPT_MAX */
		return sizeof(cred);
	}
	if (level == SOL_SOCKET && is_the_hosts(name))
		return host_getsockopt(s, level, name, val, room);
	return unix_ops.getsockopt(s, level, name, val, room);
}

static int unix_host_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	if (level == SOL_SOCKET && is_the_hosts(name))
		return host_setsockopt(s, level, name, val, len);
	return unix_ops.setsockopt(s, level, name, val, len);
}

static void unix_host_release(struct socket *s)
{
	mc_handle_release(s->handle);
	unix_release(s);
}

static const struct sock_ops unix_host_ops = {
	.bind = host_rebind,
	.connect = host_connect,
	.listen = unix_host_listen,
	.accept = host_accept,
	.getname = unix_host_getname,
	.shutdown = host_shutdown,
	.getsockopt = unix_host_getsockopt,
	.setsockopt = unix_host_setsockopt,
	.sendmsg = unix_host_sendmsg,
	.recvmsg = unix_host_recvmsg,
	.ioctl = host_ioctl,
	.release = unix_host_release,
};
