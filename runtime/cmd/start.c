// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "cmd/cmd.h"
#include "launch/launch.h"
#include "lib/cleanup.h"

static const struct option options[] = { { 0 } };

static int check_status(enum container_status status, struct error *err)
{
	switch (status) {
	case STATUS_CREATED:
		return 0;
	case STATUS_STOPPED:
		return error_set(err, EINVAL, "cannot start a container that has stopped");
	case STATUS_RUNNING:
		return error_set(err, EINVAL, "cannot start an already running container");
	default:
		return error_set(err, EINVAL, "cannot start a container in the %s state",
				 state_status_name(status));
	}
}

int cmd_start(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	struct container_state state;
	int ret;

	if (cmd_option(argc, argv, options, err) == '?')
		return -err->code;
	ret = cmd_check_args(argc, argv, 1, 1, err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (!ret)
		ret = check_status(state_status(globals->root, &state), err);
	if (!ret)
		ret = state_load_spec(globals->root, &state, &spec, err);
	return ret ? ret : launch_start(globals->root, &state, spec, err);
}
