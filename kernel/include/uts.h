/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system: uname(2), /proc/sys/kernel. */
#ifndef UTS_H
#define UTS_H

#include <linux/utsname.h>

#include "ns.h"

/*
 * The Linux version whose system call interface the guest kernel claims, the newest long-term one that
 * Debian 12 knows. C libraries and run-time systems choose calls by it; what is
 * missing of it answers ENOSYS all the same.
 */
#define UTS_RELEASE "6.1.0-callgate"
#ifndef CALLGATE_VERSION
#define CALLGATE_VERSION "dev"
#endif
#define UTS_VERSION "#1 SMP Callgate " CALLGATE_VERSION

struct uts_ns {
	struct ns ns;
	struct new_utsname name;
};
extern struct uts_ns init_uts_ns;

/* Of current's namespace, as all below. */
void uts_get(struct new_utsname *out);
/* 0, -EINVAL (too long), or why the host does not let it be set. name is not terminated. The system calls need CAP_SYS_ADMIN, the files only root. */
int uts_set_hostname(const char *name, size_t len);
int uts_set_domainname(const char *name, size_t len);

#endif
