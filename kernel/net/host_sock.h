/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the hypervisor, inside: host_sock.c (PV calls that name, connect and configure),
 * inet.c (TCP, UDP, raw: life and connections), inet_msg.c (their data), netlink.c.
 */
#ifndef HOST_SOCK_H
#define HOST_SOCK_H

#include "socket.h"

#define PV_ADDR_MAX 28u

struct host_sock {
	struct socket sk; /* sk.handle: the hypervisor's socket */
	bool connected; /* a stream whose connect() or accept() has succeeded */
	bool wants_control; /* an option was set that makes the host send control messages */
	u8 peer_len; /* of an accepted socket: its peer's address, for accept() to return */
	u8 peer[PV_ADDR_MAX];
	struct stream *stream; /* of sockets with a data ring (stream.h) */
	struct netlink *netlink; /* see netlink.c */
};

static inline struct host_sock *host_of(struct socket *s)
{
	return (struct host_sock *)s;
}

/* host_sock.c */
struct socket *host_sock_new(const struct sock_ops *ops, int domain, int type,
			     int protocol); /* or ERR_PTR */
struct host_sock *host_sock_wrap(const struct sock_ops *ops, const struct socket *like, u32 handle);
int host_bind(struct socket *s, const void *addr, u32 len);
int host_pv_connect(struct socket *s, const void *addr, u32 len);
int host_listen(struct socket *s, int backlog);
int host_getname(struct socket *s, void *addr, bool peer);
int host_shutdown(struct socket *s, int how);
int host_getsockopt(struct socket *s, int level, int name, void *val, u32 room);
int host_setsockopt(struct socket *s, int level, int name, const void *val, u32 len);
s64 host_ioctl(struct socket *s, u32 cmd, u64 arg);
void host_release(struct socket *s);
/* One PV_SENDTO or PV_RECVFROM; never blocks. The message is moved as a whole. */
s64 host_sendto(struct socket *s, struct msg *m);
s64 host_recvfrom(struct socket *s, struct msg *m);

/* inet.c */
s64 inet_fast_open(struct socket *s, struct msg *m); /* bytes sent, 0: connected only, or -errno */

/* inet_msg.c */
s64 inet_sendmsg(struct socket *s, struct msg *m);
s64 inet_recvmsg(struct socket *s, struct msg *m);
/*
 * Wait for `events` on the handle. 0: ready (*got, if wanted: POLL*) or look again, -EAGAIN:
 * the deadline, or interrupted.
 */
long inet_wait(struct socket *s, u32 events, u64 deadline, u64 timeo, u32 *got);

/* Says in the buffer who asks: struct pv_who. */
void host_sock_who(struct pv_slot *s, u32 at); /* `at`: offset in it */

#endif
