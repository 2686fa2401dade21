// SPDX-License-Identifier: Apache-2.0
/*
 * What is valid in config.json and yet can't be applied: it must fail, by name, rather
 * than be left out silently (runtime.md#create).
 *
 * Applied to the guest, and therefore not here: capabilities, rlimits, masked and
 * read-only paths. Device cgroup rules are moot: a guest has no host devices.
 */
#include <errno.h>
#include <string.h>

#include "oci/mempolicy.h"
#include "oci/priority.h"
#include "oci/spec.h"
#include "oci/sysctl.h"
#include "ring.h"

#define TEXT(number)  TEXT_(number)
#define TEXT_(number) #number

struct refusal {
	bool present;
	const char *name;
	const char *why;
};

static int refuse_first(const struct refusal *list, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].present)
			return error_set(err, ENOTSUP, "%s: %s", list[i].name, list[i].why);
	}
	return 0;
}

#define REFUSE(list, err) refuse_first(list, sizeof(list) / sizeof((list)[0]), err)
#define NOT_YET           "not supported yet"

int process_check_applicable(const struct oci_process *p, struct error *err)
{
	struct oci_sched sched;
	int ret;
	const struct refusal list[] = {
		{ p->user.n_groups > BOOT_MAX_GROUPS, "process.user.additionalGids",
		  "more than the guest kernel's limit of " TEXT(BOOT_MAX_GROUPS) },
		{ p->exec_cpu_affinity, "process.execCPUAffinity", NOT_YET },
	};

	ret = REFUSE(list, err);
	if (!ret && p->scheduler)
		ret = oci_sched_of(p->scheduler, &sched, err);
	if (!ret && p->io_priority)
		ret = oci_ioprio_of(p->io_priority, err);
	return ret < 0 ? ret : 0;
}

static int check_namespaces(const struct oci_namespace *ns, struct error *err)
{
	const struct refusal list[] = {
		{ !ns[OCI_NS_MOUNT].present, "linux.namespaces", "a mount namespace is required" },
		{ ns[OCI_NS_MOUNT].path, "linux.namespaces: mount",
		  "joining one is not supported" },
		{ !ns[OCI_NS_PID].present, "linux.namespaces: pid",
		  "the host's processes can't be shared with a guest kernel" },
		{ ns[OCI_NS_PID].path, "linux.namespaces: pid",
		  "a pid namespace can't be shared by two guest kernels" },
	};

	return REFUSE(list, err);
}

static int check_sysctl(const struct oci_linux *l, struct error *err)
{
	for (size_t i = 0; i < l->sysctl.n; i++) {
		const char *why = oci_sysctl_refusal(l, l->sysctl.v[i].key);

		if (why)
			return error_set(err, EINVAL, "linux.sysctl.%s: %s", l->sysctl.v[i].key, why);
	}
	return 0;
}

static bool has_guest_dev(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct oci_mount *m = &spec->mounts[i];

		if (!strcmp(m->destination, "/dev") && m->type && !strcmp(m->type, "tmpfs") && !oci_mount_is_bind(m))
			return true;
	}
	return false;
}

/* Nodes are made in the guest kernel's /dev; the host's file systems carry none. */
static int check_devices(const struct oci_spec *spec, struct error *err)
{
	const struct oci_linux *l = &spec->linux_;

	for (size_t i = 0; i < l->n_devices; i++) {
		const char *path = l->devices[i].path;

		if (strncmp(path, "/dev/", 5) || !path[5] || strstr(path, "/../") || strlen(path) > 200)
			return error_set(err, ENOTSUP, "linux.devices[%zu]: %s: devices can be in /dev only", i, path);
	}
	if (l->n_devices && !has_guest_dev(spec))
		return error_set(err, ENOTSUP, "linux.devices: there is no tmpfs on /dev for them");
	return 0;
}

static int check_linux(const struct oci_spec *spec, struct error *err)
{
	const struct oci_linux *l = &spec->linux_;
	bool own_user = l->namespaces[OCI_NS_USER].present && !l->namespaces[OCI_NS_USER].path;
	const struct refusal list[] = {
		{ l->uid_mappings.n && !l->namespaces[OCI_NS_USER].present, "linux.uidMappings",
		  "needs a user namespace" },
		{ l->gid_mappings.n && !l->namespaces[OCI_NS_USER].present, "linux.gidMappings",
		  "needs a user namespace" },
		{ !l->uid_mappings.n && own_user, "linux.uidMappings",
		  "a new user namespace needs mappings" },
		{ !l->gid_mappings.n && own_user, "linux.gidMappings",
		  "a new user namespace needs mappings" },
		{ l->intel_rdt, "linux.intelRdt", "cache and memory bandwidth can't be allotted" },
		{ l->personality && strcmp(l->personality, "LINUX") && strcmp(l->personality, "LINUX32"),
		  "linux.personality.domain", "expected LINUX or LINUX32" },
		{ l->personality_flags.n, "linux.personality.flags", "not supported" },
		{ (l->time_monotonic.set || l->time_boottime.set) && !l->namespaces[OCI_NS_TIME].present,
		  "linux.timeOffsets", "needs a time namespace" },
		{ (l->time_monotonic.set || l->time_boottime.set) && l->namespaces[OCI_NS_TIME].path,
		  "linux.timeOffsets", "those of an existing time namespace can't be changed" },
		{ l->n_net_devices && !l->namespaces[OCI_NS_NETWORK].present, "linux.netDevices",
		  "needs a network namespace" },
	};
	struct mempolicy policy;
	int ret = REFUSE(list, err);

	if (!ret && l->memory_policy)
		ret = oci_mempolicy_of(l->memory_policy, &policy, err);
	if (!ret)
		ret = check_namespaces(l->namespaces, err);
	if (!ret)
		ret = check_sysctl(l, err);
	if (!ret)
		ret = check_devices(spec, err);
	return ret;
}

int spec_check_applicable(const struct oci_spec *spec, struct error *err)
{
	int ret;

	if (spec->foreign)
		return error_set(err, ENOTSUP, "%s: this section is of another platform",
				 spec->foreign);
	ret = process_check_applicable(&spec->process, err);
	return ret ? ret : check_linux(spec, err);
}
