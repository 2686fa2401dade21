// SPDX-License-Identifier: Apache-2.0
#include "hoststat.h"

#include "ring.h"
#include "sync.h"

#include <linux/time.h>

#define FRESH (100 * NSEC_PER_MSEC)

static struct mutex lock;
static struct pv_host_stat cached;
static u64 taken_at;

static void fetch(struct pv_host_stat *out)
{
	struct pv_slot s;

	mc_pv_get(&s);
	memset(&s.req, 0, sizeof(s.req));
	s.req.cmd = PV_HOST_STAT;
	s.req.u.ctl.len = sizeof(*out);
	if (mc_pv_call(&s) >= 0)
		memcpy(out, s.buf, sizeof(*out));
	else
		memset(out, 0, sizeof(*out));
	mc_pv_put(&s);
}

static struct {
	bool changed;
	u32 ncpus;
	u64 memory;
} limits; /* under lock */

u32 limit_cpus(void)
{
	const struct boot_info *b = mc_boot_info();

	return READ_ONCE(limits.changed) ? READ_ONCE(limits.ncpus) : b->ncpus;
}

u64 limit_memory(void)
{
	const struct boot_info *b = mc_boot_info();

	return READ_ONCE(limits.changed) ? READ_ONCE(limits.memory) : b->mem_limit;
}

void limits_set(u32 ncpus, u64 memory)
{
	guard(&lock);
	WRITE_ONCE(limits.ncpus, ncpus);
	WRITE_ONCE(limits.memory, memory);
	__atomic_store_n(&limits.changed, true, __ATOMIC_RELEASE);
	taken_at = 0;
}

/* A limited container is a small machine: the host's own size would mislead what sizes itself by it. */
static void apply_limit(struct pv_host_stat *st)
{
	const struct boot_info *b = mc_boot_info();
	u64 limit = limit_memory(), left;

	if (!st->mem_total)
		st->mem_total = st->mem_free = st->mem_available = b->mem_total;
	if (!limit || limit >= st->mem_total)
		return;
	left = limit - min(limit, st->cgroup_mem_current);
	st->mem_total = limit;
	st->mem_free = min(left, st->mem_free);
	st->mem_available = min(left, st->mem_available);
}

void host_stat(struct pv_host_stat *out)
{
	u64 now = mc_clock(CLOCK_MONOTONIC);

	guard(&lock);
	if (!taken_at || now - taken_at > FRESH) {
		fetch(&cached);
		apply_limit(&cached);
		taken_at = now;
	}
	*out = cached;
}
