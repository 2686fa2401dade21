/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU of the server's thread. A call whose caller runs on another CPU takes a microsecond or two, as both poll; one
 * whose caller runs on ours needs two switches. The host's scheduler brings the two together (each wakes the other), and once
 * they are leaves them so, because never both want the CPU at once. So when callers have been found asleep on our own
 * CPU for a while, and a CPU is idle, we go there. On a busy machine we stay: there a switch comes sooner than a turn on another CPU.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/server_impl.h"

#define PATIENCE_MIN 64u
#define PATIENCE_MAX 4096u
#define SETTLED 1000u /* requests from another CPU: the last move was worth it */

static u32 own_cpu(void)
{
	return (u32)(sched_getcpu() + 1); /* from memory; 0 if that fails */
}

bool place_shared(const struct pv_server *srv)
{
	u32 cpu = own_cpu();

	return cpu && __atomic_load_n(&srv->ring->caller_cpu, __ATOMIC_RELAXED) == cpu;
}

/* How many threads of the host want a CPU now, with this one: "0.20 0.18 0.12 1/80 11206". */
static long running(const struct pv_server_config *cfg)
{
	int fd = openat(cfg->infofd > 0 ? cfg->infofd : cfg->procfd, "loadavg", O_RDONLY | O_CLOEXEC);
	char text[128], *p = text;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	for (int i = 0; p && i < 3; i++)
		p = strchr(p + (i > 0), ' ');
	return p ? strtol(p, NULL, 10) : -1;
}

/*
 * What our affinity is to be afterwards. A thread that nobody has bound keeps to its cpuset, also to one that grows
 * later; one that was bound (taskset) stays so.
 */
bool place_usual(cpu_set_t *usual, const cpu_set_t *now)
{
	cpu_set_t widest;

	memset(usual, 0xff, sizeof(*usual));
	if (sched_setaffinity(0, sizeof(*usual), usual) || sched_getaffinity(0, sizeof(widest), &widest))
		return false;
	if (!CPU_EQUAL(now, &widest))
		*usual = *now;
	return true;
}

bool place_leave(u32 cpu)
{
	cpu_set_t now, others, usual;
	bool left;

	if (sched_getaffinity(0, sizeof(now), &now))
		return false;
	others = now;
	CPU_CLR(cpu, &others);
	if (!CPU_COUNT(&others) || !place_usual(&usual, &now))
		return false;
	left = sched_setaffinity(0, sizeof(others), &others) == 0;
	sched_setaffinity(0, sizeof(usual), &usual);
	return left;
}

static bool some_cpu_idle(const struct pv_server *srv)
{
	long n = running(&srv->cfg);
	cpu_set_t set;

	return n > 0 && !sched_getaffinity(0, sizeof(set), &set) && n < CPU_COUNT(&set);
}

void place_look(struct pv_server *srv, const u32 *state)
{
	struct placement *p = &srv->placement;
	u32 cpu = own_cpu();

	if (!cpu || srv->cfg.by_exit)
		return;
	if (p->cpu != cpu) {
		p->cpu = cpu;
		__atomic_store_n(&srv->ring->server_cpu, cpu, __ATOMIC_RELAXED);
	}
	if (!srv->spinner.allowed || srv->spinner.score <= 0)
		return;
	if (__atomic_load_n(&srv->ring->caller_cpu, __ATOMIC_RELAXED) != cpu) {
		if (++p->apart >= SETTLED)
			p->apart = p->together = p->patience = 0;
		return;
	}
	p->apart = 0;
	if (__atomic_load_n(state, __ATOMIC_RELAXED) != SLOT_SLEEPING || ++p->together < (p->patience ?: PATIENCE_MIN))
		return;
	p->together = 0;
	p->patience = p->patience ? p->patience * 2 : 2 * PATIENCE_MIN;
	if (p->patience > PATIENCE_MAX)
		p->patience = PATIENCE_MAX;
	if (some_cpu_idle(srv))
		place_leave(cpu - 1);
}
