/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits on address space. */
#include "cred.h"
#include "internal.h"

static bool exceeds(u64 pages, u64 len, int resource)
{
	u64 limit = rlimit(resource);

	return limit != RLIM_INFINITY && pages * PAGE_SIZE + len > limit;
}

int limit_data(const struct mm *mm, u64 len, u32 prot, u32 flags)
{
	bool data = (prot & PROT_WRITE) && (flags & MAP_PRIVATE) && !(flags & MAP_GROWSDOWN);

	return data && exceeds(mm->data_pages, len, RLIMIT_DATA) ? -ENOMEM : 0;
}

int limit_space(const struct mm *mm, u64 len, u32 prot, u32 flags)
{
	return exceeds(mm->total_pages, len, RLIMIT_AS) ? -ENOMEM
							: limit_data(mm, len, prot, flags);
}

int limit_locked(const struct mm *mm, u64 len)
{
	return exceeds(mm->locked_pages, len, RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK) ? -EAGAIN
											: 0;
}
