// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "launch/launch.h"
#include "launch/signal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static const struct option options[] = {
	{ "force", no_argument, NULL, 'f' },
	{ 0 },
};

static int check_status(const struct container_state *state, enum container_status status,
			struct error *err)
{
	if (status == STATUS_STOPPED || status == STATUS_CREATED)
		return 0;
	return error_set(err, EBUSY, "cannot delete container %s that is not stopped: %s", state->id,
			 state_status_name(status));
}

static int delete(const struct globals *globals, const struct container_state *state, bool force,
		  struct error *err)
{
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	enum container_status status = state_status(globals->root, state);
	struct error ignored;
	int ret = force ? 0 : check_status(state, status, err);

	if (!ret && status != STATUS_STOPPED)
		ret = container_kill(state, err);
	if (ret)
		return ret;
	/* without its configuration there are no hooks to run: that must not keep it here */
	if (state_load_spec(globals->root, state, &spec, &ignored))
		spec = NULL;
	return launch_destroy(globals->root, state, spec, err);
}

int cmd_delete(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	bool force = false;
	int ret;
	int c;

	while ((c = cmd_option(argc, argv, options, err)) != -1) {
		if (c == '?')
			return -err->code;
		force = true;
	}
	ret = cmd_check_args(argc, argv, 1, 1, err);
	if (ret)
		return ret;
	ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (ret == -ENOENT && force)
		return state_remove(globals->root, argv[optind], err);
	return ret ? ret : delete(globals, &state, force, err);
}
