/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a container: <root>/<id>/state.json. The folder is what makes
 * an ID taken. It is written once, when the hypervisor process exists.
 */
#ifndef CALLGATE_RUNTIME_OCI_STATE_H
#define CALLGATE_RUNTIME_OCI_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/arena.h"
#include "lib/error.h"
#include "oci/spec.h"

struct container_state {
	char *id;
	pid_t pid;                 /* the hypervisor's */
	unsigned long long started; /* its start time in /proc: a pid may be used again */
	char *bundle;              /* or NULL */
	char *rootfs;
	char *cgroups_path;
	char *created; /* RFC 3339 */
};

/* runc's rule: letters, digits and "_+-.", and neither "." nor ".." */
int must_check state_check_id(const char *id, struct error *err);

/*
 * Takes an ID: makes its folder. The state of a container which is dead, and whose
 * runtime died before it could clean up, is removed first.
 */
int must_check state_create(const char *root, const char *id, struct error *err);

int must_check state_write(const char *root, const struct container_state *state,
			   struct error *err);
int must_check state_read(const char *root, const char *id, struct arena *arena,
			  struct container_state *out, struct error *err);

/* Removes the folder. rootfd: of the folder it is in; nothing there is success. 0 or -errno. */
int must_check state_remove_at(int rootfd, const char *id);
int must_check state_remove(const char *root, const char *id, struct error *err);

/* Is that process still the one the state tells of? */
bool state_alive(const struct container_state *state);

/* Field 22 of /proc/<pid>/stat, 0 if there is no such process, or only its zombie. */
unsigned long long state_start_time(pid_t pid);

#endif
