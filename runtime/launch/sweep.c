// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of containers whose `run` and hypervisor were killed at the same time: each would have removed it
 * for the other, and nobody else knows the ID. The next command that has time looks for them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Folders that are made under a lock of the root: who holds it finds those of dead processes only. */
static void sweep_drafts(const char *root)
{
	cleanup_dir DIR *dir = opendir(root);
	struct dirent *entry;

	if (!dir || flock(dirfd(dir), LOCK_EX | LOCK_NB))
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == STATE_DRAFT_CHAR)
			(void)!state_remove_at(dirfd(dir), entry->d_name);
}

static bool is_abandoned(const struct container_state *s)
{
	/* numbers of processes mean something in one namespace only */
	if (!s->pid_ns || s->pid_ns != state_pid_ns())
		return false;
	/* one that was made in the background may still be asked for by "delete" */
	return (s->ephemeral || !s->init.pid) && state_process_gone(&s->init) && state_process_gone(&s->creator);
}

static void sweep_one(const char *root, const char *id, bool tell)
{
	cleanup(arena_free) struct arena arena = { 0 };
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	struct container_state state = { 0 };
	struct error err;
	int ret = state_read(root, id, &arena, &state, &err);

	/* The folder comes with all that is in it; without this it is what a removal left that was cut short. */
	if (ret == -ENOENT)
		ret = state_remove(root, id, &err);
	if (ret || !state.id || !is_abandoned(&state))
		return;
	if (state_load_spec(root, &state, &spec, &err))
		spec = NULL;
	if (launch_destroy(root, &state, spec, &err))
		log_debug("%s", err.text);
	else if (tell)
		log_warn("container %s: whoever ran it was killed together with its hypervisor: what was left is removed", id);
}

void launch_sweep(const char *root, const char *own_id, size_t most, bool tell)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct oci_strings ids;
	struct error ignored;

	sweep_drafts(root);
	if (state_list(root, &arena, &ids, &ignored))
		return;
	for (size_t i = 0; i < ids.n && i < most; i++)
		if (strcmp(ids.v[i], own_id))
			sweep_one(root, ids.v[i], tell);
}
