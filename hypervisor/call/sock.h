/* SPDX-License-Identifier: Apache-2.0 */
/* sock.h: pieces of the socket back end that live in files of their own. */
#ifndef CALLGATE_CALL_SOCK_H
#define CALLGATE_CALL_SOCK_H

#include <sys/socket.h>

#include "call/call.h"

/*
 * The mode of donated sockets. A copy shares it with the master, and a guest that waits for data
 * does so in one host call. The hypervisor itself never waits for a socket: it connects, and holds
 * listening and netlink sockets, in non-blocking mode, and passes MSG_DONTWAIT.
 */
#define SOCKET_MODE SOCK_CLOEXEC
#define SOCKADDR_MAX 28u

#define KINDS_SOCKET (KIND(SOCKET) | KIND(NETLINK))
/* Stdio may be a socket of the outside world: what only looks at it, or shuts it down, is harmless.
 */
#define KINDS_SOCKET_LIKE (KINDS_SOCKET | KIND(STREAM))

/* Does an address from the guest belong to the families that the guest may use? 0 or -errno. */
int sock_check_address(const struct call *c, const void *addr, u32 len);
/* Credentials, the socket, and the bounds of the buffer. */
int sock_decode(struct call *c, u32 kinds);
/* unix.c, of a socket with a unix_path. A connection's fd is taken over, also on failure. 0 or -errno */
int unix_accepted(struct call *c, u32 id, int fd);
int unix_listen(struct call *c, int backlog);
/* Releasing the guest's last reference to a socket. */
void sock_release(struct pv_handle *h);

/* sock_opt.c */
int sockopt_decode(struct call *c);
int sockopt_get(struct call *c);
int sockopt_set(struct call *c);
/* sock_msg.c */
int sendto_decode(struct call *c);
int sendto_perform(struct call *c);
int recvfrom_decode(struct call *c);
int recvfrom_perform(struct call *c);
/* netlink.c: only requests for information pass. 0 or -EPERM, -ENOENT. */
int netlink_check(int protocol, const void *data, size_t len);

#endif
