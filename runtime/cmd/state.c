// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "oci/state.h"

static const struct option options[] = { { 0 } };

static void print_state(const struct globals *globals, const struct container_state *state)
{
	cleanup(spec_freep) struct oci_spec *spec = NULL;
	struct error ignored;
	json_t *doc;

	/* what "do" runs has no configuration to tell of */
	if (state_load_spec(globals->root, state, &spec, &ignored))
		spec = spec_new();
	doc = state_to_json(state, state_status(globals->root, state), &spec->annotations);
	json_object_set_new(doc, "owner", state_owner(globals->root, state->id));
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(doc);
}

int cmd_state(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	struct container_state state;
	int ret;

	if (cmd_option(argc, argv, options, err) == '?')
		return -err->code;
	ret = cmd_check_args(argc, argv, 1, 1, err);
	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (!ret)
		print_state(globals, &state);
	return ret;
}
