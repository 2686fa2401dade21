/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's address-space calls for ranges of any size. One call may not be longer than
 * USER_MAX_LEN (layout.h), so that a filter can tell that a range is the user's.
 */
#include "internal.h"

int host_map(const struct vma *v, bool populate)
{
	int flags = (v->flags & (MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE)) |
		    (populate ? MAP_POPULATE : 0);
	u32 handle = v->file ? v->file->handle : 0;
	int ret = 0;

	for (u64 done = 0, n; !ret && done < vma_len(v); done += n) {
		n = min(vma_len(v) - done, (u64)USER_MAX_LEN);
		ret = mc_map(v->start + done, n, (int)v->prot, flags, handle,
			     handle ? v->off + done : 0);
	}
	return ret;
}

int host_unmap(uaddr_t addr, u64 len)
{
	int ret = 0;

	for (u64 done = 0, n; !ret && done < len; done += n) {
		n = min(len - done, (u64)USER_MAX_LEN);
		ret = mc_unmap(addr + done, n);
	}
	return ret;
}

int host_protect(uaddr_t addr, u64 len, u32 prot)
{
	int ret = 0;

	for (u64 done = 0, n; !ret && done < len; done += n) {
		n = min(len - done, (u64)USER_MAX_LEN);
		ret = mc_protect(addr + done, n, (int)prot);
	}
	return ret;
}
