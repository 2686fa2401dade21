/* SPDX-License-Identifier: Apache-2.0 */
/* Connection policies as files: docs/policy.md. */
#ifndef CALLGATE_RUNTIME_POLICY_POLICY_H
#define CALLGATE_RUNTIME_POLICY_POLICY_H

#include "call/policy.h"
#include "oci/spec.h"

#define POLICY_ANNOTATION "org.callgate.policy"
#define POLICY_LOG        "/var/log/callgate/policy.log"

/* The part "policy" of config.toml. */
struct policy_config {
	char *default_name;         /* of every container; NULL: none */
	struct oci_strings choices; /* what an annotation may name: patterns of fnmatch() */
	char *log;                  /* where denials are told; NULL: at the usual place */
};

/* $CALLGATE_CONFIG_DIR or /etc/callgate. */
const char *policy_config_dir(void);

/* A file that is not there means an empty configuration. */
int must_check policy_read_config(struct policy_config *out, struct arena *arena, struct error *err);

/* Where denials are told if the configuration does not say: an ordinary user's are with the state in `root`. */
char *policy_default_log(const char *root, struct arena *arena);

/* One file. */
int must_check policy_load(const char *path, const char *name, struct policy **out,
			   struct arena *arena, struct error *err);
/* policy.d/NAME.toml */
int must_check policy_load_name(const char *name, struct policy **out, struct arena *arena,
				struct error *err);

/* Those that this container is subject to. *out lives as long as the specification. */
int must_check policy_select(struct oci_spec *spec, struct policies *out, const char **log,
			     struct error *err);

#endif
