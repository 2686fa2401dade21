/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TASK_PRCTL_H
#define TASK_PRCTL_H

#include "types.h"

/* The operations of prctl(2) that change what capabilities the caller may have. */
long prctl_caps(int op, u64 a, u64 b, u64 c, u64 d);

#endif
