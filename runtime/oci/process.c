// SPDX-License-Identifier: Apache-2.0
/* The "process" section: config.md#process. Also what an exec's process.json holds. */
#include "oci/parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

static const char *const capability_names[] = {
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
	"IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
	"SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
	"LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

#define CAPABILITY_COUNT (sizeof(capability_names) / sizeof(capability_names[0]))

uint64_t oci_all_capabilities(void)
{
	return (1ull << CAPABILITY_COUNT) - 1;
}

const char *oci_capability_name(unsigned int number)
{
	return number < CAPABILITY_COUNT ? capability_names[number] : NULL;
}

int oci_capability_number(const char *name)
{
	if (strncasecmp(name, "CAP_", 4))
		return -1;
	for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
		if (!strcasecmp(name + 4, capability_names[i]))
			return (int)i;
	}
	return -1;
}

/* The same name may be in all five sets: it is noted once. */
static void note_unknown(struct oci_strings *list, char *name, struct arena *arena)
{
	char **v;

	for (size_t i = 0; i < list->n; i++) {
		if (!strcmp(list->v[i], name))
			return;
	}
	v = arena_array(arena, list->n + 2, sizeof(*v));
	for (size_t i = 0; i < list->n; i++)
		v[i] = list->v[i];
	v[list->n++] = name;
	list->v = v;
}

static int parse_capability_set(const struct json_at *at, uint64_t *out, struct oci_process *p,
				struct arena *arena, struct error *err)
{
	struct oci_strings names;
	int ret = json_strings(at, &names, arena, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < names.n; i++) {
		int number = oci_capability_number(names.v[i]);

		if (number >= 0)
			*out |= 1ull << number;
		else
			note_unknown(&p->unknown_capabilities, names.v[i], arena);
	}
	return 0;
}

static int parse_capabilities(const struct json_at *at, void *base, struct arena *arena,
			      struct error *err)
{
	struct oci_process *p = base;
	const struct {
		const char *name;
		uint64_t *set;
	} sets[] = {
		{ "bounding", &p->capabilities.bounding },
		{ "effective", &p->capabilities.effective },
		{ "inheritable", &p->capabilities.inheritable },
		{ "permitted", &p->capabilities.permitted },
		{ "ambient", &p->capabilities.ambient },
	};

	if (!json_is_object(at->value))
		return json_error(at, err, "expected an object");
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct json_at set = { at, sets[i].name, 0,
				       json_object_get(at->value, sets[i].name) };
		int ret;

		if (!set.value || json_is_null(set.value))
			continue;
		ret = parse_capability_set(&set, sets[i].set, p, arena, err);
		if (ret)
			return ret;
	}
	return 0;
}

static const char *const rlimit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "RLIMIT_CPU",
	[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_DATA] = "RLIMIT_DATA",
	[RLIMIT_STACK] = "RLIMIT_STACK",
	[RLIMIT_CORE] = "RLIMIT_CORE",
	[RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",
	[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
	[RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
	[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
	[RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
	[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

static int parse_rlimit_type(const struct json_at *at, void *base, struct arena *arena,
			     struct error *err)
{
	struct oci_rlimit *limit = base;
	const char *name = json_string_value(at->value);

	if (!name)
		return json_error(at, err, "expected a string");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		if (rlimit_names[i] && !strcmp(name, rlimit_names[i])) {
			limit->resource = i;
			return 0;
		}
	}
	return json_error(at, err, "unknown resource limit '%s'", name);
}

static int check_rlimit(const struct json_at *at, void *base, struct arena *arena,
			struct error *err)
{
	const struct oci_rlimit *limit = base;

	if (limit->soft > limit->hard)
		return json_error(at, err, "the soft limit is above the hard limit");
	return 0;
}

static const struct json_field rlimit_fields[] = {
	{ .name = "type", .kind = JSON_KIND_CALL, .required = true, .parse = parse_rlimit_type },
	JSON_NEEDED(struct oci_rlimit, soft, "soft", U64),
	JSON_NEEDED(struct oci_rlimit, hard, "hard", U64),
	{ 0 },
};

static int parse_groups(const struct json_at *at, void *base, struct arena *arena,
			struct error *err)
{
	struct oci_user *user = base;
	size_t n = json_array_size(at->value);

	if (!json_is_array(at->value))
		return json_error(at, err, "expected an array of group IDs");
	user->groups = arena_array(arena, n, sizeof(*user->groups));
	for (size_t i = 0; i < n; i++) {
		struct json_at elem = { at, NULL, i, json_array_get(at->value, i) };
		uint64_t gid;
		int ret = json_u64(&elem, &gid, err);

		if (ret)
			return ret;
		if (gid >= UINT32_MAX)
			return json_error(&elem, err, "not a group ID");
		user->groups[i] = (uint32_t)gid;
	}
	user->n_groups = n;
	return 0;
}

static const struct json_field user_fields[] = {
	JSON_FIELD(struct oci_user, uid, "uid", U32),
	JSON_FIELD(struct oci_user, gid, "gid", U32),
	JSON_FIELD(struct oci_user, umask, "umask", OPT),
	JSON_CALL("additionalGids", parse_groups),
	{ 0 },
};

static int parse_args(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct oci_process *p = base;

	if (!json_array_size(at->value))
		return json_error(at, err, "expected a non-empty array of strings");
	return json_strings(at, &p->args, arena, err);
}

static int parse_cwd(const struct json_at *at, void *base, struct arena *arena, struct error *err)
{
	struct oci_process *p = base;
	const char *cwd = json_string_value(at->value);

	if (!cwd || cwd[0] != '/')
		return json_error(at, err, "expected an absolute path");
	p->cwd = arena_strdup(arena, cwd);
	return 0;
}

static const struct json_field console_size_fields[] = {
	JSON_FIELD(struct oci_process, console_height, "height", OPT),
	JSON_FIELD(struct oci_process, console_width, "width", OPT),
	{ 0 },
};

static int parse_console_size(const struct json_at *at, void *base, struct arena *arena,
			      struct error *err)
{
	return json_fields(at, console_size_fields, base, arena, err);
}

static const struct json_field scheduler_fields[] = {
	JSON_NEEDED(struct oci_scheduler, policy, "policy", STRING),
	JSON_FIELD(struct oci_scheduler, nice, "nice", OPT),
	JSON_FIELD(struct oci_scheduler, priority, "priority", OPT),
	JSON_FIELD(struct oci_scheduler, flags, "flags", STRINGS),
	JSON_FIELD(struct oci_scheduler, runtime, "runtime", OPT_U64),
	JSON_FIELD(struct oci_scheduler, deadline, "deadline", OPT_U64),
	JSON_FIELD(struct oci_scheduler, period, "period", OPT_U64),
	{ 0 },
};

static const struct json_field io_priority_fields[] = {
	JSON_NEEDED(struct oci_io_priority, class, "class", STRING),
	JSON_FIELD(struct oci_io_priority, priority, "priority", I64),
	{ 0 },
};

const struct json_field oci_process_fields[] = {
	JSON_FIELD(struct oci_process, terminal, "terminal", BOOL),
	JSON_CALL("consoleSize", parse_console_size),
	JSON_OBJECT(struct oci_process, user, "user", user_fields),
	{ .name = "args", .kind = JSON_KIND_CALL, .required = true, .parse = parse_args },
	JSON_FIELD(struct oci_process, env, "env", STRINGS),
	{ .name = "cwd", .kind = JSON_KIND_CALL, .required = true, .parse = parse_cwd },
	JSON_CALL("capabilities", parse_capabilities),
	{ .name = "rlimits", .kind = JSON_KIND_ARRAY,
	  .offset = offsetof(struct oci_process, rlimits),
	  .count = offsetof(struct oci_process, n_rlimits), .size = sizeof(struct oci_rlimit),
	  .sub = rlimit_fields, .parse = check_rlimit },
	JSON_FIELD(struct oci_process, no_new_privileges, "noNewPrivileges", BOOL),
	JSON_FIELD(struct oci_process, oom_score_adj, "oomScoreAdj", OPT),
	JSON_FIELD(struct oci_process, apparmor_profile, "apparmorProfile", STRING),
	JSON_FIELD(struct oci_process, selinux_label, "selinuxLabel", STRING),
	JSON_POINTER(struct oci_process, scheduler, "scheduler", scheduler_fields),
	JSON_POINTER(struct oci_process, io_priority, "ioPriority", io_priority_fields),
	JSON_FIELD(struct oci_process, exec_cpu_affinity, "execCPUAffinity", PRESENT),
	{ 0 },
};
