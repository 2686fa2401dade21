// SPDX-License-Identifier: Apache-2.0
/*
 * What is given is changed, all else stays. The limits in force are remembered beside the
 * container's state, for the next update; at first they are those it was created with.
 */
#include "cmd/update.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "launch/control_client.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "oci/json.h"
#include "oci/parts.h"
#include "oci/state.h"
#include "vm/cgroup.h"
#include "vm/container.h"

#define RESOURCES_FILE "resources.json"
#define FILE_MAX       (16u << 20)

static json_t *load_file(const char *path)
{
	cleanup_free char *text = NULL;
	struct error ignored;
	size_t size;

	return fs_read_file(path, FILE_MAX, &text, &size, &ignored) ?
		       NULL : json_load_text(text, size, &ignored);
}

/* linux.resources as they are in force. */
static json_t *load_current(const char *file, const char *root, const char *id)
{
	cleanup(control_unref) json_t *config = NULL;
	json_t *current = load_file(file);
	char path[PATH_MAX];

	if (json_is_object(current))
		return current;
	json_decref(current);
	snprintf(path, sizeof(path), "%s/%s/config.json", root, id);
	config = load_file(path);
	current = json_object_get(json_object_get(config, "linux"), "resources");
	return json_is_object(current) ? json_incref(current) : json_object();
}

/* Quota and period make sense together only: what is not given of them is what it was. */
static void complete_quota(struct oci_cpu *cpu, const struct oci_cpu *was)
{
	bool quota = cpu->quota.set && cpu->quota.v;
	bool period = cpu->period.set && cpu->period.v;

	if (quota && !period)
		cpu->period = was->period;
	if (period && !quota)
		cpu->quota = was->quota;
}

static int apply(const char *place, const struct oci_resources *now,
		 const struct oci_resources *was, struct error *err)
{
	struct cgroup_tree tree;
	struct error ignored;
	int ret = cgroup_open(&tree, false, err);

	if (ret)
		return ret;
	ret = cgroup_update(&tree, place, now, err);
	if (ret && cgroup_update(&tree, place, was, &ignored))
		log_warn("the old limits could not all be set again: %s", ignored.text);
	cgroup_close(&tree);
	return ret;
}

static int save(const char *file, json_t *current, json_t *patch, struct error *err)
{
	cleanup_free char *text = NULL;

	if (!json_object_update_recursive(current, patch))
		text = json_dumps(current, JSON_COMPACT);
	if (!text)
		return error_set(err, ENOMEM, "%s", file);
	return fs_write_file(file, text, strlen(text), 0600, err);
}

static int update(const struct globals *globals, const struct container_state *state,
		  json_t *patch, struct arena *arena, struct error *err)
{
	cleanup(control_unref) json_t *current = NULL;
	char *file = arena_printf(arena, "%s/%s/" RESOURCES_FILE, globals->root, state->id);
	struct oci_resources now, was;
	struct error ignored;
	int ret = oci_resources_parse(patch, arena, &now, err);

	if (ret)
		return ret;
	current = load_current(file, globals->root, state->id);
	if (oci_resources_parse(current, arena, &was, &ignored))
		was = (struct oci_resources){ 0 };
	complete_quota(&now.cpu, &was.cpu);
	ret = apply(state->cgroups_path, &now, &was, err);
	if (!ret)
		ret = save(file, current, patch, err);
	/* a paused one can't answer: it is told when it goes on */
	if (ret || container_frozen(state->cgroups_path))
		return ret;
	json_decref(control_ask_for(globals->root, state->id, json_pack("{ss}", "cmd", "limits"), CONTROL_GUEST_MS, &ignored));
	return 0;
}

int cmd_update(const struct globals *globals, int argc, char **argv, struct error *err)
{
	cleanup(arena_free) struct arena arena = { 0 };
	cleanup(control_unref) json_t *patch = update_parse(argc, argv, err);
	struct container_state state;
	int ret = patch ? state_check_id(argv[optind], err) : -err->code;

	if (!ret)
		ret = state_read(globals->root, argv[optind], &arena, &state, err);
	if (ret)
		return ret;
	if (!state_alive(&state))
		return error_set(err, ESRCH, "container not running");
	return update(globals, &state, patch, &arena, err);
}
