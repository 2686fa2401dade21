/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred.h: whose authority a call uses. The guest registers its credentials once by number; a
 * serving thread takes them on before it acts. Only thread-local state is changed.
 */
#ifndef CALLGATE_CALL_CRED_H
#define CALLGATE_CALL_CRED_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pvcall.h"

struct cred {
	int refs; /* atomic */
	u32 fsuid, fsgid;
	u64 caps;
	u32 ngroups;
	u32 groups[];
};

struct cred_table {
	pthread_mutex_t lock;
	struct cred *creds[PV_MAX_CREDS]; /* 0: all-powerful root of the container */
};

int creds_init(struct cred_table *t);
void creds_destroy(struct cred_table *t);
/* Both: -EEXIST, -EBADF, -ENOMEM. */
int cred_new(struct cred_table *t, u32 number, const struct pv_cred *from);
int cred_free(struct cred_table *t, u32 number);
struct cred *cred_get(struct cred_table *t, u32 number); /* counted; NULL: there is none */
void cred_put(struct cred *c);

struct pv_server;
struct pv_handle;

/* A serving thread: what it has taken on at present. */
struct caller {
	struct pv_server *srv;
	struct cred *cred; /* counted */
	struct pv_handle *root; /* counted; NULL: the container's root */
	uid_t euid;
	gid_t egid;
	u64 permitted; /* what the thread could have at most */
	u64 effective;
	bool fixed_groups; /* a user namespace where groups can not be set */
	bool fixed_ids; /* a user namespace without an id for root: that of one user, for all */
	bool fixed; /* without CAP_SETUID or CAP_SETGID (rootless): one identity for all */
};

/* To be called once by the thread itself. 0 or -errno. */
int caller_init(struct caller *me, struct pv_server *srv);
void caller_exit(struct caller *me);
/* Take on credentials; a root directory. 0 or -errno, and then the thread must not act. */
int caller_become(struct caller *me, struct cred *cred);
/* Acts as the user to whom this file belongs, without capabilities, and as itself again. 0 or -errno. */
int caller_be_owner(struct caller *me, int dirfd, const char *name);
int caller_be_no_owner(struct caller *me);
/* Open a file below dirfd as its owner: for /proc/PID/mem, which is only its owner's. A descriptor or -errno. */
int caller_open_owned(struct caller *me, int dirfd, const char *name, int flags);
/*
 * Until caller_be_itself() the call's credentials are those by which the other end of a unix socket knows the thread.
 * 0 or -errno; then, too, caller_be_itself() is to be called.
 */
int caller_be_peer(struct caller *me);
int caller_be_itself(struct caller *me);
int caller_chroot(struct caller *me, struct pv_handle *root);

#endif
