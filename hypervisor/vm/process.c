// SPDX-License-Identifier: Apache-2.0
#include "vm/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "oci/priority.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* struct sched_attr of linux/sched/types.h, which does not go together with sched.h. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* 0 or -errno */
static int write_at(int dirfd, const char *path, const char *text)
{
	cleanup_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* ---- the host's view: priorities, OOM ---- */

/* The last to be killed when the container is out of memory, if nothing else is left. */
#define OOM_SCORE_LAST "-999"

static int set_oom_score(struct process_setup *s, const struct oci_process *p, struct error *err)
{
	cleanup_close int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char text[32];
	int ret;

	if (fd < 0 || read(fd, s->oom_score, sizeof(s->oom_score) - 1) < 0)
		return error_errno(err, errno, "/proc/self/oom_score_adj");
	if (!p->oom_score_adj.set)
		return 0;
	snprintf(text, sizeof(text), "%lld", (long long)p->oom_score_adj.v);
	ret = write_at(AT_FDCWD, "/proc/self/oom_score_adj", text);
	/* as runc: who is not root can only ask for more */
	if (!ret || (geteuid() && (ret == -EACCES || ret == -EPERM)))
		return 0;
	return error_errno(err, -ret, "process.oomScoreAdj: %s", text);
}

/*
 * The kernel is to kill a process of the guest first: the end is the same, but then there is somebody left who says
 * why. A user may go no lower than it was (proc(5)), which is still lower than what was asked for, or the same.
 */
static void lower_own_oom_score(const struct process_setup *s, const struct oci_process *p)
{
	int before = atoi(s->oom_score);
	int64_t now = p->oom_score_adj.set ? p->oom_score_adj.v : before;

	if (now > atoi(OOM_SCORE_LAST) && write_at(s->procfd, "self/oom_score_adj", OOM_SCORE_LAST) && now > before)
		(void)!write_at(s->procfd, "self/oom_score_adj", s->oom_score);
}

static int set_scheduler(const struct oci_process *p, struct error *err)
{
	struct sched_attributes attr = { .size = sizeof(attr) };
	struct oci_sched s;
	int ret;

	if (!p->scheduler)
		return 0;
	ret = oci_sched_of(p->scheduler, &s, err);
	if (ret)
		return ret;
	/* reset_on_fork is for the guest kernel: here it would keep vm0 from passing it on */
	attr.policy = s.policy;
	attr.priority = s.priority;
	attr.nice = s.nice;
	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		return error_errno(err, errno, "process.scheduler: %s", p->scheduler->policy);
	return 0;
}

static int set_io_priority(const struct oci_process *p, struct error *err)
{
	int value;

	if (!p->io_priority)
		return 0;
	value = oci_ioprio_of(p->io_priority, err);
	if (value < 0)
		return value;
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value))
		return error_errno(err, errno, "process.ioPriority: %s", p->io_priority->class);
	return 0;
}

static int open_time(struct process_setup *s, const struct oci_spec *spec, struct error *err)
{
	const struct oci_namespace *ns = &spec->linux_.namespaces[OCI_NS_TIME];

	if (!ns->path)
		return 0;
	s->time_ns = open(ns->path, O_RDONLY | O_CLOEXEC);
	return s->time_ns < 0 ? error_errno(err, errno, "linux.namespaces: time: %s", ns->path) : 0;
}

/* ---- labels ---- */

static bool apparmor_there(void)
{
	cleanup_close int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool selinux_there(void)
{
	struct stat st;

	return !stat("/sys/fs/selinux/enforce", &st);
}

/* In runc's words. */
static int check_labels(const struct oci_spec *spec, struct error *err)
{
	const struct oci_process *p = &spec->process;

	if (p->apparmor_profile && p->apparmor_profile[0] && !apparmor_there())
		return error_set(err, ENOTSUP, "apparmor: config provided but apparmor not supported");
	if (((p->selinux_label && p->selinux_label[0]) ||
	     (spec->linux_.mount_label && spec->linux_.mount_label[0])) && !selinux_there())
		return error_set(err, ENOTSUP,
				 "selinux label is specified in config, but selinux is disabled or not supported");
	return 0;
}

/* Kernels since 5.8 have the module's own directory; with several modules the plain files belong to one of them. */
static int set_apparmor(int procfd, const char *file, const char *verb, const char *profile)
{
	char path[64], text[300];
	int ret;

	snprintf(path, sizeof(path), "thread-self/attr/apparmor/%s", file);
	snprintf(text, sizeof(text), "%s %s", verb, profile);
	ret = write_at(procfd, path, text);
	if (ret != -ENOENT)
		return ret;
	snprintf(path, sizeof(path), "thread-self/attr/%s", file);
	return write_at(procfd, path, text);
}

static int label_vm0(const struct oci_process *p, int procfd, struct error *err)
{
	int ret = 0;

	if (p->apparmor_profile && p->apparmor_profile[0])
		ret = set_apparmor(procfd, "exec", "exec", p->apparmor_profile);
	if (ret)
		return error_errno(err, -ret, "process.apparmorProfile: %s", p->apparmor_profile);
	if (p->selinux_label && p->selinux_label[0])
		ret = write_at(procfd, "thread-self/attr/exec", p->selinux_label);
	return ret ? error_errno(err, -ret, "process.selinuxLabel: %s", p->selinux_label) : 0;
}

/* The hypervisor executes nothing any more: SELinux lets few domains change without that, so there it is tried only. */
static int label_self(const struct oci_process *p, int procfd, struct error *err)
{
	int ret;

	if (p->selinux_label && p->selinux_label[0]) {
		(void)write_at(procfd, "thread-self/attr/exec", "\n");
		(void)write_at(procfd, "thread-self/attr/current", p->selinux_label);
	}
	if (!p->apparmor_profile || !p->apparmor_profile[0])
		return 0;
	ret = set_apparmor(procfd, "current", "changeprofile", p->apparmor_profile);
	return ret ? error_errno(err, -ret, "process.apparmorProfile: %s", p->apparmor_profile) : 0;
}

/* ---- clocks ---- */

static int write_offsets(int procfd, const struct oci_linux *l, struct error *err)
{
	const struct {
		const char *name;
		const struct oci_time_offset *offset;
	} clocks[] = { { "monotonic", &l->time_monotonic }, { "boottime", &l->time_boottime } };
	char text[100];

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		int ret;

		if (!clocks[i].offset->set)
			continue;
		snprintf(text, sizeof(text), "%s %lld %u\n", clocks[i].name, (long long)clocks[i].offset->secs,
			 clocks[i].offset->nanosecs);
		ret = write_at(procfd, "self/timens_offsets", text);
		if (ret)
			return error_errno(err, -ret, "linux.timeOffsets.%s", clocks[i].name);
	}
	return 0;
}

/* For children only, if it is a new one. Joined, it is ours as well for a while. */
static int enter_time(struct process_setup *s, const struct oci_spec *spec, struct error *err)
{
	if (!spec->linux_.namespaces[OCI_NS_TIME].present)
		return 0;
	s->own_time_ns = openat(s->procfd, "self/ns/time", O_RDONLY | O_CLOEXEC);
	if (s->own_time_ns < 0)
		return error_errno(err, errno, "linux.namespaces: time");
	if (s->time_ns >= 0 ? setns(s->time_ns, CLONE_NEWTIME) : unshare(CLONE_NEWTIME))
		return error_errno(err, errno, "linux.namespaces: time");
	return write_offsets(s->procfd, &spec->linux_, err);
}

static int leave_time(struct process_setup *s, struct error *err)
{
	if (s->own_time_ns < 0)
		return 0;
	if (setns(s->own_time_ns, CLONE_NEWTIME))
		return error_errno(err, errno, "linux.namespaces: time");
	close(s->own_time_ns);
	if (s->time_ns >= 0)
		close(s->time_ns);
	return 0;
}

int process_prepare(struct process_setup *s, const struct oci_spec *spec, struct error *err)
{
	int ret = check_labels(spec, err);

	*s = (struct process_setup){ .procfd = -1, .time_ns = -1, .own_time_ns = -1 };
	if (!ret)
		ret = open_time(s, spec, err);
	if (!ret)
		ret = set_oom_score(s, &spec->process, err);
	if (!ret)
		ret = set_scheduler(&spec->process, err);
	return ret ? ret : set_io_priority(&spec->process, err);
}

int process_before_guest(struct process_setup *s, const struct oci_spec *spec, int procfd, struct error *err)
{
	int ret;

	s->procfd = procfd;
	ret = enter_time(s, spec, err);
	return ret ? ret : label_vm0(&spec->process, procfd, err);
}

int process_after_guest(struct process_setup *s, const struct oci_spec *spec, struct error *err)
{
	int ret = leave_time(s, err);

	lower_own_oom_score(s, &spec->process);
	return ret ? ret : label_self(&spec->process, s->procfd, err);
}
