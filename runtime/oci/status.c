// SPDX-License-Identifier: Apache-2.0
/* From what is remembered of a container to what it does now. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/proc.h"
#include "oci/state.h"
#include "vm/container.h"

#define MACHINE_ANNOTATION "org.callgate.machine" /* with ".reason": if somebody asked for one */

/* Field 22 of its stat; 0 for a zombie. */
static int read_start_time(pid_t pid, unsigned long long *when)
{
	cleanup_free char *text = NULL;
	struct error ignored;
	char path[64];
	size_t size;
	char *p;
	int ret;

	*when = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	ret = fs_read_file(path, 65536, &text, &size, &ignored);
	if (ret)
		return ret;
	/* the second field is a name in parentheses, which may have any of them in it */
	p = strrchr(text, ')');
	/* dead, and only its parent does not know yet */
	if (p && p[1] && p[2] && strchr("ZX", p[2]))
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		sscanf(p, " %llu", when);
	return 0;
}

unsigned long long state_start_time(pid_t pid)
{
	unsigned long long when;

	return read_start_time(pid, &when) ? 0 : when;
}

struct state_process state_process_self(void)
{
	pid_t pid = proc_number(getpid());

	return (struct state_process){ .pid = pid, .started = state_start_time(pid) };
}

bool state_process_alive(const struct state_process *p)
{
	return p->pid > 0 && p->started && state_start_time(p->pid) == p->started;
}

bool state_process_gone(const struct state_process *p)
{
	unsigned long long when;
	int ret = p->pid > 0 ? read_start_time(p->pid, &when) : -ENOENT;

	if (ret)
		return ret == -ENOENT || ret == -ESRCH;
	return p->started && when != p->started;
}

unsigned long long state_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

bool state_alive(const struct container_state *state)
{
	return state_process_alive(&state->init);
}

static bool not_started(const char *root, const char *id)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s/" STATE_CREATED_FILE, root, id) < PATH_MAX &&
	       !access(path, F_OK);
}

enum container_status state_status(const char *root, const struct container_state *state)
{
	bool waiting = !state->init.pid || not_started(root, state->id);

	if (waiting && state_process_alive(&state->creator))
		return STATUS_CREATING;
	if (!state_alive(state))
		return STATUS_STOPPED;
	if (container_frozen(state->cgroups_path))
		return STATUS_PAUSED;
	return waiting ? STATUS_CREATED : STATUS_RUNNING;
}

const char *state_status_name(enum container_status status)
{
	static const char *const names[] = {
		[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created",
		[STATUS_RUNNING] = "running",   [STATUS_PAUSED] = "paused",
		[STATUS_STOPPED] = "stopped",
	};

	return names[status];
}

json_t *state_owner(const char *root, const char *id)
{
	char path[PATH_MAX];
	struct passwd *user = NULL;
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", root, id) < PATH_MAX && !stat(path, &st))
		user = getpwuid(st.st_uid);
	return json_string(user ? user->pw_name : "");
}

json_t *state_to_json(const struct container_state *s, enum container_status status,
		      const struct oci_pairs *annotations)
{
	json_t *doc = json_pack("{ssss}", "ociVersion", s->oci_version, "id", s->id);
	json_t *notes;

	if (!doc)
		return NULL;
	if (s->init.pid || status == STATUS_STOPPED)
		json_object_set_new(doc, "pid",
				    json_integer(status == STATUS_STOPPED ? 0 : s->init.pid));
	json_object_set_new(doc, "status", json_string(state_status_name(status)));
	json_object_set_new(doc, "bundle", json_string(s->bundle ? s->bundle : ""));
	json_object_set_new(doc, "rootfs", json_string(s->rootfs));
	json_object_set_new(doc, "created", json_string(s->created));
	if (!s->machine && (!annotations || !annotations->n))
		return doc;
	notes = json_object();
	for (size_t i = 0; annotations && i < annotations->n; i++)
		json_object_set_new(notes, annotations->v[i].key,
				    json_string(annotations->v[i].value));
	if (s->machine) {
		json_object_set_new(notes, MACHINE_ANNOTATION, json_string(s->machine));
		json_object_set_new(notes, MACHINE_ANNOTATION ".reason", json_string(s->machine_reason));
	}
	json_object_set_new(doc, "annotations", notes);
	return doc;
}
