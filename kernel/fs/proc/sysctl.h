/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sys: entries of its tables. */
#ifndef SYSCTL_H
#define SYSCTL_H

#include "proc.h"

/* Numbers that root may set, each from low to high, which are kept and shown. */
struct sysctl_ints {
	s64 *v;
	u32 n;
	s64 low, high;
	void (*changed)(void); /* may be NULL */
};
#define SYSCTL_MAX_INTS 4
int sysctl_show_ints(struct seq *m, const struct pseudo_ctx *c);
s64 sysctl_store_ints(const struct pseudo_ctx *c, char *text, size_t len);
#define SYSCTL_INTS(name_, v_, n_, lowest, highest, changed_)                                      \
	PSEUDO_FILE(name_, 0644, .show = sysctl_show_ints, .store = sysctl_store_ints,             \
		    .arg = &(const struct sysctl_ints){ v_, n_, lowest, highest, changed_ })
#define SYSCTL_INT(n, initial, lowest, highest) SYSCTL_INTS(n, &(s64){ initial }, 1, lowest, highest, NULL)
#define SYSCTL_BOOL(n, initial) SYSCTL_INT(n, initial, 0, 1)
#define SYSCTL_ANY(n, initial) SYSCTL_INT(n, initial, 0, 0x7fffffffffffffff)

/* One unsigned number of 64 bits; arg is the u64. */
int sysctl_show_ulong(struct seq *m, const struct pseudo_ctx *c);
s64 sysctl_store_ulong(const struct pseudo_ctx *c, char *text, size_t len);
#define SYSCTL_ULONG(n, v)                                                                         \
	PSEUDO_FILE(n, 0644, .show = sysctl_show_ulong, .store = sysctl_store_ulong, .arg = (v))

extern const struct pseudo_entry sys_kernel_entries[], sys_vm_entries[], sys_fs_entries[],
	sys_net_entries[];

#endif
