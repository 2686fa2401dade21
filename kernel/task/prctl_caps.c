// SPDX-License-Identifier: Apache-2.0
/* prctl(2) on the bounding set, the ambient set and the securebits. */
#include "prctl.h"

#include <linux/prctl.h>
#include <linux/securebits.h>

#include "cred.h"
#include "task.h"
#include "user_ns.h"

#define CAP_BIT(c) (1ULL << (c))

/* A private copy of current's credentials, changed and put into force. */
static long install(struct cred *c)
{
	cred_install(c);
	return 0;
}

static long bounding_drop(u64 cap)
{
	struct cred *c;

	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~CAP_BIT(cap);
	return install(c);
}

static long ambient_change(u64 what, u64 cap)
{
	const struct cred *old = current->cred;
	struct cred *c;

	if (what == PR_CAP_AMBIENT_RAISE &&
	    (!(old->cap_permitted & old->cap_inheritable & CAP_BIT(cap)) ||
	     (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (what == PR_CAP_AMBIENT_RAISE)
		c->cap_ambient |= CAP_BIT(cap);
	else if (what == PR_CAP_AMBIENT_LOWER)
		c->cap_ambient &= ~CAP_BIT(cap);
	else
		c->cap_ambient = 0;
	return install(c);
}

static long ambient(u64 what, u64 cap, u64 c, u64 d)
{
	if (c || d)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : ambient_change(what, 0);
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (what) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(current->cred->cap_ambient & CAP_BIT(cap));
	case PR_CAP_AMBIENT_RAISE:
	case PR_CAP_AMBIENT_LOWER:
		return ambient_change(what, cap);
	}
	return -EINVAL;
}

static long set_keepcaps(u64 keep)
{
	struct cred *c;

	if (keep > 1)
		return -EINVAL;
	if (current->cred->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->securebits &= ~SECBIT_KEEP_CAPS;
	if (keep)
		c->securebits |= SECBIT_KEEP_CAPS;
	return install(c);
}

/* A locked bit may neither change nor be unlocked; each lock is the bit above its setting. */
static bool securebits_allowed(u32 old, u32 bits)
{
	u32 locked = (old & SECURE_ALL_LOCKS) >> 1;

	if (locked & (old ^ bits))
		return false;
	if (old & SECURE_ALL_LOCKS & ~bits)
		return false;
	return !(bits & ~(u32)(SECURE_ALL_BITS | SECURE_ALL_LOCKS)) && capable_here(CAP_SETPCAP);
}

static long set_securebits(u64 bits)
{
	struct cred *c;

	if (bits >> 32 || !securebits_allowed(current->cred->securebits, (u32)bits))
		return -EPERM;
	c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	c->securebits = (u32)bits;
	return install(c);
}

long prctl_caps(int op, u64 a, u64 b, u64 c, u64 d)
{
	switch (op) {
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? -EINVAL : !!(current->cred->cap_bounding & CAP_BIT(a));
	case PR_CAPBSET_DROP:
		return bounding_drop(a);
	case PR_CAP_AMBIENT:
		return ambient(a, b, c, d);
	case PR_GET_KEEPCAPS:
		return !!(current->cred->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keepcaps(a);
	case PR_GET_SECUREBITS:
		return current->cred->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a);
	}
	return -EINVAL;
}
