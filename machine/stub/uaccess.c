/* SPDX-License-Identifier: Apache-2.0 */
/* Access to simulated user memory: machine.h's and the tests'. */
#include "stub_impl.h"

static bool user_range(uaddr_t addr, size_t len)
{
	return addr < USER_END && len <= USER_END - addr;
}

int mc_copy_from_user(void *to, uaddr_t from, size_t len)
{
	if (!len)
		return user_range(from, 0) ? 0 : -EFAULT;
	return space_copy(stub_self()->space, from, to, len, false) == len ? 0 : -EFAULT;
}

int mc_copy_to_user(uaddr_t to, const void *from, size_t len)
{
	if (!len)
		return user_range(to, 0) ? 0 : -EFAULT;
	return space_copy(stub_self()->space, to, (void *)from, len, true) == len ? 0 : -EFAULT;
}

s64 mc_strncpy_from_user(char *to, uaddr_t from, size_t size)
{
	s64 n = space_strncpy(stub_self()->space, to, from, size);

	return n == (s64)size ? -ENAMETOOLONG : n;
}

int mc_clear_user(uaddr_t to, size_t len)
{
	static const u8 zeros[PAGE];

	for (size_t done = 0, n; done < len; done += n) {
		n = len - done < PAGE ? len - done : PAGE;
		if (mc_copy_to_user(to + done, zeros, n))
			return -EFAULT;
	}
	return 0;
}

int mc_user_cmpxchg(uaddr_t addr, u32 expect, u32 val, u32 *old)
{
	return space_cmpxchg(stub_self()->space, addr, expect, val, old);
}

int mc_user_load(uaddr_t addr, u32 *val)
{
	return mc_copy_from_user(val, addr, sizeof(*val));
}

s64 mc_space_read(struct task *t, uaddr_t addr, void *buf, size_t len)
{
	struct space *s = stub_of(t)->space;
	size_t n = s ? space_copy(s, addr, buf, len, false) : 0;

	return n || !len ? (s64)n : -EFAULT;
}

s64 mc_space_write(struct task *t, uaddr_t addr, const void *buf, size_t len)
{
	struct space *s = stub_of(t)->space;
	size_t n = s ? space_copy(s, addr, (void *)buf, len, true) : 0;

	return n || !len ? (s64)n : -EFAULT;
}

/* ---- for tests ---- */

bool stub_load(uaddr_t addr, void *to, size_t len)
{
	return space_copy(stub_self()->space, addr, to, len, false) == len;
}

bool stub_store(uaddr_t addr, const void *from, size_t len)
{
	return space_copy(stub_self()->space, addr, (void *)from, len, true) == len;
}
