/* SPDX-License-Identifier: Apache-2.0 */
/* sysfs and the cgroup file system (fs/cgroup): what their files share. */
#ifndef SYSFS_H
#define SYSFS_H

#include "../pseudo.h"

#define SHOW(name) int name(struct seq *m, const struct pseudo_ctx *c)

extern const struct pseudo_entry sysfs_cpu_entries[], sysfs_node_entries[];
extern const struct pseudo_dir sysfs_cpu_dir;
extern const struct pseudo_dir sysfs_net_dir, sysfs_net_link_dir;

/* "0-3\n", and "f\n": all CPUs. */
SHOW(sysfs_cpu_list);
SHOW(sysfs_cpu_map);

void sysfs_init(void); /* vfs_boot calls it */
void cgroup_init(void);

#endif
