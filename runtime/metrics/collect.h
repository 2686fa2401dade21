/* SPDX-License-Identifier: Apache-2.0 */
/* What all containers use and do, at this moment: for callgate metrics and callgate top. */
#ifndef CALLGATE_RUNTIME_METRICS_COLLECT_H
#define CALLGATE_RUNTIME_METRICS_COLLECT_H

#include <jansson.h>

#include "lib/error.h"

/*
 * An array of objects: id, status; cpu (ns), memory, memoryLimit, pids as far as there is a cgroup; and of containers that
 * can answer: local, proxied, missing, pvCalls, hostCalls, missed {name: number}, connections [{protocol, state, n}].
 */
json_t *metrics_collect(const char *root, struct error *err);

#endif
