/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets in a network namespace of the guest's own, where there is a loopback interface and no way out. */
#ifndef NET_ISOLATED_H
#define NET_ISOLATED_H

#include <linux/in.h>
#include <linux/in6.h>

#include "list.h"
#include "net_ns.h"
#include "socket.h"

/* linux/if.h wants a C library. */
#define IF_NAMESIZE 16
#define IFF_UP 1u
#define IFF_LOOPBACK 8u
#define IFF_RUNNING 0x40u
#define IFF_LOWER_UP 0x10000u
#define ARPHRD_LOOPBACK 772
#define LO_INDEX 1
#define LO_MTU 65536

struct ifreq {
	char name[IF_NAMESIZE];
	union {
		struct sockaddr addr;
		short flags;
		int value;
		u8 room[24];
	};
};

#define ISOLATED_OPTIONS 32

/*
 * A socket of an internet family. Its bytes go through a unix socket, which bears a name made of the port: what
 * is bound to a loopback address of the namespace is found by it (isolated_lo.c).
 */
struct isolated {
	struct socket sk;
	struct net_ns *net;    /* counted */
	struct socket *inner;  /* stream or datagram; NULL: raw */
	struct mutex lock;
	struct list_head node; /* among those with a port */
	struct waitq wait;     /* of raw sockets: nothing ever comes */
	union inet_name {
		u16 family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name, peer; /* peer.family 0: not connected */
	bool listening;
	int noptions;
	struct isolated_option {
		int level, name, value;
	} option[ISOLATED_OPTIONS]; /* what was set, for who asks */
};

static inline struct isolated *isolated_of(struct socket *s) { return (struct isolated *)s; }
extern const struct sock_ops isolated_ops;

/* ---- isolated.c ---- */
struct isolated *isolated_new(struct net_ns *net, int domain, int type, int protocol); /* without `inner`; NULL: no memory */
int isolated_take_port(struct isolated *i, u16 port); /* 0: any; network order. Binds `inner`. 0 or -errno */
u16 *isolated_port(union inet_name *n);
u32 isolated_name_len(const struct socket *s);
/* The family whose port p, in network order, would take a packet for this one: AF_INET, AF_INET6. 0: nobody has it. */
int isolated_taker(const struct isolated *from, int family, u16 port);

/* ---- isolated_lo.c ---- */
int isolated_bind_inner(struct isolated *i, u16 port);
int isolated_connect(struct socket *s, const void *addr, u32 len, bool nowait);
int isolated_listen(struct socket *s, int backlog);
struct socket *isolated_accept(struct socket *s, bool nowait);
int isolated_shutdown(struct socket *s, int how);
s64 isolated_sendmsg(struct socket *s, struct msg *m);
s64 isolated_recvmsg(struct socket *s, struct msg *m);
u32 isolated_poll(struct socket *s, struct file *f, struct poll_table *pt);

struct socket *isolated_socket(int domain, int type, int protocol);  /* AF_INET, AF_INET6; or ERR_PTR */
struct socket *isolated_netlink(int type, int protocol);             /* or ERR_PTR */
s64 isolated_ioctl(struct net_ns *net, u32 cmd, uaddr_t arg);        /* of interfaces: netdevice(7) */

#endif
