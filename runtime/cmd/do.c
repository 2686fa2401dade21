// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "launch/launch.h"
#include "lib/cleanup.h"
#include "oci/host_spec.h"

static const struct option options[] = { { 0 } };

int cmd_do(const struct globals *globals, int argc, char **argv, struct error *err)
{
	struct launch l = { .globals = globals };
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	int ret;

	if (cmd_option(argc, argv, options, err) == '?')
		return -err->code;
	if (optind == argc)
		return error_set(err, EINVAL, "do: a command is missing");
	ret = launch_inherit(&l, 0, err);
	if (ret)
		return ret;
	ret = host_spec_make(argv + optind, (size_t)(argc - optind), &spec, err);
	if (ret)
		return ret;
	spec->id = arena_printf(&spec->arena, "do-%d", getpid());
	l.spec = spec;
	return launch_run(&l, err);
}
