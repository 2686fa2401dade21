/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPC namespaces: System V objects and POSIX message queues. The objects of all are in the same tables,
 * each marked with its own (ipc/ipc.c); limits and counts are those of the whole container.
 */
#ifndef IPC_NS_H
#define IPC_NS_H

#include "ns.h"

struct inode;

struct ipc_ns {
	struct ns ns;
	struct inode *mqueue_root; /* made on first use */
};

extern struct ipc_ns init_ipc_ns;
static inline struct ipc_ns *ipc_ns_of(struct ns *ns) { return (struct ipc_ns *)ns; }
static inline struct ipc_ns *current_ipc_ns(void) { return ipc_ns_of(current_ns(NS_IPC)); }

#endif
