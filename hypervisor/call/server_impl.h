/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own state, for the files of hypervisor/call/ only. */
#ifndef CALLGATE_CALL_SERVER_IMPL_H
#define CALLGATE_CALL_SERVER_IMPL_H

#include <pthread.h>
#include <sched.h>

#include "call/call.h"
#include "call/cred.h"
#include "call/event.h"
#include "call/handle.h"
#include "call/server.h"
#include "call/stream.h"
#include "call/workers.h"

/* How long to poll the ring before sleeping: see wait.c. */
struct spinner {
	int score; /* > 0: requests have been following each other closely */
	bool allowed; /* more than one CPU */
	u64 start_left; /* ns: what may still be spent on waiting for the guest's first requests */
};

/* On which CPU the server's thread is, and its callers are: see place.c. */
struct placement {
	u32 cpu;      /* ours, plus 1, as the ring says */
	u32 together; /* requests whose caller sleeps on our CPU, since the last look for another */
	u32 apart;    /* requests from other CPUs, since the last of those */
	u32 patience; /* of the first, before the next look */
};

struct donor {
	pthread_mutex_t lock; /* order of sending == order of numbers */
	u32 sequence;
};

/* See mount_flags() in path_open.c: main thread only. */
#define MOUNT_FLAGS_CACHE 64
struct mount_flags_entry {
	u64 mnt_id;
	u32 flags;
	bool known, plain; /* plain_fs() */
};

struct command_counter {
	u64 calls, errors, crossings; /* atomic */
};

struct pv_server {
	struct pv_server_config cfg;
	struct pv_marker *markers;
	struct ring_header *ring;
	u8 *data;
	u8 *data_rings;
	u32 consumed; /* requests taken: ours alone, never read from the ring */
	int nice; /* the container's own: none of its threads gets a better one */
	bool stopping; /* atomic */
	bool watch_connections; /* atomic */
	u64 root_mnt_id; /* see path_root_mount(); atomic */
	bool magic; /* a procfs is visible in the container: names may hold magic links */
	pthread_t thread;
	struct spinner spinner;
	struct placement placement;
	struct workers workers;
	struct donor donor;
	struct handle_table handles;
	struct cred_table creds;
	struct event_table events;
	struct streams streams;
	struct programs *programs; /* NULL: nobody wants to know */
	struct policy_names *names; /* the same */
	struct call *calls; /* one for each slot */
	bool busy[RING_SLOTS]; /* atomic: a call of this slot is being served */
	struct command_counter counters[COMMANDS];
	struct mount_flags_entry mount_flags[MOUNT_FLAGS_CACHE];
};

/* A large buffer that is written before it is read: -ftrivial-auto-var-init leaves it alone. */
#define UNINITIALIZED __attribute__((uninitialized))

/* serve.c: perform a decoded call on this thread and answer it. */
void serve_perform(struct call *c, struct caller *me);
/* serve.c: take the request at the head of the ring. false: stop serving. */
bool serve_next(struct pv_server *srv, struct caller *me);
void serve_violation(struct pv_server *srv, const char *why);

/* wait.c: until the ring holds a request or the server stops. */
void wait_for_request(struct pv_server *srv);
void wait_init(struct spinner *s);

/* place.c: the CPU of the server's thread. */
bool place_shared(const struct pv_server *srv); /* the last caller's is ours */
void place_look(struct pv_server *srv, const u32 *state); /* for a request that was taken, whose slot's state this is */
bool place_leave(u32 cpu);
bool place_usual(cpu_set_t *usual, const cpu_set_t *now); /* what a thread of the VM may run on, now and later */

bool ring_pending(struct pv_server *srv);
void ring_wake_server(struct pv_server *srv);
void futex_wake(u32 *word);

static inline bool server_stopping(struct pv_server *srv)
{
	return __atomic_load_n(&srv->stopping, __ATOMIC_SEQ_CST);
}

static inline void server_set_stopping(struct pv_server *srv)
{
	__atomic_store_n(&srv->stopping, true, __ATOMIC_SEQ_CST);
}

#endif
