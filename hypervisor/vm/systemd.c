// SPDX-License-Identifier: Apache-2.0
#include "vm/systemd.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define MANAGER "org.freedesktop.systemd1"
#define LIBRARY "libsystemd.so.0"
#define JOB_SECONDS 30

static int load(struct systemd *sd, struct error *err)
{
	const struct {
		void *slot;
		const char *name;
	} symbols[] = {
		{ &sd->open_system, "sd_bus_open_system" },
		{ &sd->open_user, "sd_bus_open_user" },
		{ &sd->new_call, "sd_bus_message_new_method_call" },
		{ &sd->append, "sd_bus_message_append" },
		{ &sd->append_array, "sd_bus_message_append_array" },
		{ &sd->open, "sd_bus_message_open_container" },
		{ &sd->close, "sd_bus_message_close_container" },
		{ &sd->read, "sd_bus_message_read" },
		{ &sd->call, "sd_bus_call" },
		{ &sd->match_signal, "sd_bus_match_signal" },
		{ &sd->process, "sd_bus_process" },
		{ &sd->wait, "sd_bus_wait" },
	};
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return error_set(err, ENOTSUP, "systemd cgroup driver: %s", dlerror());
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = dlsym(lib, symbols[i].name);

		if (!symbol)
			return error_set(err, ENOTSUP, "systemd cgroup driver: " LIBRARY " has no %s",
					 symbols[i].name);
		memcpy(symbols[i].slot, &symbol, sizeof(symbol));
	}
	return 0;
}

static int in_child(bool user, int (*fn)(struct systemd *, const void *, struct error *),
		    const void *arg, struct error *err)
{
	struct systemd sd = { 0 };
	int ret = load(&sd, err);

	if (ret)
		return ret;
	ret = user ? sd.open_user(&sd.bus) : sd.open_system(&sd.bus);
	if (ret < 0)
		return error_errno(err, -ret, "systemd cgroup driver: cannot connect to the %s bus",
				   user ? "user's" : "system");
	return fn(&sd, arg, err);
}

int systemd_do(bool user, int (*fn)(struct systemd *, const void *, struct error *),
	       const void *arg, struct error *err)
{
	int pair[2];
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_errno(err, errno, "systemd cgroup driver: socketpair");
	cleanup_close int ours = pair[0];
	cleanup_close int theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return error_errno(err, errno, "systemd cgroup driver: fork");
	if (!pid) {
		struct error result = { 0 };

		if (!in_child(user, fn, arg, &result))
			result.code = 0;
		_exit(write(theirs, &result, sizeof(result)) != sizeof(result));
	}
	close(steal_fd(&theirs));
	n = read(ours, err, sizeof(*err));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(*err))
		return error_set(err, EIO, "systemd cgroup driver: its helper process died");
	return -err->code;
}

sd_bus_message *systemd_method(struct systemd *sd, const char *method)
{
	sd_bus_message *m = NULL;

	(void)sd->new_call(sd->bus, &m, MANAGER, "/org/freedesktop/systemd1", MANAGER ".Manager",
			   method);
	return m;
}

int systemd_call(struct systemd *sd, sd_bus_message *m, sd_bus_message **answer, char name[128],
		 struct error *err)
{
	sd_bus_error why = SD_BUS_ERROR_NULL;
	int ret = m ? sd->call(sd->bus, m, JOB_SECONDS * 1000000ULL, &why, answer) : -ENOMEM;

	if (name)
		snprintf(name, 128, "%s", why.name ? why.name : "");
	if (ret >= 0)
		return 0;
	return error_set(err, -ret, "systemd: %s", why.message ? why.message : strerror(-ret));
}

struct job {
	struct systemd *sd;
	char path[128];
	char done[128];
	char result[32];
};

static int on_job_removed(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct job *job = arg;
	const char *path, *unit, *result;
	unsigned int id;

	if (job->sd->read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	/* it may come before the answer that tells which job is ours */
	if (job->path[0] && strcmp(path, job->path))
		return 0;
	snprintf(job->done, sizeof(job->done), "%s", path);
	snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

static int wait_for_job(struct systemd *sd, struct job *job, struct error *err)
{
	time_t end = time(NULL) + JOB_SECONDS;

	while (strcmp(job->done, job->path)) {
		int ret = sd->process(sd->bus, NULL);

		if (!ret)
			ret = sd->wait(sd->bus, 1000000);
		if (ret < 0)
			return error_errno(err, -ret, "systemd: D-Bus");
		if (time(NULL) > end)
			return error_set(err, ETIMEDOUT, "systemd: timed out waiting for job %s",
					 job->path);
	}
	if (strcmp(job->result, "done"))
		return error_set(err, EIO, "systemd: the job ended as '%s'", job->result);
	return 0;
}

int systemd_job(struct systemd *sd, sd_bus_message *m, char name[128], struct error *err)
{
	struct job job = { .sd = sd };
	sd_bus_message *answer = NULL;
	const char *path;
	int ret = systemd_call(sd, systemd_method(sd, "Subscribe"), NULL, NULL, err);

	if (!ret && sd->match_signal(sd->bus, NULL, MANAGER, NULL, MANAGER ".Manager", "JobRemoved",
				     on_job_removed, &job) < 0)
		ret = error_set(err, EIO, "systemd: cannot listen to it");
	if (!ret)
		ret = systemd_call(sd, m, &answer, name, err);
	if (ret)
		return ret;
	if (sd->read(answer, "o", &path) < 0)
		return error_set(err, EPROTO, "systemd: no job in its answer");
	snprintf(job.path, sizeof(job.path), "%s", path);
	return wait_for_job(sd, &job, err);
}
