/* SPDX-License-Identifier: Apache-2.0 */
/* Socket calls beyond Xen's: names, and what the socket files share. */
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

#include "call/sock.h"
#include "call/server_impl.h"

/* The destination is the control plane's business: only families that the guest may use. */
int sock_check_address(const struct call *c, const void *addr, u32 len)
{
	struct sockaddr_nl nl = { 0 };
	u16 family;

	if (c->h->unix_path) /* paths have commands of their own */
		return -EINVAL;
	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (c->h->kind == HANDLE_NETLINK) {
		if (family != AF_NETLINK || len < sizeof(nl))
			return -EINVAL;
		memcpy(&nl, addr, sizeof(nl));
		/* To the kernel only; its port number is for the kernel to give. */
		return nl.nl_pid == 0 ? 0 : -EPERM;
	}
	return family == AF_INET || family == AF_INET6 || family == AF_UNSPEC ? 0 : -EAFNOSUPPORT;
}

int sock_decode(struct call *c, u32 kinds)
{
	const struct pv_req_sock *r = &c->req.u.sock;
	int ret = decode_handle(c, "id", r->id, kinds, &c->h);

	if (ret == 0)
		ret = decode_cred(c, r->cred);
	if (ret < 0)
		return ret;
	return decode_len(c, "len", (u64)r->len + r->addr_len + r->ctl_len);
}

/*
 * Stale copies of the descriptor may linger in guest processes, so the close of the master sends no
 * FIN and stops no listener: shutdown does. Datagram sockets and unconnected ones say ENOTCONN,
 * which is well.
 */
void sock_release(struct pv_handle *h)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (h->connected && h->reset)
		connect(h->fd, &none, sizeof(none));
	else if (h->connected)
		shutdown(h->fd, SHUT_RDWR);
}

static int name_decode(struct call *c)
{
	int ret = sock_decode(c, KINDS_SOCKET_LIKE);

	/* the name of the other end is the host's: the guest knows what the container calls it */
	return !ret && c->h->unix_path ? -EOPNOTSUPP : ret;
}

static int shutdown_decode(struct call *c)
{
	return sock_decode(c, KINDS_SOCKET_LIKE);
}

static int name_answer(struct call *c, int ret, const struct sockaddr_storage *addr, socklen_t len)
{
	if (ret < 0)
		return -errno;
	if (len > sizeof(*addr))
		len = sizeof(*addr);
	memcpy(c->buf, addr, len);
	return (int)len;
}

static int sockname(struct call *c)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int ret = getsockname(c->h->fd, (struct sockaddr *)&addr, &len);

	return name_answer(c, ret, &addr, len);
}

static int peername(struct call *c)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int ret = getpeername(c->h->fd, (struct sockaddr *)&addr, &len);

	return name_answer(c, ret, &addr, len);
}

static int shutdown_(struct call *c)
{
	if (stream_shutdown(c->srv, c->h, (int)c->req.u.sock.name))
		return 0;
	return shutdown(c->h->fd, (int)c->req.u.sock.name) < 0 ? -errno : 0;
}

#define S(cmd) [PV_##cmd - PV_GETSOCKNAME]
const struct pv_command sock_commands[] = {
	S(GETSOCKNAME) = { "getsockname", name_decode, sockname, 0 },
	S(GETPEERNAME) = { "getpeername", name_decode, peername, 0 },
	S(GETSOCKOPT) = { "getsockopt", sockopt_decode, sockopt_get, 0 },
	S(SETSOCKOPT) = { "setsockopt", sockopt_decode, sockopt_set, 0 },
	S(SHUTDOWN) = { "shutdown", shutdown_decode, shutdown_, 0 },
	S(SENDTO) = { "sendto", sendto_decode, sendto_perform, 0 },
	S(RECVFROM) = { "recvfrom", recvfrom_decode, recvfrom_perform, 0 },
};
