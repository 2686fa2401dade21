/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes for tables in the kernel; not for anything that must resist an attacker. */
#include "kernel.h"

/* The finalizer of splitmix64. */
u64 hash_u64(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* FNV-1a, mixed at the end so that the low bits are good. */
u64 hash_bytes(const void *p, size_t n)
{
	const u8 *b = p;
	u64 h = 0xcbf29ce484222325ULL;

	while (n--)
		h = (h ^ *b++) * 0x100000001b3ULL;
	return hash_u64(h);
}
