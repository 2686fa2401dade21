/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that are host processes: config.md#posix-platform-hooks. */
#ifndef CALLGATE_RUNTIME_OCI_HOOKS_H
#define CALLGATE_RUNTIME_OCI_HOOKS_H

#include "lib/error.h"
#include "oci/spec.h"

/*
 * Runs them one after the other, in the caller's namespaces, with the state (JSON text) on stdin.
 * cwd: where, NULL: here. The first that fails is the last: its number, status and output are
 * the error. A hook that takes longer than its time-out is killed.
 */
int must_check hooks_run(const struct oci_hook_list *list, const char *name, const char *state,
			 const char *cwd, struct error *err);

/* The same for hooks whose failure changes nothing: all are run, errors are logged. */
void hooks_run_all(const struct oci_hook_list *list, const char *name, const char *state,
		   const char *cwd);

#endif
