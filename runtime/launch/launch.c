// SPDX-License-Identifier: Apache-2.0
#include "launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "launch/control_client.h"
#include "launch/rootless.h"
#include "launch/signal.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "oci/hooks.h"

static int open_policy_log(struct launch *l, const char *path, struct error *err)
{
	struct arena *arena = &l->spec->arena;
	char *dir;

	if (!path)
		path = policy_default_log(l->globals->root, arena);
	dir = arena_strdup(arena, path);
	*strrchr(dir, '/') = '\0';
	if (dir[0] && fs_make_dirs(dir, 0755, err))
		return error_wrap(err, "log of the policies");
	l->policy_log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return l->policy_log < 0 ? error_errno(err, errno, "log of the policies: %s", path) : 0;
}

static int check_spec(struct launch *l, struct error *err)
{
	struct oci_spec *spec = l->spec;
	const char *log = NULL;
	int ret = state_check_id(spec->id, err);

	if (!ret)
		ret = spec_check_applicable(spec, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < spec->process.unknown_capabilities.n; i++)
		log_warn("process.capabilities: unknown capability '%s' is ignored",
			 spec->process.unknown_capabilities.v[i]);
	ret = policy_select(spec, &l->policies, &log, err);
	if (!ret && l->policies.n)
		ret = open_policy_log(l, log, err);
	return ret ? ret : rootless_prepare(l->globals, spec, err);
}

static int open_console(struct launch *l, struct error *err)
{
	if (!l->spec->process.terminal) {
		if (l->console_socket)
			return error_set(err, EINVAL,
					 "--console-socket: the container has no terminal");
		return 0;
	}
	if (l->detach && !l->console_socket)
		return error_set(err, EINVAL, "cannot allocate tty if runc will detach without "
				 "setting console socket");
	return console_open(&l->console, &l->spec->process, err);
}

static char *now(struct arena *arena)
{
	char when[40];
	struct tm tm;
	struct timespec t;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &t);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&t.tv_sec, &tm));
	snprintf(when + n, sizeof(when) - n, ".%09ldZ", t.tv_nsec);
	return arena_strdup(arena, when);
}

/* What the guest kernel runs on, and why: told if somebody asked for one. */
static void choose_machine(struct launch *l)
{
	char reason[256];

	l->machine = machine_choose(l->globals->machine, reason, sizeof(reason));
	log_debug("machine %s: %s", machine_name(l->machine), l->globals->machine_asked ? reason : "the default");
	if (!l->globals->machine_asked)
		return;
	l->state.machine = machine_name(l->machine);
	l->state.machine_reason = arena_strdup(&l->spec->arena, reason);
}

static int take_id(struct launch *l, struct error *err)
{
	struct oci_spec *spec = l->spec;
	struct error ignored;
	int ret;

	l->state = (struct container_state){
		.id = spec->id,
		.creator = state_process_self(),
		.pid_ns = state_pid_ns(),
		.bundle = spec->bundle,
		.rootfs = spec->root.path,
		.cgroups_path = spec->linux_.cgroups_path,
		.ephemeral = !l->detach && !l->keep,
		.at_once = l->at_once,
		.oci_version = spec->oci_version ? spec->oci_version : CALLGATE_SPEC_VERSION,
		.created = now(&spec->arena),
	};
	if (!l->state.creator.started)
		return error_set(err, EIO, "/proc does not tell the number of the calling process");
	choose_machine(l);
	ret = state_create(l->globals->root, &l->state, spec->text, err);
	if (ret)
		return ret;
	ret = cgroup_check_free(spec->linux_.cgroups_path, err);
	if (ret)
		(void)!state_remove(l->globals->root, spec->id, &ignored);
	return ret;
}

static int write_pid_file(const struct launch *l, struct error *err)
{
	char pid[16];
	int n;

	if (!l->pid_file)
		return 0;
	n = snprintf(pid, sizeof(pid), "%d", l->pid);
	return fs_write_file(l->pid_file, pid, (size_t)n, 0644, err);
}

static int send_pidfd(const struct launch *l, struct error *err)
{
	cleanup_close int fd = -1;

	if (!l->pidfd_socket)
		return 0;
	fd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	if (fd < 0)
		return error_errno(err, errno, "pidfd of the container");
	return socket_send_fd(l->pidfd_socket, "--pidfd-socket", "pidfd", fd, err);
}

/* From a configuration to a container that waits to be started. */
static int bring_up(struct launch *l, struct error *err)
{
	int ret = open_console(l, err);

	if (!ret)
		ret = launch_fork(l, err);
	if (!ret && l->console_socket)
		ret = console_send(&l->console, l->console_socket, err);
	else if (!ret && l->console.used)
		console_start(&l->console);
	if (!ret && (l->detach || !l->at_once))
		ret = launch_wait_ready(l, err);
	if (!ret)
		ret = send_pidfd(l, err);
	return ret ? ret : write_pid_file(l, err);
}

/* Whatever went wrong here must not hide how the container ended. */
static void clean_up(struct launch *l)
{
	struct error err;

	launch_kill(l);
	if (launch_destroy(l->globals->root, &l->state, l->spec, &err))
		log_warn("%s", err.text);
}

static int create(struct launch *l, struct error *err)
{
	int ret;

	l->policy_log = -1;
	ret = check_spec(l, err);
	l->console = (struct console){ .master = -1, .slave = -1 };
	l->life_fd = l->ready_fd = l->signal_fd = -1;
	if (!ret)
		ret = take_id(l, err);
	if (ret)
		return ret;
	ret = bring_up(l, err);
	if (!ret)
		return 0;
	console_close(&l->console);
	clean_up(l);
	return ret;
}

int launch_create(struct launch *l, struct error *err)
{
	l->detach = true;
	return create(l, err);
}

/* What has to be done here, by us, before or after the program runs; hooks of the hypervisor's it does by command. */
static bool nothing_to_do(const struct launch *l)
{
	return !l->pid_file && !l->pidfd_socket && !l->console_socket && !l->spec->hooks.poststart.n &&
	       !l->spec->hooks.start_container.n;
}

/* It runs: here is the time to look after others. */
static int supervise(struct launch *l, struct error *err)
{
	launch_sweep(l->globals->root, l->spec->id, LAUNCH_SWEEP_FEW, false);
	return launch_supervise(l, err);
}

int launch_run(struct launch *l, struct error *err)
{
	int ret;

	l->at_once = nothing_to_do(l);
	ret = create(l, err);
	if (ret)
		return ret;
	ret = l->at_once ? 0 : launch_start(l->globals->root, &l->state, l->spec, err);
	if (!ret && l->detach)
		return 0;
	if (ret && !l->failed)
		launch_kill(l);
	else
		ret = supervise(l, err);
	console_close(&l->console);
	if (ret < 0 || !l->keep)
		clean_up(l);
	if (ret < 0 && l->pid_file)
		unlink(l->pid_file);
	return ret;
}

char *launch_hook_state(const struct container_state *state, enum container_status status,
			const struct oci_spec *spec)
{
	json_t *doc = state_to_json(state, status, &spec->annotations);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	if (!text)
		abort();
	return text;
}

int launch_start(const char *root, const struct container_state *state,
		 const struct oci_spec *spec, struct error *err)
{
	cleanup(control_unref) json_t *reply =
		control_ask(root, state->id, json_pack("{ss}", "cmd", "start"), err);
	cleanup_free char *text = NULL;
	struct error ignored;
	int ret;

	if (!reply)
		return -err->code;
	state_started(root, state->id);
	if (!spec || !spec->hooks.poststart.n)
		return 0;
	text = launch_hook_state(state, STATUS_RUNNING, spec);
	ret = hooks_run(&spec->hooks.poststart, "poststart", text, spec->bundle, err);
	if (ret) /* runtime.md, step 9 of the life cycle: the container is stopped */
		(void)!container_kill(state, &ignored);
	return ret;
}

int launch_destroy(const char *root, const struct container_state *state,
		   const struct oci_spec *spec, struct error *err)
{
	cleanup_free char *text = NULL;
	int ret = state_destroy(root, state, err);

	if (ret || !spec || !spec->hooks.poststop.n)
		return ret;
	text = launch_hook_state(state, STATUS_STOPPED, spec);
	hooks_run_all(&spec->hooks.poststop, "poststop", text, spec->bundle);
	return 0;
}
