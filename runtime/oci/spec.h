/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI bundle's config.json as a typed structure (runtime-spec 1.x, config.md and
 * config-linux.md: the names are theirs).
 *
 * spec_parse() checks types and values: what is wrong is named by its path, as in
 * "linux.namespaces[1].type: unknown namespace 'foo'". Properties the specification
 * does not know are ignored, as it demands. spec_check_applicable() names what is
 * valid but cannot be applied by this version.
 *
 * Strings and arrays belong to the specification and live until spec_free().
 * An absent string is NULL, an absent array has n == 0, an absent object is NULL.
 */
#ifndef CALLGATE_RUNTIME_OCI_SPEC_H
#define CALLGATE_RUNTIME_OCI_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/arena.h"
#include "lib/error.h"

/* v[n] is NULL, so that v can be handed to execve() */
struct oci_strings {
	char **v;
	size_t n;
};

struct oci_opt {
	bool set;
	int64_t v;
};

struct oci_opt_u64 {
	bool set;
	uint64_t v;
};

struct oci_pair {
	char *key;
	char *value;
};

struct oci_pairs {
	struct oci_pair *v;
	size_t n;
};

struct oci_user {
	uint32_t uid;
	uint32_t gid;
	struct oci_opt umask;
	uint32_t *groups; /* additionalGids */
	size_t n_groups;
};

struct oci_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft;
	uint64_t hard;
};

/* Bit n is capability number n. All zero when the section is absent: no capabilities. */
struct oci_capabilities {
	uint64_t bounding;
	uint64_t effective;
	uint64_t inheritable;
	uint64_t permitted;
	uint64_t ambient;
};

struct oci_scheduler {
	char *policy;
	struct oci_opt nice;
	struct oci_opt priority;
	struct oci_strings flags;
	struct oci_opt_u64 runtime;
	struct oci_opt_u64 deadline;
	struct oci_opt_u64 period;
};

struct oci_io_priority {
	char *class;
	int64_t priority;
};

struct oci_process {
	bool terminal;
	struct oci_opt console_height;
	struct oci_opt console_width;
	struct oci_user user;
	struct oci_strings args; /* at least one */
	struct oci_strings env;
	char *cwd; /* absolute */
	struct oci_capabilities capabilities;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	struct oci_opt oom_score_adj;
	char *apparmor_profile;
	char *selinux_label;
	struct oci_scheduler *scheduler;
	struct oci_io_priority *io_priority;
	bool exec_cpu_affinity; /* there is one */
	struct oci_strings unknown_capabilities; /* to be warned of, not refused */
};

struct oci_root {
	char *path; /* absolute: a relative one is resolved against the bundle */
	bool readonly;
	/* not in config.json: */
	bool throwaway;    /* writes go to a layer that dies with the container */
	bool all_readonly; /* the mounts below it, too */
};

struct oci_id_map {
	uint32_t container_id;
	uint32_t host_id;
	uint32_t size;
};

struct oci_id_maps {
	struct oci_id_map *v;
	size_t n;
};

struct oci_mount {
	char *destination;
	char *type;   /* NULL: a bind mount */
	char *source; /* of a bind: absolute, a relative one is resolved against the bundle */
	struct oci_strings options;
	struct oci_id_maps uid_mappings;
	struct oci_id_maps gid_mappings;
	bool throwaway; /* as in oci_root; only with a source that is a directory */
};

struct oci_hook {
	char *path;
	struct oci_strings args;
	struct oci_strings env;
	struct oci_opt timeout; /* seconds */
};

struct oci_hook_list {
	struct oci_hook *v;
	size_t n;
};

struct oci_hooks {
	struct oci_hook_list prestart;
	struct oci_hook_list create_runtime;
	struct oci_hook_list create_container;
	struct oci_hook_list start_container;
	struct oci_hook_list poststart;
	struct oci_hook_list poststop;
};

enum oci_namespace_type {
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_MOUNT,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_USER,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_COUNT
};

/* Absent: the host's. Without a path: a new one. */
struct oci_namespace {
	bool present;
	char *path;
};

struct oci_device {
	char *path;
	mode_t type; /* S_IFCHR, S_IFBLK or S_IFIFO */
	uint32_t major;
	uint32_t minor;
	mode_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
};

struct oci_device_rule {
	bool allow;
	char *type; /* "a", "b", "c" */
	struct oci_opt major;
	struct oci_opt minor;
	char *access;
};

struct oci_memory {
	struct oci_opt limit; /* bytes, -1: no limit */
	struct oci_opt reservation;
	struct oci_opt swap; /* memory and swap together */
	struct oci_opt kernel;
	struct oci_opt kernel_tcp;
	struct oci_opt_u64 swappiness;
	bool disable_oom_killer;
	bool use_hierarchy;
	bool check_before_update;
};

struct oci_cpu {
	struct oci_opt_u64 shares;
	struct oci_opt quota; /* microseconds per period */
	struct oci_opt_u64 burst;
	struct oci_opt_u64 period;
	struct oci_opt realtime_runtime;
	struct oci_opt_u64 realtime_period;
	char *cpus;
	char *mems;
	struct oci_opt idle;
};

struct oci_throttle {
	int64_t major;
	int64_t minor;
	uint64_t rate;
};

struct oci_throttles {
	struct oci_throttle *v;
	size_t n;
};

struct oci_weight_device {
	int64_t major;
	int64_t minor;
	struct oci_opt weight;
	struct oci_opt leaf_weight;
};

struct oci_block_io {
	struct oci_opt weight;
	struct oci_opt leaf_weight;
	struct oci_weight_device *weight_devices;
	size_t n_weight_devices;
	struct oci_throttles read_bps;
	struct oci_throttles write_bps;
	struct oci_throttles read_iops;
	struct oci_throttles write_iops;
};

struct oci_hugepage_limit {
	char *page_size;
	uint64_t limit;
};

struct oci_net_priority {
	char *name;
	uint32_t priority;
};

/* At least one of both. */
struct oci_rdma {
	char *device;
	struct oci_opt hca_handles;
	struct oci_opt hca_objects;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory memory;
	struct oci_cpu cpu;
	struct oci_opt pids_limit;
	struct oci_block_io block_io;
	struct oci_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	struct oci_opt net_class_id;
	struct oci_net_priority *net_priorities;
	size_t n_net_priorities;
	struct oci_rdma *rdma;
	size_t n_rdma;
	struct oci_pairs unified;
};

struct oci_seccomp_arg {
	uint32_t index;
	uint64_t value;
	uint64_t value_two;
	char *op;
};

struct oci_seccomp_rule {
	struct oci_strings names;
	char *action;
	struct oci_opt errno_ret;
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	char *default_action;
	struct oci_opt default_errno_ret;
	struct oci_strings architectures;
	struct oci_strings flags;
	char *listener_path;
	char *listener_metadata;
	struct oci_seccomp_rule *rules;
	size_t n_rules;
};

struct oci_intel_rdt {
	char *clos_id;
	struct oci_strings schemata;
	char *l3_cache_schema;
	char *mem_bw_schema;
	bool enable_monitoring;
};

struct oci_memory_policy {
	char *mode; /* "MPOL_BIND" ... */
	char *nodes;
	struct oci_strings flags;
};

/* An interface of the host that is to be moved into the container's network namespace. */
struct oci_net_device {
	char *host_name;
	char *name; /* in the container; NULL: the same */
};

struct oci_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_linux {
	struct oci_namespace namespaces[OCI_NS_COUNT];
	struct oci_id_maps uid_mappings;
	struct oci_id_maps gid_mappings;
	struct oci_device *devices;
	size_t n_devices;
	char *cgroups_path;
	struct oci_resources resources;
	struct oci_pairs sysctl;
	struct oci_seccomp *seccomp;
	unsigned long rootfs_propagation; /* MS_SHARED, MS_SLAVE ... | MS_REC; 0: not given */
	struct oci_strings masked_paths;
	struct oci_strings readonly_paths;
	char *mount_label;
	struct oci_intel_rdt *intel_rdt;
	struct oci_memory_policy *memory_policy;
	char *personality; /* domain */
	struct oci_strings personality_flags;
	struct oci_time_offset time_monotonic;
	struct oci_time_offset time_boottime;
	struct oci_net_device *net_devices;
	size_t n_net_devices;
};

struct oci_spec {
	char *oci_version;
	struct oci_process process;
	struct oci_root root;
	char *hostname;
	char *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hooks hooks;
	struct oci_pairs annotations;
	struct oci_linux linux_;
	const char *foreign; /* name of a section of another platform, or NULL */

	/* Not from config.json */
	char *id;     /* container ID; set by the command */
	char *bundle; /* absolute path of the bundle, NULL if there is none */
	char *text;   /* config.json as it was read by spec_load(), or NULL */
	bool no_pivot; /* the root file system can't be pivoted into: it is on a ramfs */
	struct arena arena;
};

/* Reads BUNDLE/config.json. On failure *out is NULL. */
int must_check spec_load(const char *bundle, struct oci_spec **out, struct error *err);

/* The same from text; bundle: the folder that relative paths start at, absolute. */
int must_check spec_parse(const char *json, size_t size, const char *bundle,
			  struct oci_spec **out, struct error *err);

/* What of a parsed specification is against the rules; spec_parse() calls it. */
int must_check spec_check_values(const struct oci_spec *spec, struct error *err);

/* An empty specification, to be filled in by hand. */
struct oci_spec *spec_new(void);
void spec_free(struct oci_spec *spec);
void spec_freep(struct oci_spec **spec); /* for cleanup() */

/* Fails, by name, for what is valid but can't be applied. Call it before anything is made. */
int must_check spec_check_applicable(const struct oci_spec *spec, struct error *err);
/* The same of a process, which may be a further one. */
int must_check process_check_applicable(const struct oci_process *process, struct error *err);

/* A bind mount may be told by its type or by its options. */
bool oci_mount_is_bind(const struct oci_mount *m);

/* "network" for OCI_NS_NETWORK */
const char *oci_namespace_name(enum oci_namespace_type type);

#endif
