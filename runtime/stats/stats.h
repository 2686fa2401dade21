/* SPDX-License-Identifier: Apache-2.0 */
/* What a container uses, from its cgroup, in the form of runc's `events`. */
#ifndef CALLGATE_RUNTIME_STATS_STATS_H
#define CALLGATE_RUNTIME_STATS_STATS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "vm/cgroup.h"

/* What can't be found is left out. pid: whose network namespace is the container's. */
json_t *stats_collect(const struct cgroup_tree *tree, const char *place, pid_t pid);

/* The parts. */
void stats_v1(const struct cgroup_tree *tree, const char *place, json_t *out);
void stats_v2(const struct cgroup_tree *tree, const char *place, json_t *out);
json_t *stats_network(pid_t pid);

/* Tells of processes that are killed as the container has run out of memory. */
struct oom_watch {
	int fd; /* poll it for input; -1: there is nothing to wait for */
	int dir;
	bool v1;
	unsigned long kills; /* that are known */
};

void oom_watch_start(struct oom_watch *watch, const struct cgroup_tree *tree, const char *place);
/* The fd is readable: has it happened? */
bool oom_watch_happened(struct oom_watch *watch);
void oom_watch_stop(struct oom_watch *watch);

/* ---- files of a cgroup; of one that is not there (-1) all is missing ---- */

/* A number, or "max": then the highest there is. */
bool stats_number(int dir, const char *file, json_int_t *value);
/* The number in its line "key N". */
bool stats_keyed(int dir, const char *file, const char *key, json_int_t *value);
/* All its lines "key N", as an object. */
json_t *stats_table(int dir, const char *file);
/* "0-2,7" as numbers, "3 4 5" too. */
json_t *stats_list(int dir, const char *file);
/* Sets the member, unless the value is 0 and that goes without saying. */
void stats_put(json_t *out, const char *key, json_int_t value);
/* limit, usage, max and failcnt of a resource that can run out; file names or NULL */
json_t *stats_entry(int dir, const char *limit, const char *usage, const char *max,
		    const char *failcnt);
/* "8:0 Read 4096" */
void stats_put_blkio(json_t *list, unsigned int major, unsigned int minor, const char *op,
		     json_int_t value);

#endif
