/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp to classic BPF, for the guest kernel to apply to guest calls. It has nothing to do with the
 * filter of host calls (filter.h).
 */
#ifndef CALLGATE_VM_SECCOMP_H
#define CALLGATE_VM_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "oci/spec.h"

struct seccomp_program {
	struct sock_filter *insns; /* to be freed */
	uint32_t len;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
};

/* -errno: what is wrong or can't be applied, by its name in config.json. */
int must_check seccomp_compile(const struct oci_seccomp *config, struct seccomp_program *out, struct error *err);

#endif
