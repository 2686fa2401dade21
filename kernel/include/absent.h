/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the root mount that are known not to be there (fs/absent.c). */
#ifndef ABSENT_H
#define ABSENT_H

#include "names.h"

struct inode;
struct name;
struct pv_slot;

/* A question for a name of the host. */
struct absent {
	u64 key; /* 0: it is not remembered */
	struct names_moment when;
	const char *text; /* the name's, which the answer must find unchanged */
	size_t len;
	u64 dev, ino;
	u32 cred;
	bool nofollow;
};

/* True: the answer is -ENOENT. nofollow: a symbolic link as the last component is not followed. */
bool absent_known(struct absent *a, const struct name *n, bool nofollow);
/* Else the hypervisor has been asked, and has answered. */
void absent_found(const struct absent *a, const struct pv_slot *s);
/* current runs another program: other names will follow each other. */
void absent_exec(const struct inode *program);

#endif
