/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h: what guest processes run, by the numbers of PV_EXEC_ID. There is a table only where there are policies.
 */
#ifndef CALLGATE_CALL_PROGRAM_H
#define CALLGATE_CALL_PROGRAM_H

#include <pthread.h>

#include "call/policy.h"
#include "pvcall.h"

struct program {
	int refs; /* atomic */
	struct policy_program is;
	char text[]; /* path, script's path, lineage */
};

#define HASH_CACHE 64

/* A file that was hashed, and has not been changed since. */
struct hashed_file {
	u64 dev, ino, size;
	s64 mtime_sec, ctime_sec;
	u32 mtime_nsec, ctime_nsec;
	struct policy_hash hash;
};

struct programs {
	pthread_mutex_t lock;
	struct program *v[PV_MAX_EXEC_IDS];
	bool want_hashes;
	pthread_mutex_t hash_lock;
	struct hashed_file hashed[HASH_CACHE];
	u32 next;
};

struct programs *programs_new(const struct policies *policies); /* NULL: no memory */
void programs_free(struct programs *t); /* NULL is allowed */
struct program *program_get(struct programs *t, u32 number); /* counted; NULL: there is none */
void program_put(struct program *p);

/* hash.c: of an open file's content. false: it can't be read. Threads of the server only. */
bool programs_hash(struct programs *t, int fd, struct policy_hash *out);

#endif
