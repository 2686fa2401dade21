// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "call/policy.h"
#include "lib/cleanup.h"
#include "oci/priority.h"
#include "oci/sysctl.h"
#include "vm/bootinfo.h"
#include "vm/filter.h"
#include "vm/notify.h"
#include "vm/seccomp.h"

struct writer {
	char *base;
	size_t used, room;
	bool overflow;
};

static void *reserve(struct writer *w, size_t size, uint32_t *offset)
{
	size_t at = (w->used + 7) & ~(size_t)7;

	*offset = 0;
	if (w->overflow || size > w->room || at > w->room - size) {
		w->overflow = true;
		return NULL;
	}
	w->used = at + size;
	*offset = (uint32_t)at;
	return w->base + at;
}

static uint32_t put_string(struct writer *w, const char *s)
{
	uint32_t offset;
	char *to;

	if (!s)
		return 0;
	to = reserve(w, strlen(s) + 1, &offset);
	if (to)
		strcpy(to, s);
	return offset;
}

static uint32_t put_strings(struct writer *w, const struct oci_strings *s)
{
	uint32_t offset, *v = reserve(w, s->n * sizeof(uint32_t), &offset);

	for (size_t i = 0; i < s->n && v; i++)
		v[i] = put_string(w, s->v[i]);
	return offset;
}

static unsigned long mount_flags(uint32_t flags)
{
	return (flags & CMOUNT_RO ? MS_RDONLY : 0) | (flags & CMOUNT_NOSUID ? MS_NOSUID : 0) |
	       (flags & CMOUNT_NODEV ? MS_NODEV : 0) | (flags & CMOUNT_NOEXEC ? MS_NOEXEC : 0) |
	       (flags & CMOUNT_NOATIME ? MS_NOATIME : 0) | (flags & CMOUNT_NODIRATIME ? MS_NODIRATIME : 0) |
	       (flags & CMOUNT_STRICTATIME ? MS_STRICTATIME : 0) | (flags & CMOUNT_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0);
}

static const char *type_name(const struct container_mount *m)
{
	switch (m->kind) {
	case MOUNT_HOST:
		return "host";
	case MOUNT_BIND_UNDER_GUEST:
		return "bind";
	case MOUNT_GUEST_PROC:
		return "proc";
	case MOUNT_GUEST_SYSFS:
		return "sysfs";
	case MOUNT_GUEST_DEV:
		return "devtmpfs";
	case MOUNT_GUEST_DEVPTS:
		return "devpts";
	case MOUNT_GUEST_TMPFS:
		return "tmpfs";
	case MOUNT_GUEST_MQUEUE:
		return "mqueue";
	case MOUNT_GUEST_CGROUP:
		return "cgroup";
	}
	return "host";
}

static void put_mount(struct writer *w, struct boot_mount *to, const struct container_mount *m, uint32_t handle)
{
	*to = (struct boot_mount){
		.target = put_string(w, m->target),
		.type = put_string(w, type_name(m)),
		.options = put_string(w, m->options && m->options[0] ? m->options : NULL),
		.source = put_string(w, m->source),
		.fstype = put_string(w, m->fstype),
		.flags = (uint32_t)mount_flags(m->flags),
		.handle = handle,
		.host_major = major(m->marker_dev),
		.host_minor = minor(m->marker_dev),
	};
}

static void put_paths(struct writer *w, struct boot_mount *to, const struct container_paths *paths, const char *type)
{
	for (size_t i = 0; i < paths->n; i++)
		to[i] = (struct boot_mount){
			.target = put_string(w, paths->v[i]),
			.type = put_string(w, type),
		};
}

static int put_mounts(struct writer *w, struct boot_info *b, const struct container *c, struct error *err)
{
	uint32_t n = (uint32_t)(c->n_mounts + c->masked.n + c->readonly.n), handle = BOOT_HANDLE_BIND;
	struct boot_mount *v = reserve(w, n * sizeof(*v), &b->mounts);

	if (!v)
		return 0;
	b->nmounts = n;
	for (size_t i = 0; i < c->n_mounts; i++) {
		bool bind = c->mounts[i].kind == MOUNT_BIND_UNDER_GUEST;

		if (bind && handle == BOOT_HANDLE_MAX)
			return error_set(err, E2BIG, "mounts: at most %d bind mounts below /proc, /sys and /dev",
					 BOOT_HANDLE_MAX - BOOT_HANDLE_BIND);
		put_mount(w, &v[i], &c->mounts[i], bind ? handle++ : 0);
	}
	put_paths(w, v + c->n_mounts, &c->masked, "masked");
	put_paths(w, v + c->n_mounts + c->masked.n, &c->readonly, "readonly");
	return 0;
}

static void put_limits(struct writer *w, struct boot_process *b, const struct oci_process *p)
{
	struct boot_rlimit *v = reserve(w, p->n_rlimits * sizeof(*v), &b->rlimits);

	for (size_t i = 0; i < p->n_rlimits && v; i++)
		v[i] = (struct boot_rlimit){
			.resource = (uint32_t)p->rlimits[i].resource,
			.soft = p->rlimits[i].soft,
			.hard = p->rlimits[i].hard,
		};
	b->nrlimits = (uint32_t)p->n_rlimits;
}

static void put_user(struct boot_process *b, const struct oci_process *p)
{
	const struct oci_capabilities *caps = &p->capabilities;

	b->uid = p->user.uid;
	b->gid = p->user.gid;
	b->umask = p->user.umask.set ? (uint32_t)p->user.umask.v : 022;
	b->ngroups = p->user.n_groups < BOOT_MAX_GROUPS ? (uint32_t)p->user.n_groups : BOOT_MAX_GROUPS;
	for (uint32_t i = 0; i < b->ngroups; i++)
		b->groups[i] = p->user.groups[i];
	b->cap_effective = caps->effective;
	b->cap_permitted = caps->permitted;
	b->cap_inheritable = caps->inheritable;
	b->cap_bounding = caps->bounding;
	b->cap_ambient = caps->ambient;
	b->no_new_privs = p->no_new_privileges;
	b->oom_score_adj = p->oom_score_adj.set ? (uint32_t)p->oom_score_adj.v : 0;
	b->terminal = p->terminal;
}

/* spec_check_applicable() has found them right; of an exec, they are left out if they are not. */
static void put_priorities(struct boot_process *b, const struct oci_process *p)
{
	struct error ignored;
	struct oci_sched s;
	int ioprio;

	if (p->scheduler && !oci_sched_of(p->scheduler, &s, &ignored)) {
		b->sched_policy = s.policy;
		b->sched_priority = s.priority;
		b->sched_nice = s.nice;
		b->sched_reset = s.reset_on_fork;
	}
	ioprio = p->io_priority ? oci_ioprio_of(p->io_priority, &ignored) : 0;
	b->ioprio = ioprio > 0 ? (uint32_t)ioprio : 0;
}

static void put_process(struct writer *w, struct boot_process *b, const struct oci_process *p, uint32_t nfds)
{
	b->argc = (uint32_t)p->args.n;
	b->argv = put_strings(w, &p->args);
	b->envc = (uint32_t)p->env.n;
	b->envp = put_strings(w, &p->env);
	b->cwd = put_string(w, p->cwd);
	b->nfds = nfds;
	put_user(b, p);
	put_priorities(b, p);
	put_limits(w, b, p);
}

/* More virtual CPUs than the container's share of time can keep busy would only wait for each other. */
static uint32_t virtual_cpus(const struct oci_cpu *limit, uint32_t cpus)
{
	uint64_t period = limit->period.set && limit->period.v ? limit->period.v : 100000, wanted;

	if (!limit->quota.set || limit->quota.v <= 0)
		return cpus;
	wanted = ((uint64_t)limit->quota.v + period - 1) / period;
	return wanted < cpus ? (uint32_t)wanted : cpus;
}

static void put_host(struct writer *w, struct boot_info *b, const struct vm_config *cfg, const struct container *c)
{
	struct sysinfo si;
	struct utsname uts;

	b->ncpus = cfg->machine == MACHINE_KVM ? virtual_cpus(&cfg->spec->linux_.resources.cpu, c->cpus) : c->cpus;
	b->mem_limit = c->memory;
	if (!sysinfo(&si))
		b->mem_total = (uint64_t)si.totalram * si.mem_unit;
	if (!uname(&uts))
		b->host_release = put_string(w, uts.release);
	if (getrandom(b->seed, sizeof(b->seed), 0) != (ssize_t)sizeof(b->seed))
		abort();
}

static uint32_t put_ids(struct writer *w, const struct oci_id_maps *maps, uint32_t *n)
{
	uint32_t offset;
	struct boot_idmap *v = reserve(w, maps->n * sizeof(*v), &offset);

	for (size_t i = 0; i < maps->n && v; i++)
		v[i] = (struct boot_idmap){ maps->v[i].container_id, maps->v[i].host_id, maps->v[i].size };
	*n = (uint32_t)maps->n;
	return offset;
}

static void put_user_namespace(struct writer *w, struct boot_info *b, const struct userns_ids *ids)
{
	b->uid_map = put_ids(w, &ids->uid, &b->nuid_map);
	b->gid_map = put_ids(w, &ids->gid, &b->ngid_map);
	b->setgroups_denied = ids->setgroups_denied;
}

static void put_sysctls(struct writer *w, struct boot_info *b, const struct oci_pairs *sysctl)
{
	uint32_t *v = reserve(w, sysctl->n * 2 * sizeof(*v), &b->sysctls);

	for (size_t i = 0; i < sysctl->n && v; i++) {
		if (!oci_sysctl_of_guest(sysctl->v[i].key))
			continue;
		v[2 * b->nsysctls] = put_string(w, sysctl->v[i].key);
		v[2 * b->nsysctls++ + 1] = put_string(w, sysctl->v[i].value);
	}
}

static void put_stdio(struct boot_info *b)
{
	for (int i = 0; i < 3; i++)
		b->stdio[i] = fcntl(i, F_GETFD) >= 0 ? (uint32_t)(BOOT_HANDLE_STDIO + i) : 0;
}

static void put_devices(struct writer *w, struct boot_info *b, const struct oci_linux *l)
{
	struct boot_device *v = reserve(w, l->n_devices * sizeof(*v), &b->devices);

	for (size_t i = 0; i < l->n_devices && v; i++) {
		const struct oci_device *d = &l->devices[i];

		v[i] = (struct boot_device){
			.path = put_string(w, d->path),
			.mode = d->type | d->mode,
			.major = d->major,
			.minor = d->minor,
			.uid = d->uid,
			.gid = d->gid,
			.from_host = devices_from_host(d),
		};
	}
	b->ndevices = (uint32_t)l->n_devices;
}

static int put_seccomp(struct writer *w, struct boot_info *b, const struct oci_seccomp *config, struct error *err)
{
	cleanup_free struct sock_filter *insns = NULL;
	struct seccomp_program program;
	void *to;
	int ret;

	if (!config)
		return 0;
	ret = seccomp_compile(config, &program, err);
	if (ret)
		return ret;
	insns = program.insns;
	to = reserve(w, program.len * sizeof(*insns), &b->seccomp);
	if (to)
		memcpy(to, insns, program.len * sizeof(*insns));
	b->seccomp_len = program.len;
	b->seccomp_flags = program.flags;
	return 0;
}

static const char *hostname_of(const struct oci_spec *spec, struct utsname *uts)
{
	if (spec->hostname)
		return spec->hostname;
	return uname(uts) ? "callgate" : uts->nodename;
}

int bootinfo_begin(struct boot_info *b, size_t room, struct error *err)
{
	struct writer w = { .base = (char *)b, .used = sizeof(*b), .room = room };
	struct sock_filter *filter = reserve(&w, FILTER_MAX * sizeof(*filter), &b->filter);
	int ret = filter ? filter_build(filter, FILTER_MAX) : -E2BIG;

	if (ret < 0)
		return error_errno(err, -ret, "hypercall filter");
	b->filter_len = (uint32_t)ret;
	return 0;
}

int bootinfo_write(struct boot_info *b, size_t room, const struct vm_config *cfg, const struct container *c,
		   struct error *err)
{
	const struct oci_spec *spec = cfg->spec;
	struct writer w = { .base = (char *)b, .used = b->filter + b->filter_len * sizeof(struct sock_filter), .room = room };
	struct utsname uts;
	int ret;

	b->vdso_ok = getenv("CALLGATE_NO_VDSO") == NULL;
	b->debug = cfg->debug ? 7 : 4;
	put_host(&w, b, cfg, c);
	b->no_patch = getenv("CALLGATE_NO_PATCH") != NULL;
	put_process(&w, &b->process, &spec->process, cfg->n_fds);
	if (spec->linux_.personality && !strcmp(spec->linux_.personality, "LINUX32"))
		b->process.personality = PER_LINUX32;
	b->wait_start = !cfg->start_at_once;
	b->exec_ids = cfg->policies && cfg->policies->n;
	b->dgrams_by_call = b->exec_ids && cfg->policies->want_datagrams;
	b->hostname = put_string(&w, hostname_of(spec, &uts));
	b->domainname = put_string(&w, spec->domainname);
	b->id = put_string(&w, cfg->id);
	put_stdio(b);
	for (size_t i = 0; i < c->n_mounts; i++)
		b->unix_mounts |= c->mounts[i].unix_sockets;
	b->notify = cfg->notify_fd > 0 ? put_string(&w, NOTIFY_PATH) : 0;
	put_sysctls(&w, b, &spec->linux_.sysctl);
	put_user_namespace(&w, b, &c->ids);
	ret = put_mounts(&w, b, c, err);
	put_devices(&w, b, &spec->linux_);
	if (!ret)
		ret = put_seccomp(&w, b, spec->linux_.seccomp, err);
	if (ret)
		return ret;
	if (w.overflow)
		return error_set(err, E2BIG, "process.args, process.env and mounts are too long together");
	b->size = (uint32_t)w.used;
	return 0;
}

int bootinfo_event(const struct oci_process *process, uint32_t nfds, struct pv_event **out, struct error *err)
{
	cleanup_free struct pv_event *event = calloc(1, RING_BUF_SIZE);
	struct writer w = { .base = (char *)event, .used = sizeof(*event), .room = RING_BUF_SIZE };
	struct boot_process *p;

	if (!event)
		return error_errno(err, ENOMEM, "process");
	p = reserve(&w, sizeof(*p), &event->process);
	if (p)
		put_process(&w, p, process, nfds);
	if (w.overflow)
		return error_set(err, E2BIG, "process.args, process.env and process.rlimits are too long together: "
				 "at most %u bytes", RING_BUF_SIZE);
	event->kind = PV_EV_EXEC;
	event->nfds = nfds;
	event->size = (uint32_t)w.used;
	*out = steal_pointer(&event);
	return 0;
}
