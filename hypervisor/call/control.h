/* SPDX-License-Identifier: Apache-2.0 */
/* control.h: control calls that live in files of their own. */
#ifndef CALLGATE_CALL_CONTROL_H
#define CALLGATE_CALL_CONTROL_H

#include <sys/types.h>

#include "call/call.h"

int text_decode(struct call *c); /* req.ctl.len bytes for people -> c->path[0] */

int mem_decode(struct call *c);
int mem_read(struct call *c);
int resident_decode(struct call *c);
int resident_perform(struct call *c);
int mem_write(struct call *c);

/* schedule.c */
int nice_decode(struct call *c);
int nice_perform(struct call *c);
int affinity_decode(struct call *c);
int affinity_perform(struct call *c);

/* vm_pid.c: host number of a thread of the VM; 0 or less: there is none. */
pid_t vm_host_pid(struct pv_server *srv, u32 pid);
/* The two ways to find it. */
pid_t vm_pid_ask(int pid_ns, u32 pid); /* -ENOTTY: the host kernel can not tell */
pid_t vm_pid_search(int procfd, pid_t vm0, u32 pid);

int name_in_buffer_decode(struct call *c); /* a string of req.ctl.len bytes -> c->path[0] */
int sysctl_decode(struct call *c);
int sysctl_read(struct call *c);
int netfile_read(struct call *c);
int host_stat(struct call *c);

int cgroup_file_decode(struct call *c);
int cgroup_file_read(struct call *c);

int procstat_decode(struct call *c);
int procstat_perform(struct call *c);

int site_decode(struct call *c);
int site_perform(struct call *c);
/* Pure. code: len bytes around a syscall instruction at offset at. */
void site_find(const u8 *code, size_t len, size_t at, struct pv_site *out);

/* program.c: PV_EXEC_ID */
int exec_id_decode(struct call *c);
int exec_id(struct call *c);

#endif
