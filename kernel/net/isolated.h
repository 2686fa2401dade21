/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets in a network namespace of the guest's own, where there is a loopback interface and no way out. */
#ifndef NET_ISOLATED_H
#define NET_ISOLATED_H

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

struct socket *isolated_socket(int domain, int type, int protocol);  /* AF_INET, AF_INET6; or ERR_PTR */
struct socket *isolated_netlink(int type, int protocol);             /* or ERR_PTR */
s64 isolated_ioctl(struct net_ns *net, u32 cmd, uaddr_t arg);        /* of interfaces: netdevice(7) */

#endif
