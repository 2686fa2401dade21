// SPDX-License-Identifier: Apache-2.0
#include "oci/mempolicy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BITS (8 * sizeof(unsigned long))

/* The index is the kernel's number; <linux/mempolicy.h> of old systems lacks the last two. */
const char *const oci_mempolicy_modes[] = {
	"MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL",
	"MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE", NULL,
};

/* From bit 13 on. */
const char *const oci_mempolicy_flags[] = {
	"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES", NULL,
};

static int find(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -1;
}

/* "0-3,7" */
static int parse_nodes(const char *list, struct mempolicy *out)
{
	const char *p = list;

	while (*p) {
		char *end;
		unsigned long first = strtoul(p, &end, 10);
		unsigned long last = first;

		if (end == p || *p == '-' || *p == '+' || *p == ' ')
			return -EINVAL;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p || *p == '-' || *p == '+' || *p == ' ')
				return -EINVAL;
		}
		if (last < first || last >= MEMPOLICY_NODES || (*end && *end != ',') || (*end && !end[1]))
			return -EINVAL;
		for (unsigned long n = first; n <= last; n++)
			out->nodes[n / LONG_BITS] |= 1ul << n % LONG_BITS;
		p = end + (*end == ',');
	}
	return 0;
}

int oci_mempolicy_of(const struct oci_memory_policy *p, struct mempolicy *out, struct error *err)
{
	*out = (struct mempolicy){ .mode = find(oci_mempolicy_modes, p->mode) };
	if (out->mode < 0)
		return error_set(err, EINVAL, "linux.memoryPolicy.mode: unknown mode '%s'", p->mode);
	for (size_t i = 0; i < p->flags.n; i++) {
		int flag = find(oci_mempolicy_flags, p->flags.v[i]);

		if (flag < 0)
			return error_set(err, EINVAL, "linux.memoryPolicy.flags[%zu]: unknown flag '%s'",
					 i, p->flags.v[i]);
		out->mode |= 1 << (13 + flag);
	}
	if (p->nodes && parse_nodes(p->nodes, out))
		return error_set(err, EINVAL, "linux.memoryPolicy.nodes: '%s' is not a list of nodes",
				 p->nodes);
	return 0;
}
