/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.h: the hypervisor's table of the guest's handles. It holds the master descriptor of each.
 * An entry is counted: a release does not close a descriptor that another thread is using.
 */
#ifndef CALLGATE_CALL_HANDLE_H
#define CALLGATE_CALL_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "layout.h"
#include "types.h"

enum handle_kind {
	HANDLE_PATH, /* O_PATH: a name, nothing else */
	HANDLE_DIR, /* an open directory */
	HANDLE_FILE, /* a regular file */
	HANDLE_SOCKET, /* inet or unix, donated */
	HANDLE_NETLINK, /* never donated */
	HANDLE_MEMFD,
	HANDLE_WATCH, /* epoll */
	HANDLE_INOTIFY,
	HANDLE_CHARDEV, /* of linux.devices */
	HANDLE_BLOCKDEV,
	HANDLE_STREAM, /* stdio that is a pipe, terminal, device or foreign socket */
};

#define KIND(k) (1u << HANDLE_##k)
#define KINDS_ANY (~0u)
/*
 * Bytes may be written to these without being looked at; a netlink socket would take them for
 * requests.
 */
#define KINDS_NO_NETLINK (~KIND(NETLINK))

struct pv_handle {
	int refs; /* atomic */
	int fd;
	enum handle_kind kind;
	bool foreign; /* came from outside (stdio): its inode is not the container's */
	bool connected; /* a stream socket which may need a FIN at release */
	bool lingers; /* SO_LINGER was set: close may wait */
	bool reset; /* ... to zero: close sends a reset */
	char *unix_path; /* of a unix socket: as the container names where it is bound or connected to; else NULL */
	bool unix_bound; /* ... bound, not connected or accepted */
	bool is_stream; /* of inet: with data rings, these are not donated */
	bool flocked, locked; /* flock or OFD locks were taken through it */
	struct stream *stream; /* its data ring's; under the lock of the streams */
	struct sock_info *info; /* of an inet socket: sockets.h; set once */
	struct policy_peers *peers; /* atomic; of a UDP server under a policy: who has sent it something */
};

#define HANDLE_CHUNK 1024u

struct handle_table {
	pthread_mutex_t lock;
	struct pv_handle **chunks[MAX_HANDLES / HANDLE_CHUNK];
};

void handles_init(struct handle_table *t);
void handles_destroy(struct handle_table *t);
bool handle_in_use(struct handle_table *t, u32 id);
/* Takes over fd on success; *out, if wanted, is a counted reference then. -EEXIST: the number is in use. */
int handle_insert(struct handle_table *t, u32 id, enum handle_kind kind, int fd, bool foreign, struct pv_handle **out);
/* The first number from id on that may be in use; MAX_HANDLES: there is none. */
u32 handles_next_chunk(struct handle_table *t, u32 id);
/* A counted reference, or NULL. */
struct pv_handle *handle_get(struct handle_table *t, u32 id);
struct pv_handle *handle_ref(struct pv_handle *h);
void handle_put(struct pv_handle *h);
/* Takes the entry out of the table; the reference passes to the caller. NULL: there is none. */
struct pv_handle *handle_remove(struct handle_table *t, u32 id);
/* Takes h out of the table, unless somebody has done so already. */
void handle_drop(struct handle_table *t, u32 id, struct pv_handle *h);
/* Of a descriptor that somebody else has made. */
enum handle_kind handle_kind_of(int fd);

#endif
