/* SPDX-License-Identifier: Apache-2.0 */
/* Between msg.c and the socket system calls. */
#ifndef MSG_H
#define MSG_H

#include "socket.h"

#define MSG_FAST_IOV 8

struct msg_buffers {
	struct mc_iovec fast[MSG_FAST_IOV];
	struct mc_iovec *heap;
};

void msg_init(struct msg *m, u32 flags, bool nonblock);
void msg_one_buffer(struct msg *m, struct mc_iovec *iov, uaddr_t buf, u64 len);
int sockaddr_from_user(void *to, uaddr_t addr, u32 len);
int sockaddr_to_user(uaddr_t to, uaddr_t ulen, const void *addr, u32 len);
/* msg_free() after either, also after an error. b->heap must be NULL before. */
int msg_import_send(struct msg *m, struct msg_buffers *b, const struct user_msghdr *h);
int msg_import_recv(struct msg *m, struct msg_buffers *b, const struct user_msghdr *h);
int msg_export_recv(struct msg *m, const struct user_msghdr *h, uaddr_t uhdr);
void msg_free(struct msg *m, struct msg_buffers *b);

#endif
