/* SPDX-License-Identifier: Apache-2.0 */
/* file.h: pieces of the open-handle calls that live in files of their own. */
#ifndef CALLGATE_CALL_FILE_H
#define CALLGATE_CALL_FILE_H

#include "call/call.h"

struct statfs;

int ioctl_decode(struct call *c);
int ioctl_perform(struct call *c);
int inotify_rm_decode(struct call *c);
int inotify_rm(struct call *c);

/*
 * Guest processes may keep stale copies of a released handle's descriptor, and locks live as long
 * as any copy: so they are dropped by hand.
 */
void file_drop_locks(struct pv_handle *h);

/* A file system of the host's own: nobody changes it behind the host's back, and reading it changes nothing. */
bool plain_fs(const struct statfs *fs);

#endif
