/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/PID/uid_map, gid_map and setgroups show and set. */
#ifndef USER_MAP_H
#define USER_MAP_H

#include "seq.h"
#include "user_ns.h"

void user_map_show(struct seq *m, const struct user_ns *u, bool group);
int user_map_write(struct user_ns *u, const char *text, bool group); /* 0 or -errno */
bool user_map_setgroups(const struct user_ns *u);
int user_map_set_setgroups(struct user_ns *u, bool allow); /* 0 or -errno */

#endif
