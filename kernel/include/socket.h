/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: what Linux' uapi headers leave to the C library, and the kernel's socket object. */
#ifndef SOCKET_H
#define SOCKET_H

#include <asm/socket.h>
#include <asm/poll.h>
#include <linux/un.h>

#include "fs.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 15
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK

#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

#define MSG_OOB 1u
#define MSG_PEEK 2u
#define MSG_DONTROUTE 4u
#define MSG_CTRUNC 8u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_EOR 0x80u
#define MSG_WAITALL 0x100u
#define MSG_CONFIRM 0x800u
#define MSG_ERRQUEUE 0x2000u
#define MSG_NOSIGNAL 0x4000u
#define MSG_MORE 0x8000u
#define MSG_WAITFORONE 0x10000u
#define MSG_ZEROCOPY 0x4000000u
#define MSG_FASTOPEN 0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD 253

#define SOCK_ADDR_MAX 128 /* struct sockaddr_storage */
#define SOCK_CTL_MAX 20480 /* net.core.optmem_max */

struct sockaddr {
	u16 sa_family;
	char sa_data[14];
};

struct ucred {
	u32 pid, uid, gid;
};

struct user_msghdr {
	u64 name;
	u32 namelen, pad0;
	u64 iov, iovlen;
	u64 control, controllen;
	u32 flags, pad1;
};

struct user_mmsghdr {
	struct user_msghdr hdr;
	u32 len, pad;
};

struct cmsghdr {
	u64 len;
	s32 level, type;
};
#define CMSG_ALIGN(n) (((n) + 7) & ~7ULL)

/* One message on its way through a socket. */
struct msg {
	struct uio u;
	u32 flags; /* MSG_* of the call; nowait is in u */
	u8 addr[SOCK_ADDR_MAX] __attribute__((aligned(8)));
	u32 addr_len; /* send: destination, 0 none. receive: the sender's, set by the family */
	bool want_addr; /* receive */
	u8 *ctl; /* send: kernel copy */
	u32 ctl_len;
	uaddr_t uctl; /* receive: the user's buffer, filled by msg_put_cmsg() */
	u64 uctl_room, uctl_used;
	u32 out_flags; /* receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR ... */
};
/* Append a control message for the receiver; what does not fit is cut, with MSG_CTRUNC. */
void msg_put_cmsg(struct msg *m, int level, int type, const void *data, size_t len);
/* Walk the control messages to send. *at starts at 0. False at the end; *error: malformed. */
bool msg_next_cmsg(const struct msg *m, u32 *at, struct cmsghdr *hdr, const u8 **data, u32 *len,
		   int *error);

struct socket;
struct sock_ops {
	/* addr: kernel memory, at least 2 bytes and at most SOCK_ADDR_MAX. */
	int (*bind)(struct socket *s, const void *addr, u32 len);
	int (*connect)(struct socket *s, const void *addr, u32 len, bool nowait);
	int (*listen)(struct socket *s, int backlog);
	struct socket *(*accept)(struct socket *s, bool nowait); /* or ERR_PTR */
	/* Fills addr (SOCK_ADDR_MAX); returns its length. */
	int (*getname)(struct socket *s, void *addr, bool peer);
	int (*shutdown)(struct socket *s, int how);
	/* Length of the value in val (of size `room`), or -errno. */
	int (*getsockopt)(struct socket *s, int level, int name, void *val, u32 room);
	int (*setsockopt)(struct socket *s, int level, int name, const void *val, u32 len);
	s64 (*sendmsg)(struct socket *s, struct msg *m);
	s64 (*recvmsg)(struct socket *s, struct msg *m);
	u32 (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
	s64 (*ioctl)(struct socket *s, u32 cmd, u64 arg);
	void (*release)(struct socket *s);
};

/* First member of each family's socket. */
struct socket {
	const struct sock_ops *ops;
	struct file *file; /* not counted: it owns the socket; NULL before there is one */
	int domain, type, protocol;
	u32 handle; /* families whose sockets are the host's */
	u64 rcvtimeo, sndtimeo; /* ns; 0: for ever */
	u64 ino; /* of its file; of a socket of the host, as /proc/net has it. 0: none yet */
};

extern const struct file_ops socket_ops;
/*
 * The file of a new socket, which it takes over (also on error: then the socket is released).
 * NULL: no memory.
 */
struct file *socket_file(struct socket *s, u32 flags);
static inline struct socket *socket_of_file(struct file *f)
{
	return f->ops == &socket_ops ? f->priv : NULL;
}

/* When a blocking operation that begins now has to end. */
u64 sock_deadline(u64 timeo);
/* What an interrupted operation returns: calls with a timeout are not restarted (signal(7)). */
static inline long sock_interrupted(u64 timeo)
{
	return timeo ? -EINTR : -ERESTARTSYS;
}
int iov_import(struct uio *u, struct mc_iovec *fast, int nfast, uaddr_t uiov, u64 n,
	       struct mc_iovec **heap);

/* Families: a new socket or ERR_PTR. type without flags. */
struct socket *unix_socket(int type, int protocol);
int unix_socketpair(int type, struct socket **a, struct socket **b);
struct socket *inet_socket(int domain, int type, int protocol);
struct socket *netlink_socket(int type, int protocol);

/*
 * Questions about network devices (SIOCGIF*), which any socket answers. -ENOTTY: not one of
 * them.
 */
s64 netdev_ioctl(u32 cmd, uaddr_t arg);

/*
 * /proc/net/unix: the line of the n-th socket, with newline, to buf (256 bytes do). Its length,
 * 0: no more.
 */
size_t unix_proc_line(u32 n, char *buf, size_t size);

void unix_notify_boot(void); /* the socket that boot_info.notify asks for */

#endif
