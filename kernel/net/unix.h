/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets, inside: unix.c (life, options, poll), unix_name.c (addresses), unix_conn.c
 * (connections), unix_msg.c (data), unix_scm.c (descriptors and credentials), unix_host.c (sockets
 * whose other end is outside).
 *
 * A socket is referenced by its file, by peers, by packets that it sent and by accept queues.
 * `lock` protects its own state and queue; two sockets are locked at once by
 * unix_conn.c alone, in the order of their addresses. Sleepers wait on queues of their own
 * socket, or on unix_space, where those wait whom somebody else's full queue stops: a queue of
 * another socket might not outlive the wait.
 */
#ifndef UNIX_H
#define UNIX_H

#include "net_ns.h"
#include "socket.h"

#define RCV_SHUTDOWN 1u
#define SEND_SHUTDOWN 2u
#define SHUTDOWN_MASK 3u
#define UNIX_SNDBUF 212992u
#define UNIX_DGRAM_QUEUE 64u /* datagrams waiting in one socket */
#define UNIX_HEADER offsetof(struct sockaddr_un, sun_path)

/* A name. Immutable. */
struct unix_addr {
	refcount_t ref;
	u32 len; /* of the sockaddr, family included */
	struct sockaddr_un un;
	char nul; /* behind the longest path */
};

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
	struct socket sk;
	refcount_t ref;
	struct mutex lock;
	struct mutex read_lock; /* one reader at a time; not held while it sleeps */
	enum unix_state state;
	bool dead; /* its file is gone */
	bool passcred;
	u8 stamps; /* SO_TIMESTAMP, SO_TIMESTAMPNS: 0 none, else the message that tells it */
	bool notify; /* what is sent to it goes to the hypervisor: unix_notify.c */
	bool polled; /* edge-triggered watchers see every message */
	u32 shutdown;
	int err; /* SO_ERROR */
	struct unix_sock *peer; /* reference */
	struct list_head rx; /* packets */
	u32 rx_packets;
	u64 rx_bytes;
	u32 wmem; /* bytes sent and not yet received */
	u32 sndbuf, rcvbuf;
	u32 noted; /* options that change nothing here, by unix_noted[] */
	int priority;
	struct waitq rd_wait, wr_wait;
	struct net_ns *net; /* counted; abstract names are of it */
	struct ucred own, other; /* kernel ids, as SO_PEERCRED shows: ours to peers; the peer's */

	struct list_head pending; /* connections to accept, by pending_node */
	struct list_head pending_node;
	u32 npending, backlog;

	struct unix_addr *addr;
	struct unix_addr *to; /* connected to the outside: by this name */
	struct unix_dest *dest; /* where datagrams to the outside go; unix_host.c */
	u64 dev, ino; /* of a bound path; ino 0: abstract, unbound, or the host's */
	struct list_head hash_node, all_node;
};

struct unix_packet {
	struct list_head node;
	struct unix_sock *from; /* reference: its wmem is charged, its name is the sender's */
	struct unix_addr *addr; /* the sender's name when it sent; may be NULL */
	struct ucred cred;
	u64 time; /* ns, when it came, for who wants to know; 0: nobody did then */
	struct scm_files *files; /* may be NULL */
	u32 charge;
	u32 off, len; /* the bytes not read yet */
	u8 data[];
};

struct scm_files {
	struct scm_files *next; /* on the way out */
	int n;
	u32 uid; /* whose count of descriptors in flight has them */
	struct file *file[];
};

static inline struct unix_sock *unix_of(struct socket *s)
{
	return (struct unix_sock *)s;
}
static inline bool unix_is_dgram(const struct unix_sock *u)
{
	return u->sk.type == SOCK_DGRAM;
}

extern struct waitq unix_space;
extern const struct sock_ops unix_ops;

/* unix_notify.c */
long unix_notify(const void *text, size_t len); /* 0 or -errno */

/*
 * unix_host.c. Some mounts have unix sockets that are the host's: names that no socket of the guest's has may be there. A
 * socket that is bound or connected there becomes the host's itself, and stays so.
 */
int unix_host_bind(struct unix_sock *u, const char *path); /* -EOPNOTSUPP: it is the guest's matter */
int unix_host_connect(struct unix_sock *u, const void *addr, u32 len, bool nowait); /* -ECONNREFUSED: there is none */
/* A datagram for which there is no receiver in the guest (err says why). */
s64 unix_host_send(struct unix_sock *u, struct msg *m, s64 err);
void unix_host_disconnect(struct unix_sock *u); /* of datagrams: connected elsewhere now */
void unix_dest_free(struct unix_dest *dest); /* NULL is allowed */

/* unix.c */
struct unix_sock *unix_new(int type);
void unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
struct unix_sock *unix_peer_get(struct unix_sock *u); /* with a reference; NULL */
int unix_take_error(struct unix_sock *u); /* -errno, and clears it */
struct ucred unix_current_cred(void);
struct ucred unix_show_cred(const struct ucred *c); /* as current sees these ids */
bool unix_writable(const struct unix_sock *u);
void unix_release(struct socket *s);
u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt);

/* unix_name.c */
int unix_bind(struct socket *s, const void *addr, u32 len);
int unix_autobind(struct unix_sock *u);
int unix_getname(struct socket *s, void *addr, bool peer);
/* The live socket with this name and type, with a reference; or ERR_PTR. */
struct unix_sock *unix_find(const struct sockaddr_un *un, u32 len, int type);
void unix_addr_put(struct unix_addr *a); /* NULL is allowed */
struct unix_addr *unix_addr_get(struct unix_addr *a);
struct unix_addr *unix_addr_new(const void *un, u32 len);
void unix_list_add(struct unix_sock *u);
void unix_list_del(struct unix_sock *u); /* and unhash */
extern struct mutex unix_table_lock; /* the lists of all sockets, and addr of each */
extern struct list_head unix_all;

/* unix_conn.c */
int unix_connect(struct socket *s, const void *addr, u32 len, bool nowait);
int unix_listen(struct socket *s, int backlog);
struct socket *unix_accept(struct socket *s, bool nowait);
int unix_shutdown(struct socket *s, int how);
void unix_detach_peer(struct unix_sock *u, bool reset);
/* May this datagram socket send to that one: it has no peer, or us. */
bool unix_may_send(struct unix_sock *u, struct unix_sock *to);

/* unix_msg.c */
s64 unix_sendmsg(struct socket *s, struct msg *m);
s64 unix_recvmsg(struct socket *s, struct msg *m);
void unix_packet_free(struct unix_packet *p);
void unix_rx_purge(struct unix_sock *u);

/* unix_scm.c */
int scm_send(struct unix_sock *u, struct msg *m, struct ucred *cred, struct scm_files **files);
/*
 * Descriptors to the receiver: installs, or with peek installs copies. Takes files over unless
 * peek.
 */
void scm_receive_files(struct msg *m, struct scm_files *files, bool peek);
void scm_receive_cred(struct unix_sock *u, struct msg *m, const struct ucred *cred);
void scm_receive_time(struct unix_sock *u, struct msg *m, u64 ns); /* u->stamps is set */
void scm_files_free(struct scm_files *files); /* NULL is allowed */

#endif
