// SPDX-License-Identifier: Apache-2.0
/* Rules of the specification that a property's own type does not tell. */
#include <errno.h>
#include <string.h>

#include "oci/spec.h"

static int check_rlimits(const struct oci_process *p, struct error *err)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		for (size_t k = 0; k < i; k++) {
			if (p->rlimits[k].resource == p->rlimits[i].resource)
				return error_set(err, EINVAL,
						 "process.rlimits[%zu].type: the same as of rlimits[%zu]", i, k);
		}
	}
	return 0;
}

static int check_annotations(const struct oci_pairs *notes, struct error *err)
{
	for (size_t i = 0; i < notes->n; i++) {
		if (!notes->v[i].key[0])
			return error_set(err, EINVAL, "annotations: a key is empty");
	}
	return 0;
}

static int check_absolute(const struct oci_strings *paths, const char *name, struct error *err)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (paths->v[i][0] != '/')
			return error_set(err, EINVAL, "linux.%s[%zu]: expected an absolute path", name, i);
	}
	return 0;
}

static bool takes_errno(const char *action)
{
	return !strcmp(action, "SCMP_ACT_ERRNO") || !strcmp(action, "SCMP_ACT_TRACE");
}

static int check_seccomp(const struct oci_seccomp *s, struct error *err)
{
	if (s->default_errno_ret.set && !takes_errno(s->default_action))
		return error_set(err, EINVAL, "linux.seccomp.defaultErrnoRet: %s has no error number",
				 s->default_action);
	if (s->listener_metadata && s->listener_metadata[0] && (!s->listener_path || !s->listener_path[0]))
		return error_set(err, EINVAL, "linux.seccomp.listenerMetadata: there is no listenerPath");
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct oci_seccomp_rule *rule = &s->rules[i];

		if (!rule->names.n)
			return error_set(err, EINVAL, "linux.seccomp.syscalls[%zu].names: there is none", i);
		if (rule->errno_ret.set && !takes_errno(rule->action))
			return error_set(err, EINVAL,
					 "linux.seccomp.syscalls[%zu].errnoRet: %s has no error number", i,
					 rule->action);
	}
	return 0;
}

int spec_check_values(const struct oci_spec *spec, struct error *err)
{
	const struct oci_linux *l = &spec->linux_;
	int ret = check_rlimits(&spec->process, err);

	if (!ret)
		ret = check_annotations(&spec->annotations, err);
	if (!ret)
		ret = check_absolute(&l->masked_paths, "maskedPaths", err);
	if (!ret)
		ret = check_absolute(&l->readonly_paths, "readonlyPaths", err);
	if (!ret && l->seccomp)
		ret = check_seccomp(l->seccomp, err);
	return ret;
}
