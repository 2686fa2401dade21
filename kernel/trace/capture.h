/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "trace_ring.h"

/*
 * Copies what the arguments of the record's call point to behind it: what it reads before the call, what it writes after
 * it. What can't be read is left out. strings: bytes of buffers and strings at most.
 */
void capture_before(struct trace_record *r, u32 strings);
void capture_after(struct trace_record *r, u32 strings);

#endif
