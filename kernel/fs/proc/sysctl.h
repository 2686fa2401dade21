/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sys: entries of its tables. */
#ifndef SYSCTL_H
#define SYSCTL_H

#include "proc.h"

/* A number that root may set, which is kept and shown. */
struct sysctl_int {
	s64 value, low, high;
};
int sysctl_show_int(struct seq *m, const struct pseudo_ctx *c);
s64 sysctl_store_int(const struct pseudo_ctx *c, char *text, size_t len);
#define SYSCTL_INT(n, initial, lowest, highest)                                                    \
	PSEUDO_FILE(n, 0644, .show = sysctl_show_int, .store = sysctl_store_int,                   \
		    .arg = &(struct sysctl_int){ initial, lowest, highest })
#define SYSCTL_BOOL(n, initial) SYSCTL_INT(n, initial, 0, 1)
#define SYSCTL_ANY(n, initial) SYSCTL_INT(n, initial, 0, 0x7fffffffffffffff)

extern const struct pseudo_entry sys_kernel_entries[], sys_vm_entries[], sys_fs_entries[],
	sys_net_entries[];

#endif
