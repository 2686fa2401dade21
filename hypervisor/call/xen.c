/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands 0..6, those of Xen's PV Calls. Sockets live in the hypervisor's network namespace, which
 * is the container's. Inet sockets are donated, netlink sockets never.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/file.h"
#include "call/policy_sock.h"
#include "call/sock.h"
#include "call/server_impl.h"

static bool dgram_protocol(u32 protocol)
{
	switch (protocol) {
	case 0:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return true;
	default:
		return false;
	}
}

static int check_family(u32 domain, u32 type, u32 protocol)
{
	if (domain == AF_NETLINK)
		return (protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG) &&
				       (type == SOCK_RAW || type == SOCK_DGRAM)
			       ? 0
			       : -EPROTONOSUPPORT;
	if (domain != AF_INET && domain != AF_INET6)
		return -EAFNOSUPPORT;
	switch (type) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		return dgram_protocol(protocol) ? 0 : -EPROTONOSUPPORT;
	case SOCK_RAW:
		return 0; /* the host asks for CAP_NET_RAW, which the thread has only if the caller
			     has */
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static int socket_decode(struct call *c)
{
	const struct pv_req_xen_socket *r = &c->req.u.socket;
	int ret = decode_new_handle(c, "id", r->id);

	if (ret == 0)
		ret = decode_cred(c, r->cred);
	return ret < 0 ? ret : check_family(r->domain, r->type & 0xf, r->protocol);
}

/* The number by which /proc/net and sock_diag know a socket: the guest shows the same. 0: unknown. */
static u32 socket_number(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (u32)st.st_ino;
}

/* Without data rings, a stream's descriptor is donated, as that of any socket. ref 0: no ring yet. */
static int install_stream(struct call *c, u32 id, int fd, u32 ref)
{
	int ret = call_install(c, id, HANDLE_SOCKET, fd, !c->srv->cfg.data_rings);
	struct pv_handle *h;

	if (ret < 0)
		return ret;
	h = handle_get(&c->srv->handles, id);
	h->is_stream = true;
	if (ref)
		ret = stream_attach(c->srv, h, ref, STREAM_CONNECTED);
	if (ret < 0)
		handle_put(handle_remove(&c->srv->handles, id));
	handle_put(h);
	return ret;
}

static int socket_(struct call *c)
{
	const struct pv_req_xen_socket *r = &c->req.u.socket;
	bool netlink = r->domain == AF_NETLINK, stream = (r->type & 0xf) == SOCK_STREAM;
	int refused = netlink ? 0 : policy_check_socket(c, r->type & 0xf, r->protocol, r->pid);
	int mode = netlink ? SOCK_CLOEXEC | SOCK_NONBLOCK : SOCKET_MODE;
	int fd, ret;

	if (refused)
		return refused;
	fd = socket((int)r->domain, (int)(r->type & 0xf) | mode, (int)r->protocol);
	if (fd < 0)
		return -errno;
	c->rsp.flags = socket_number(fd);
	if (!stream)
		ret = call_install(c, r->id, netlink ? HANDLE_NETLINK : HANDLE_SOCKET, fd, !netlink);
	else
		ret = install_stream(c, r->id, fd, 0);
	if (ret >= 0 && !netlink)
		socket_describe(c, (u32)r->id, r->pid, false, 0);
	return ret;
}

static int connect_decode(struct call *c)
{
	const struct pv_req_xen_connect *r = &c->req.u.connect;
	int ret;

	if (r->len > SOCKADDR_MAX)
		return violation(c, "len", "address longer than its field");
	ret = decode_handle(c, "id", r->id, KINDS_SOCKET, &c->h);
	if (ret == 0)
		ret = decode_cred(c, r->cred);
	if (ret == 0)
		ret = stream_decode_ref(c, c->h, r->ref, r->evtchn);
	return ret < 0 ? ret : sock_check_address(c, r->addr, r->len);
}

/*
 * Nobody can have data to wait for on a socket that is not connected: the mode may change for a
 * moment.
 */
static int connect_now(int fd, const void *addr, u32 len)
{
	int flags = fcntl(fd, F_GETFL), ret;

	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	ret = connect(fd, addr, len) < 0 ? -errno : 0;
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags);
	return ret;
}

static int connect_(struct call *c)
{
	struct pv_req_xen_connect *r = &c->req.u.connect;
	int ret = policy_check_destination(c, r->addr, r->len, r->pid), err = 0;

	if (ret < 0)
		return ret;
	ret = connect_now(c->h->fd, r->addr, r->len);
	if (ret != 0 && ret != -EINPROGRESS)
		return ret;
	c->h->connected = true;
	if (r->ref)
		err = stream_attach(c->srv, c->h, r->ref, ret ? STREAM_CONNECTING : STREAM_CONNECTED);
	else
		stream_detach(c->srv, c->h);
	socket_event(c, c->h, CONNECTION_OPENED);
	return err < 0 ? err : ret;
}

/* Many at once are files: whoever releases sockets wants to see the end of each. */
static int take_more(struct call *c)
{
	const struct pv_req_xen_release *r = &c->req.u.release;

	if (r->count > PV_RELEASE_MORE)
		return violation(c, "count", "too many handles in one release");
	for (u32 i = 0; i < r->count; i++) {
		c->more[i] = handle_remove(&c->srv->handles, r->more[i]);
		if (!c->more[i])
			return violation(c, "more", "a handle that does not exist");
	}
	return 0;
}

static int release_decode(struct call *c)
{
	if (c->req.u.release.id == 0 || c->req.u.release.id >= MAX_HANDLES)
		return violation(c, "id", "handle number out of range");
	c->h = handle_remove(&c->srv->handles, c->req.u.release.id);
	if (!c->h)
		return violation(c, "id", "a handle that does not exist");
	/* The number is free at once, but the close of a lingering socket may take its time, and a disk's writes what is cached of it. */
	c->blocks = c->h->lingers || c->h->kind == HANDLE_BLOCKDEV;
	return take_more(c);
}

static void release_one(struct call *c, struct pv_handle **h)
{
	if ((*h)->kind == HANDLE_SOCKET)
		socket_event(c, *h, CONNECTION_CLOSED);
	if ((*h)->kind == HANDLE_SOCKET && !stream_release(c->srv, *h))
		sock_release(*h);
	file_drop_locks(*h);
	handle_put(*h);
	*h = NULL;
}

static int release(struct call *c)
{
	release_one(c, &c->h);
	for (u32 i = 0; i < c->req.u.release.count; i++)
		release_one(c, &c->more[i]);
	return 0;
}

static int bind_decode(struct call *c)
{
	const struct pv_req_xen_bind *r = &c->req.u.bind;
	int ret;

	if (r->len > SOCKADDR_MAX)
		return violation(c, "len", "address longer than its field");
	ret = decode_handle(c, "id", r->id, KINDS_SOCKET, &c->h);
	if (ret == 0)
		ret = decode_cred(c, r->cred);
	return ret < 0 ? ret : sock_check_address(c, r->addr, r->len);
}

static int bind_(struct call *c)
{
	const struct pv_req_xen_bind *r = &c->req.u.bind;

	int ret = policy_check_bind(c, r->addr, r->len, r->pid);

	if (ret < 0)
		return ret;
	return bind(c->h->fd, (const void *)r->addr, r->len) < 0 ? -errno : 0;
}

static int listen_decode(struct call *c)
{
	int ret = decode_handle(c, "id", c->req.u.listen.id, KINDS_SOCKET, &c->h);

	if (!ret)
		ret = decode_cred(c, c->req.u.listen.cred);
	return ret < 0 ? ret : stream_decode_ref(c, c->h, c->req.u.listen.ref, 0);
}

static int listen_(struct call *c)
{
	int flags = fcntl(c->h->fd, F_GETFL), ret;

	if (flags < 0)
		return -errno;
	ret = c->h->unix_path ? policy_check_unix(c, POLICY_LISTEN, c->h->unix_path, c->req.u.listen.pid) :
				policy_check_listen(c, c->req.u.listen.pid);
	if (ret < 0)
		return ret;
	/* Before it can have connections: PV_ACCEPT never waits for one. */
	if (fcntl(c->h->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	ret = c->h->unix_path ? unix_listen(c, (int)c->req.u.listen.backlog) :
				listen(c->h->fd, (int)c->req.u.listen.backlog);
	if (ret < 0)
		return c->h->unix_path ? ret : -errno;
	c->h->connected = true;
	socket_event(c, c->h, CONNECTION_LISTENING);
	return c->req.u.listen.ref ? stream_attach(c->srv, c->h, c->req.u.listen.ref, STREAM_LISTENING) : 0;
}

static int accept_decode(struct call *c)
{
	const struct pv_req_xen_accept *r = &c->req.u.accept;
	int ret;

	ret = decode_handle(c, "id", r->id, KINDS_SOCKET, &c->h);
	if (ret == 0)
		ret = decode_new_handle(c, "id_new", r->id_new);
	return ret < 0 ? ret : stream_decode_ref(c, NULL, r->ref, r->evtchn);
}

static int accept_(struct call *c)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	u32 id = c->req.u.accept.id_new;
	int fd = accept4(c->h->fd, (struct sockaddr *)&peer, &len, SOCKET_MODE);
	struct pollfd more = { .fd = c->h->fd, .events = POLLIN };
	struct pv_handle *h;
	int ret;

	if (fd < 0)
		return -errno;
	c->rsp.flags = socket_number(fd);
	if (c->h->unix_path)
		return unix_accepted(c, id, fd);
	ret = install_stream(c, id, fd, c->req.u.accept.ref);
	if (ret < 0)
		return ret;
	socket_describe(c, id, c->req.u.accept.pid, true, 0);
	h = handle_get(&c->srv->handles, id);
	h->connected = true;
	socket_event(c, h, CONNECTION_ACCEPTED);
	handle_put(h);
	if (len > sizeof(peer))
		len = sizeof(peer);
	memcpy(c->buf, &peer, len);
	c->rsp.val = len;
	if (c->srv->cfg.data_rings && poll(&more, 1, 0) == 0)
		c->rsp.val |= PV_ACCEPTED_LAST;
	return 0;
}

static int poll_decode(struct call *c)
{
	return decode_handle(c, "id", c->req.u.poll.id, KINDS_ANY, &c->h);
}

static int poll_(struct call *c)
{
	struct pollfd p = { .fd = c->h->fd,
			    .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM |
				      POLLWRNORM | POLLRDBAND | POLLWRBAND };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

#define X(cmd) [PV_##cmd]
const struct pv_command xen_commands[] = {
	X(SOCKET) = { "socket", socket_decode, socket_, 0 },
	X(CONNECT) = { "connect", connect_decode, connect_, 0 },
	X(RELEASE) = { "release", release_decode, release, 0 },
	X(BIND) = { "bind", bind_decode, bind_, 0 },
	X(LISTEN) = { "listen", listen_decode, listen_, 0 },
	X(ACCEPT) = { "accept", accept_decode, accept_, 0 },
	X(POLL) = { "poll", poll_decode, poll_, 0 },
};
