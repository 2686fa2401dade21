/* SPDX-License-Identifier: Apache-2.0 */
/* control.h: control calls that live in files of their own. */
#ifndef CALLGATE_CALL_CONTROL_H
#define CALLGATE_CALL_CONTROL_H

#include "call/call.h"

int mem_decode(struct call *c);
int mem_read(struct call *c);
int mem_write(struct call *c);

int name_in_buffer_decode(struct call *c); /* a string of req.ctl.len bytes -> c->path[0] */
int sysctl_decode(struct call *c);
int sysctl_read(struct call *c);
int netfile_read(struct call *c);
int host_stat(struct call *c);

int site_decode(struct call *c);
int site_perform(struct call *c);
/* Pure. code: len bytes around a syscall instruction at offset at. */
void site_find(const u8 *code, size_t len, size_t at, struct pv_site *out);

#endif
