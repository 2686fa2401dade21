/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a container, in the folder <root>/<id>, which is what makes an ID taken:
 *
 *   state.json    struct container_state
 *   config.json   as the bundle had it at creation
 *   created       there until the container is started; never, if it is started as soon as it is created
 *   control.sock  the hypervisor's, see vm/control.h
 *
 * The folder appears as a whole. While its creator lives, and "created" is there or no hypervisor yet, the container
 * is being created; when both the creator and the hypervisor are dead by then, or nobody was to
 * delete the container, what is left is stale, and the ID can be taken again.
 */
#ifndef CALLGATE_RUNTIME_OCI_STATE_H
#define CALLGATE_RUNTIME_OCI_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/arena.h"
#include "lib/error.h"
#include "oci/spec.h"

#define STATE_CREATED_FILE "created"
#define STATE_DRAFT_CHAR   '~' /* a folder that is being made begins with it: no ID does */

/* A process, and its start time in /proc: a pid may be used again. */
struct state_process {
	pid_t pid; /* 0: none */
	unsigned long long started;
};

struct container_state {
	char *id;
	struct state_process init;    /* the hypervisor */
	struct state_process creator; /* the command that makes it */
	unsigned long long pid_ns;    /* in which it runs: the inode; 0: not known */
	char *bundle;                 /* or NULL */
	char *rootfs;
	char *cgroups_path;
	bool at_once;   /* started as soon as it is created; not stored */
	bool ephemeral; /* removed by whoever started it, not by "delete" */
	const char *oci_version;
	char *created; /* RFC 3339 */
	const char *machine, *machine_reason; /* NULL: the default, nobody asked */
};

enum container_status {
	STATUS_CREATING,
	STATUS_CREATED,
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_STOPPED,
};

/* runc's rule: letters, digits and "_+-.", and neither "." nor ".." */
int must_check state_check_id(const char *id, struct error *err);

/*
 * Takes an ID: makes its folder, with the configuration if there is one (text, or NULL). What is
 * stale under this ID is removed first.
 */
int must_check state_create(const char *root, const struct container_state *state,
			    const char *config, struct error *err);

/* Again, when there is more to tell. */
int must_check state_write(const char *root, const struct container_state *state,
			   struct error *err);
int must_check state_read(const char *root, const char *id, struct arena *arena,
			  struct container_state *out, struct error *err);

/* The configuration that the container was made with. */
int must_check state_load_spec(const char *root, const struct container_state *state,
			       struct oci_spec **out, struct error *err);

/* Removes the folder. rootfd: of the folder it is in; nothing there is success. 0 or -errno. */
int must_check state_remove_at(int rootfd, const char *id);
int must_check state_remove(const char *root, const char *id, struct error *err);

/* Removes the cgroup, with all that is left in it, and then the folder. Gone already: success. */
int must_check state_destroy(const char *root, const struct container_state *state,
			     struct error *err);

/* The container has been started: for the hypervisor, and for others. */
void state_started_in(int state_dir);
void state_started(const char *root, const char *id);

/* IDs of all containers, in the order of their names. No folder: none. */
int must_check state_list(const char *root, struct arena *arena, struct oci_strings *ids,
			  struct error *err);

enum container_status state_status(const char *root, const struct container_state *state);
const char *state_status_name(enum container_status status);

/* Does the hypervisor live? */
bool state_alive(const struct container_state *state);

/* The calling process; its number is 0 if procfs does not tell. */
struct state_process state_process_self(void);
bool state_process_alive(const struct state_process *process);
/* For sure. In doubt, such as without a descriptor to look with, it may be neither alive nor gone. */
bool state_process_gone(const struct state_process *process);
unsigned long long state_pid_ns(void);

/* Field 22 of /proc/<pid>/stat, 0 if there is no such process, or only its zombie. */
unsigned long long state_start_time(pid_t pid);

/* Name of the user who owns the state, "" if there is no such user. */
json_t *state_owner(const char *root, const char *id);

/*
 * The state as runtime.md#state shows it, to hooks and users. pid is left out if it is 0 and
 * the container has not stopped. The caller releases it.
 */
json_t *state_to_json(const struct container_state *state, enum container_status status,
		      const struct oci_pairs *annotations);

#endif
