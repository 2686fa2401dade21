/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the socket system calls. */
#ifndef SOCK_CALLS_H
#define SOCK_CALLS_H

#include "socket.h"

/* The socket at fd, in *r (to be returned in any case). 0, -EBADF, -ENOTSOCK. */
int socket_borrow(int fd, struct fdref *r);
bool socket_nonblock(struct fdref r);
s64 socket_send(struct socket *s, struct msg *m); /* raises SIGPIPE */

#endif
