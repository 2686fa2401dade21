/* SPDX-License-Identifier: Apache-2.0 */
/* PV calls of the form struct pv_req_ctl whose answer is a number only. */
#ifndef PV_CTL_H
#define PV_CTL_H

#include "kernel.h"

/* text: len bytes for the call's buffer, of which at most PV_PATH_MAX are passed on; NULL: none. What the hypervisor answers. */
s64 pv_ctl_call(u32 cmd, u64 arg, u32 pid, const void *text, size_t len);

#endif
