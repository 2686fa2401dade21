/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time namespaces (time_namespaces(7)): what is added to CLOCK_MONOTONIC and CLOCK_BOOTTIME where a task reads them. The kernel's own
 * times are those of the first namespace everywhere: they are shifted at system calls and in procfs.
 *
 * The offsets may be written until somebody is in the namespace. A task is in nsproxy->time; nsproxy->of[NS_TIME] is the
 * one that its children will be in, and itself when it executes a program.
 */
#ifndef TIME_NS_H
#define TIME_NS_H

#include "ns.h"
#include "seq.h"

struct time_ns {
	struct ns ns;
	s64 monotonic, boottime; /* ns; constant once it is frozen */
	bool frozen;
};

extern struct time_ns init_time_ns;

static inline struct time_ns *time_ns_of(struct ns *ns) { return (struct time_ns *)ns; }

/* What current's namespace adds to a clock (CLOCK_*); 0 for all others. */
s64 clock_offset(int clock);
/* Its clocks are not the host's: what reads those itself, the vdso, must ask (mc_clock_calls). */
static inline bool time_shifted(const struct nsproxy *p) { return p->time != &init_time_ns.ns; }
void time_ns_freeze(struct ns *ns); /* somebody is about to come in */

void time_offsets_show(struct seq *m, const struct time_ns *ns);
int time_offsets_write(struct time_ns *ns, char *text, size_t *len); /* changes the text; *len: what was used. 0 or -errno */

#endif
