/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the main server thread runs. A request is a hand-over: the guest thread waits for the
 * answer, so the best CPU for the server is the one that the guest thread leaves. Waking it there
 * costs 2 us, and on an idle CPU 50 us in a VM; but the host's scheduler always prefers the idle
 * CPU. So while requests come from one CPU, the server is pinned to it. When they come from
 * several, it is free to run beside the guest.
 */
#include "call/server_impl.h"

#define PIN_AFTER 4
#define UNPIN_ABOVE 16

void follow_init(struct follower *f)
{
	*f = (struct follower){ .pinned = -1, .last = -1 };
	f->active = sched_getaffinity(0, sizeof(f->allowed), &f->allowed) == 0 &&
		    CPU_COUNT(&f->allowed) > 1;
}

/* The calling thread only: 0 is not the process here. */
static void pin(struct follower *f, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	if (cpu >= 0)
		CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), cpu >= 0 ? &one : &f->allowed) == 0)
		f->pinned = cpu;
	else
		f->active =
			false; /* the container's CPUs were changed: the host decides from now on */
	f->elsewhere = 0;
}

/* The number is the guest's word: a wrong one costs the guest time, and is checked for its range. */
void follow_request(struct follower *f, u32 cpu)
{
	if (!f->active || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &f->allowed))
		return;
	f->same = (int)cpu == f->last ? f->same + 1 : 1;
	f->last = (int)cpu;
	if ((int)cpu == f->pinned) {
		f->elsewhere -= f->elsewhere > 0;
		return;
	}
	f->elsewhere += 2;
	if (f->same >= PIN_AFTER)
		pin(f, (int)cpu);
	else if (f->pinned >= 0 && f->elsewhere > UNPIN_ABOVE)
		pin(f, -1);
}
