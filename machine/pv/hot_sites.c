// SPDX-License-Identifier: Apache-2.0
/*
 * Which call sites are worth a patch: those that have trapped a few times, in one process or in several
 * that descend by fork from one exec, a family. A child that makes a few calls and ends would count to one, and so would the
 * next. So the counts are the family's; and when a site has been patched in a process, the others of
 * its family may wish the same: they do it when they fork (pv_patch_wishes), and their further children are born with it.
 *
 * Nothing here has to be exact: a lost count or wish costs traps.
 */
#include "hostcall.h"

#define TRAPS_BEFORE_PATCH 8 /* a trap costs 2 us, a patch about 15 */
#define SITES 2048

static struct site_count {
	u32 key; /* hash of family and address */
	u32 n;
} counts[SITES] BSS_SITES;

static struct mutex wish_lock;
static struct pv_wish wishes[PV_WISHES]; /* the last ones */
static u32 nwishes; /* ever made */

static u32 family(void)
{
	static u32 last;

	while (!PRIV->patch_family)
		PRIV->patch_family = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return PRIV->patch_family;
}

/*
 * Two places for each site: with one, a loop over two calls that share it would see neither counted. Of two strangers
 * the one goes that has been considered last, or has trapped less since.
 */
static struct site_count *count_of(uaddr_t site)
{
	u32 key = (u32)hash_u64(site ^ (u64)family() << 47);
	struct site_count *c = &counts[key % SITES & ~1u];

	if (c->key != key)
		c += c[1].key == key || c[1].n % TRAPS_BEFORE_PATCH < c[0].n % TRAPS_BEFORE_PATCH;
	if (c->key != key)
		*c = (struct site_count){ .key = key };
	return c;
}

/* Every few traps: the process that patches a site may not be the one that goes on to trap there. */
bool pv_site_trapped(uaddr_t site)
{
	return __atomic_add_fetch(&count_of(site)->n, 1, __ATOMIC_RELAXED) % TRAPS_BEFORE_PATCH == 0;
}

void pv_site_again(uaddr_t site)
{
	__atomic_sub_fetch(&count_of(site)->n, 1, __ATOMIC_RELAXED);
}

void pv_wish_add(const struct pv_wish *wish)
{
	guard(&wish_lock);
	wishes[nwishes % PV_WISHES] = *wish;
	__atomic_store_n(&nwishes, nwishes + 1, __ATOMIC_RELAXED);
}

u32 pv_wishes_take(struct pv_wish *to)
{
	u32 *seen = &PRIV->patch_wishes_seen, n = 0;

	if (READ_ONCE(nwishes) == *seen || !PRIV->patch_family)
		return 0;
	guard(&wish_lock);
	if (nwishes - *seen > PV_WISHES)
		*seen = nwishes - PV_WISHES;
	for (; *seen != nwishes; ++*seen)
		if (wishes[*seen % PV_WISHES].family == PRIV->patch_family)
			to[n++] = wishes[*seen % PV_WISHES];
	return n;
}
