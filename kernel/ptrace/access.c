// SPDX-License-Identifier: Apache-2.0
/* Who may look into whom, and at its memory. */
#include "impl.h"

#include "cred.h"
#include "mm.h"
#include "user_ns.h"

static bool same_ids(const struct cred *c, u32 uid, u32 gid)
{
	return uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid && gid == c->sgid && gid == c->gid;
}

bool ptrace_may_access(struct task *t, enum ptrace_mode mode)
{
	const struct cred *me = current->cred, *c = t->cred;
	bool fs = mode == PTRACE_ACCESS_FS;

	if (t->proc == current->proc)
		return true;
	if (!c)
		return false;
	if (ns_capable(c->user_ns, CAP_SYS_PTRACE))
		return true;
	return c->user_ns == me->user_ns && same_ids(c, fs ? me->fsuid : me->uid, fs ? me->fsgid : me->gid) && t->proc->dumpable &&
	       !(c->cap_permitted & ~(fs ? me->cap_effective : me->cap_permitted));
}

/* The vdso, where it is outside the user half: the same bytes in every process. */
static s64 read_vdso(struct task *t, uaddr_t addr, void *buf, size_t len)
{
	uaddr_t start = t->mm ? mm_vdso(t->mm) : 0;

	if (!start || !mc_vdso() || addr < start || addr >= start + VDSO_SIZE)
		return -EFAULT;
	len = min(len, (size_t)(start + VDSO_SIZE - addr));
	memcpy(buf, (const void *)(mc_vdso() + (addr - start)), len);
	return (s64)len;
}

s64 ptrace_memory(struct task *t, uaddr_t addr, void *buf, size_t len, bool write)
{
	if (addr >= USER_END)
		return write ? -EIO : read_vdso(t, addr, buf, len);
	len = min(len, (size_t)(USER_END - addr));
	return write ? mc_space_write(t, addr, buf, len) : mc_space_read(t, addr, buf, len);
}
