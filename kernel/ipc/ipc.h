/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC: what shared memory, semaphores and message queues have in common (sysvipc(7)).
 * An identifier is sequence * IPC_SLOTS + slot, so that an old one is known to be gone. How many there may
 * be is a limit that can be set (kernel.shmmni, msgmni, sem), up to IPC_SLOTS.
 */
#ifndef IPC_H
#define IPC_H

#include <linux/ipc.h>

#include "ipc_limits.h"
#include "ipc_ns.h"
#include "sync.h"

#define IPC_SLOTS IPC_MNI_MAX

struct ipc_object {
	refcount_t ref;
	struct ipc64_perm perm; /* of kernel ids */
	struct ipc_ns *ns;      /* not counted: its objects go with it */
	int id;
	bool removed; /* IPC_RMID, under the table's lock */
	s64 ctime;    /* seconds */
	struct waitq wait; /* woken when the object changes or goes */
};

/* One kind. `lock` protects the table, its objects and all they hold. */
struct ipc_table {
	struct mutex lock;
	struct ipc_object **slot; /* of `room`, made larger as needed */
	u16 *seq;
	u32 room, used;
	u32 top;          /* no slot at or above it is, or was, in use */
	const s64 *most;  /* the limit on `used` */
	void (*free)(struct ipc_object *o); /* last reference; without the lock */
	void (*forget)(struct ipc_object *o); /* removal: what refers to it. Lock held; may be NULL */
	/* Is a removed object still to be found by its id? NULL: no. Lock held. */
	bool (*lingers)(struct ipc_object *o);
};

struct ipc_request {
	u32 key;
	int flags;  /* IPC_CREAT, IPC_EXCL, mode */
	u64 size;
	struct ipc_object *(*create)(const struct ipc_request *r); /* or ERR_PTR; lock held */
	long (*check)(struct ipc_object *o, const struct ipc_request *r); /* of one that exists; may be NULL */
};

s64 ipc_now(void); /* seconds of CLOCK_REALTIME */
long ipc_get(struct ipc_table *t, const struct ipc_request *r); /* the *get calls: an id */
/* The rest with the table's lock held. Modes: bits of 0444, 0222. */
struct ipc_object *ipc_find(struct ipc_table *t, int id); /* or ERR_PTR(-EINVAL, -EIDRM) */
struct ipc_object *ipc_at(struct ipc_table *t, int index); /* SHM_STAT and its kin: by slot */
bool ipc_allowed(const struct ipc_object *o, u32 mode);
bool ipc_owned(const struct ipc_object *o); /* may it be changed and removed? */
int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p); /* IPC_SET: 0 or -EINVAL */
struct ipc64_perm ipc_shown_perm(const struct ipc_object *o);        /* IPC_STAT: as current sees the ids */
static inline bool ipc_visible(const struct ipc_object *o) { return o && o->ns == current_ipc_ns(); }
/* Out of the table; wakes the waiters. The caller puts the table's reference after unlocking. */
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
void ipc_put(struct ipc_table *t, struct ipc_object *o); /* without the lock */
int ipc_highest(struct ipc_table *t); /* index of the highest slot in use, 0 if none */

extern struct ipc_table sem_table, msg_table, shm_table;

#endif
