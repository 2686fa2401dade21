/* SPDX-License-Identifier: Apache-2.0 */
/* When something of names that is known is known no more (names.h). */
#include "names.h"

#include "machine.h"

#define UNDER_WAY 0xffffffffu /* the lower half of `changes`: calls that may be changing names now; above: those that did */

static u64 changes;

void names_changing(void)
{
	__atomic_fetch_add(&changes, 1, __ATOMIC_SEQ_CST);
}

void names_changed(void)
{
	__atomic_fetch_add(&changes, (u64)UNDER_WAY, __ATOMIC_SEQ_CST);
}

struct names_moment names_moment(void)
{
	return (struct names_moment){
		.changes = __atomic_load_n(&changes, __ATOMIC_SEQ_CST),
		.until = mc_clock(1 /* CLOCK_MONOTONIC */) + NAMES_NS,
	};
}

/* Nothing holds that was found, or is asked for, while somebody changes names. */
bool names_hold(const struct names_moment *then)
{
	u64 now = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);

	return now == then->changes && !(now & UNDER_WAY) && mc_clock(1 /* CLOCK_MONOTONIC */) < then->until;
}
