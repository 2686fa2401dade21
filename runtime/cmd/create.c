// SPDX-License-Identifier: Apache-2.0
#include "cmd/bundle.h"
#include "cmd/cmd.h"

int cmd_create(const struct globals *globals, int argc, char **argv, struct error *err)
{
	struct launch l = { .globals = globals };
	struct bundle_options options = { 0 };
	int ret = bundle_parse(&l, &options, false, argc, argv, err);

	if (!ret)
		ret = bundle_load(&l, &options, err);
	if (!ret)
		ret = launch_create(&l, err);
	spec_free(l.spec);
	return ret;
}
