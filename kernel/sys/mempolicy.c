// SPDX-License-Identifier: Apache-2.0
/* NUMA policy on a machine of one node: what can be asked for is what there is. */
#include "syscall.h"

#include <linux/mempolicy.h>

#include "task.h"

#define MAX_NODES 1024

static bool mode_valid(int mode)
{
	int plain = mode & ~MPOL_MODE_FLAGS;

	return plain >= 0 && plain < MPOL_MAX;
}

/* A mask may name node 0 alone. 0: so it does; 1: it names none; -errno. */
static long read_nodes(uaddr_t mask, u64 maxnode)
{
	u64 first = 0;

	if (!mask || maxnode <= 1)
		return 1;
	if (maxnode - 1 > MAX_NODES)
		return -EINVAL;
	if (mc_copy_from_user(&first, mask, sizeof(first)))
		return -EFAULT;
	if (maxnode - 1 < 64)
		first &= (1ULL << (maxnode - 1)) - 1;
	return !first ? 1 : first & 1 ? 0 : -EINVAL;
}

static long check_policy(int mode, uaddr_t mask, u64 maxnode)
{
	long nodes = read_nodes(mask, maxnode);
	int plain = mode & ~MPOL_MODE_FLAGS;
	bool wants_nodes = plain == MPOL_BIND || plain == MPOL_INTERLEAVE;

	if (nodes < 0)
		return nodes;
	if (!mode_valid(mode) || (wants_nodes && nodes == 1))
		return -EINVAL;
	return plain == MPOL_DEFAULT && nodes == 0 ? -EINVAL : 0;
}

long sys_set_mempolicy(u64 mode, u64 mask, u64 maxnode)
{
	long err = check_policy((int)mode, mask, maxnode);

	if (err)
		return err;
	current->sched.memory_mode = (int)mode;
	current->sched.memory_nodes = read_nodes(mask, maxnode) == 0;
	return 0;
}

long sys_mbind(u64 addr, u64 len, u64 mode, u64 mask, u64 maxnode, u64 flags)
{
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	return check_policy((int)mode, mask, maxnode);
}

long sys_get_mempolicy(u64 mode_to, u64 mask_to, u64 maxnode, u64 addr, u64 flags)
{
	bool own = !(flags & (MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED));
	int mode = own ? current->sched.memory_mode : MPOL_DEFAULT;
	u64 mask = flags & MPOL_F_MEMS_ALLOWED || (own && current->sched.memory_nodes);

	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (mode_to && mc_copy_to_user(mode_to, &mode, sizeof(mode)))
		return -EFAULT;
	if (!mask_to)
		return 0;
	if (!maxnode || maxnode > MAX_NODES * 64)
		return -EINVAL;
	/* Like Linux: whole words up to maxnode bits are written. */
	if (mc_clear_user(mask_to, (maxnode - 1 + 63) / 64 * 8))
		return -EFAULT;
	return mc_copy_to_user(mask_to, &mask, sizeof(mask)) ? -EFAULT : 0;
}
