// SPDX-License-Identifier: Apache-2.0
/* features.md of the runtime specification: what a configuration may ask for. */
#include <jansson.h>
#include <stdio.h>

#include "callgate_version.h"
#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "oci/mempolicy.h"
#include "oci/parts.h"
#include "vm/mount_options.h"

static const struct option options[] = { { 0 } };

static json_t *strings(const char *const *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

#define STRINGS(list) strings(list, sizeof(list) / sizeof((list)[0]))

/* The least that can be applied, for the questions below. */
static void init_probe(struct oci_spec *spec)
{
	spec->linux_.namespaces[OCI_NS_MOUNT].present = true;
	spec->linux_.namespaces[OCI_NS_PID].present = true;
}

/* What is refused is not supported, whatever is said elsewhere. */
static bool applicable(void (*ask_for)(struct oci_spec *spec))
{
	cleanup(spec_freep) struct oci_spec *spec = spec_new();
	struct error why;

	init_probe(spec);
	ask_for(spec);
	return !spec_check_applicable(spec, &why);
}

static void ask_apparmor(struct oci_spec *spec)
{
	spec->process.apparmor_profile = arena_strdup(&spec->arena, "profile");
}

static void ask_selinux(struct oci_spec *spec)
{
	spec->process.selinux_label = arena_strdup(&spec->arena, "user:role:type:level");
}

static void ask_time(struct oci_spec *spec)
{
	spec->linux_.namespaces[OCI_NS_TIME].present = true;
}

static void ask_intel_rdt(struct oci_spec *spec)
{
	spec->linux_.intel_rdt = arena_alloc(&spec->arena, sizeof(*spec->linux_.intel_rdt));
}

static void ask_net_devices(struct oci_spec *spec)
{
	spec->linux_.net_devices = arena_array(&spec->arena, 1, sizeof(*spec->linux_.net_devices));
	spec->linux_.n_net_devices = 1;
	spec->linux_.namespaces[OCI_NS_NETWORK].present = true;
}

static void ask_idmap(struct oci_spec *spec)
{
	static struct oci_id_map map = { 0, 100000, 65536 };
	struct oci_mount *m = arena_alloc(&spec->arena, sizeof(*m));

	*m = (struct oci_mount){
		.destination = arena_strdup(&spec->arena, "/x"),
		.type = arena_strdup(&spec->arena, "bind"),
		.source = arena_strdup(&spec->arena, "/"),
		.uid_mappings = { &map, 1 },
		.gid_mappings = { &map, 1 },
	};
	spec->mounts = m;
	spec->n_mounts = 1;
}

static json_t *enabled(bool yes)
{
	return json_pack("{sb}", "enabled", yes);
}

static json_t *namespaces(void)
{
	static const char *const list[] = { "cgroup", "ipc", "mount", "network", "pid", "user", "uts" };
	json_t *array = STRINGS(list);

	if (applicable(ask_time))
		json_array_append_new(array, json_string("time"));
	return array;
}

static json_t *capabilities(void)
{
	json_t *array = json_array();
	const char *name;

	for (unsigned int i = 0; (name = oci_capability_name(i)); i++)
		json_array_append_new(array, json_sprintf("CAP_%s", name));
	return array;
}

static json_t *seccomp(void)
{
	static const char *const actions[] = {
		"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
		"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
	};
	static const char *const operators[] = {
		"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE",
		"SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
	};
	static const char *const archs[] = { "SCMP_ARCH_X86_64" };

	return json_pack("{sbsososo}", "enabled", true, "actions", STRINGS(actions), "operators",
			 STRINGS(operators), "archs", STRINGS(archs));
}

static json_t *names(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return strings(list, n);
}

static json_t *linux_features(void)
{
	return json_pack("{so so s{sbsbsbsbsb} so so so so s{so} so s{soso}}", "namespaces", namespaces(),
			 "capabilities", capabilities(), "cgroup", "v1", true, "v2", true, "systemd",
			 true, "systemdUser", true, "rdma", true, "seccomp", seccomp(), "apparmor",
			 enabled(applicable(ask_apparmor)), "selinux",
			 enabled(applicable(ask_selinux)), "intelRdt",
			 enabled(applicable(ask_intel_rdt)), "mountExtensions", "idmap",
			 enabled(applicable(ask_idmap)), "netDevices",
			 enabled(applicable(ask_net_devices)), "memoryPolicy", "modes",
			 names(oci_mempolicy_modes), "flags", names(oci_mempolicy_flags));
}

static void add_option(void *array, const char *name)
{
	json_array_append_new(array, json_string(name));
}

int cmd_features(const struct globals *globals, int argc, char **argv, struct error *err)
{
	static const char *const hooks[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop" };
	json_t *mount_options = json_array();
	json_t *doc;
	int ret;

	if (cmd_option(argc, argv, options, err) == '?')
		return -err->code;
	ret = cmd_check_args(argc, argv, 0, 0, err);
	if (ret)
		return ret;
	mount_options_names(add_option, mount_options);
	doc = json_pack("{ss ss so so so s{ss ss} s[]}", "ociVersionMin", "1.0.0", "ociVersionMax",
			CALLGATE_SPEC_VERSION, "hooks", STRINGS(hooks), "mountOptions",
			mount_options, "linux", linux_features(), "annotations",
			"callgate.version", CALLGATE_VERSION, "callgate.commit", CALLGATE_COMMIT,
			"potentiallyUnsafeConfigAnnotations");
	json_dumpf(doc, stdout, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(doc);
	return 0;
}
