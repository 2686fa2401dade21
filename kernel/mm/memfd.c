/* SPDX-License-Identifier: Apache-2.0 */
/* memfd_create. */
#include <linux/memfd.h>

#include "internal.h"
#include "syscall.h"

#define NAME_MAX_LEN 249 /* NAME_MAX less "memfd:" */
#define NOEXEC_SEAL  8u
#define EXEC	     16u
#define KNOWN_FLAGS  (MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL | EXEC)

long sys_memfd_create(u64 uname, u64 uflags)
{
	char name[NAME_MAX_LEN + 1];
	u32 flags = (u32)uflags;
	struct file *f;
	s64 len;

	if (flags & ~KNOWN_FLAGS || (flags & (EXEC | NOEXEC_SEAL)) == (EXEC | NOEXEC_SEAL))
		return -EINVAL;
	len = mc_strncpy_from_user(name, uname, sizeof(name));
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	f = memfd_file(name, flags, 0);
	if (IS_ERR(f))
		return PTR_ERR(f);
	return f ? fd_install(f, flags & MFD_CLOEXEC) : -ENOMEM;
}
