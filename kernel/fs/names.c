/* SPDX-License-Identifier: Apache-2.0 */
/* When something of names that is known is known no more (names.h). */
#include "names.h"

#include "machine.h"

#define UNDER_WAY 0xffffffffu /* the lower half of `changes`: calls that may be changing names now; above: those that did */

static u64 changes, made;

void names_changing(bool only_made)
{
	__atomic_fetch_add(only_made ? &made : &changes, 1, __ATOMIC_SEQ_CST);
}

void names_changed(bool only_made)
{
	__atomic_fetch_add(only_made ? &made : &changes, (u64)UNDER_WAY, __ATOMIC_SEQ_CST);
}

struct names_moment names_moment(void)
{
	return (struct names_moment){
		.changes = __atomic_load_n(&changes, __ATOMIC_SEQ_CST),
		.made = __atomic_load_n(&made, __ATOMIC_SEQ_CST),
		.until = mc_clock(1 /* CLOCK_MONOTONIC */) + NAMES_NS,
	};
}

/* Nothing holds that was found, or is asked for, while somebody changes names. */
static bool unchanged(const u64 *count, u64 then)
{
	return __atomic_load_n(count, __ATOMIC_SEQ_CST) == then && !(then & UNDER_WAY);
}

bool names_found_hold(const struct names_moment *then)
{
	return unchanged(&changes, then->changes) && mc_clock(1 /* CLOCK_MONOTONIC */) < then->until;
}

bool names_hold(const struct names_moment *then)
{
	return unchanged(&made, then->made) && names_found_hold(then);
}
