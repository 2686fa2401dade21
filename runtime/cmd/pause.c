// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "oci/state.h"
#include "vm/container.h"

static int find(const struct globals *globals, int argc, char **argv, struct arena *arena,
		struct container_state *state, enum container_status *status, struct error *err)
{
	static const struct option none[] = { { 0 } };
	int ret = cmd_option(argc, argv, none, err) == '?' ? -err->code : 0;

	if (!ret)
		ret = cmd_check_args(argc, argv, 1, 1, err);
	if (!ret)
		ret = state_check_id(argv[optind], err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], arena, state, err);
	if (!ret)
		*status = state_status(globals->root, state);
	return ret;
}

int cmd_pause(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	enum container_status status;
	struct container_state state;
	int ret = find(globals, argc, argv, &arena, &state, &status, err);

	if (ret)
		return ret;
	if (status != STATUS_RUNNING && status != STATUS_CREATED)
		return error_set(err, ESRCH, "container not running");
	return container_freeze(state.cgroups_path, true, err);
}

int cmd_resume(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	enum container_status status;
	struct container_state state;
	struct error ignored;
	int ret = find(globals, argc, argv, &arena, &state, &status, err);

	if (ret)
		return ret;
	if (status != STATUS_PAUSED)
		return error_set(err, ESRCH, "container not paused");
	ret = container_freeze(state.cgroups_path, false, err);
	/* they may have been changed meanwhile; a guest that is about to end need not know */
	if (!ret)
		json_decref(control_ask_for(globals->root, state.id, json_pack("{ss}", "cmd", "limits"), CONTROL_GUEST_MS,
					    &ignored));
	return ret;
}
