// SPDX-License-Identifier: Apache-2.0
#include "launch/launch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "oci/state.h"
#include "vm/container.h"

static int check_spec(struct launch *l, struct error *err)
{
	struct oci_spec *spec = l->spec;
	int ret = state_check_id(spec->id, err);

	if (!ret)
		ret = spec_check_applicable(spec, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < spec->process.unknown_capabilities.n; i++)
		log_warn("process.capabilities: unknown capability '%s' is ignored",
			 spec->process.unknown_capabilities.v[i]);
	return cgroup_place(spec, l->globals->cgroup_manager, &spec->arena,
			    &spec->linux_.cgroups_path, err);
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
		return error_set(err, EINVAL, "a detached container with a terminal needs "
				 "--console-socket");
	return console_open(&l->console, &l->spec->process, err);
}

static int write_state(const struct launch *l, struct error *err)
{
	char when[40];
	struct tm tm;
	struct timespec now;
	struct container_state state = {
		.id = l->spec->id,
		.pid = l->pid,
		.started = state_start_time(l->pid),
		.bundle = l->spec->bundle,
		.rootfs = l->spec->root.path,
		.cgroups_path = l->spec->linux_.cgroups_path,
		.created = when,
	};
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
	snprintf(when + n, sizeof(when) - n, ".%09ldZ", now.tv_nsec);
	return state_write(l->globals->root, &state, err);
}

int launch_announce(const struct launch *l, struct error *err)
{
	char pid[16];
	int n;
	int ret = write_state(l, err);

	if (ret || !l->pid_file)
		return ret;
	n = snprintf(pid, sizeof(pid), "%d", l->pid);
	return fs_write_file(l->pid_file, pid, (size_t)n, 0644, err);
}

/* Whatever went wrong here must not hide how the container ended. */
static void clean_up(const struct launch *l)
{
	struct error err;

	if (l->pid_file && !l->ready)
		unlink(l->pid_file);
	if (container_cleanup(l->spec->linux_.cgroups_path, &err))
		log_warn("%s", err.text);
	if (state_remove(l->globals->root, l->spec->id, &err))
		log_warn("%s", err.text);
}

static int start_and_wait(struct launch *l, struct error *err)
{
	int ret = open_console(l, err);

	if (!ret)
		ret = launch_start(l, err);
	if (!ret && l->console_socket)
		ret = console_send(&l->console, l->console_socket, err);
	else if (!ret && l->console.used)
		console_start(&l->console);
	if (ret && l->pid > 0)
		kill(l->pid, SIGKILL);
	return ret ? ret : launch_supervise(l, err);
}

static int take_id(const struct launch *l, struct error *err)
{
	int ret = state_create(l->globals->root, l->spec->id, err);
	struct error ignored;

	if (ret)
		return ret;
	ret = cgroup_check_free(l->spec->linux_.cgroups_path, err);
	if (ret)
		(void)!state_remove(l->globals->root, l->spec->id, &ignored);
	return ret;
}

int launch_run(struct launch *l, struct error *err)
{
	int ret = check_spec(l, err);

	l->console = (struct console){ .master = -1, .slave = -1 };
	l->life_fd = l->ready_fd = l->signal_fd = -1;
	if (!ret)
		ret = take_id(l, err);
	if (ret)
		return ret;
	ret = start_and_wait(l, err);
	console_close(&l->console);
	if (ret < 0 || (!l->detach && !l->keep))
		clean_up(l);
	return ret;
}
