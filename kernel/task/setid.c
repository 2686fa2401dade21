// SPDX-License-Identifier: Apache-2.0
/*
 * The set*id family: credentials(7), and what capabilities(7) calls "effect of user ID
 * changes on capabilities".
 */
#include "syscall.h"

#include <linux/securebits.h>

#include "cred.h"
#include "idmap.h"
#include "task.h"

#define KEEP 0xffffffffu /* -1: leave this one as it is */
#define NGROUPS_LIMIT 1024u /* what struct pv_cred can carry; /proc/sys/kernel/ngroups_max says so */

/* The capabilities that follow the fsuid rather than the euid. */
#define CAP_BIT(c) (1ULL << (c))
#define CAP_FS                                                                                     \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_DAC_OVERRIDE) |                     \
	 CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |                \
	 CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE))

long sys_getuid(void)
{
	return current->cred->uid;
}

long sys_geteuid(void)
{
	return current->cred->euid;
}

long sys_getgid(void)
{
	return current->cred->gid;
}

long sys_getegid(void)
{
	return current->cred->egid;
}

static long put_three(uaddr_t to[3], const u32 ids[3])
{
	for (int i = 0; i < 3; i++)
		if (mc_copy_to_user(to[i], &ids[i], sizeof(u32)))
			return -EFAULT;
	return 0;
}

long sys_getresuid(u64 ruid, u64 euid, u64 suid)
{
	const struct cred *c = current->cred;

	return put_three((uaddr_t[]){ ruid, euid, suid }, (u32[]){ c->uid, c->euid, c->suid });
}

long sys_getresgid(u64 rgid, u64 egid, u64 sgid)
{
	const struct cred *c = current->cred;

	return put_three((uaddr_t[]){ rgid, egid, sgid }, (u32[]){ c->gid, c->egid, c->sgid });
}

static bool any_root(const struct cred *c)
{
	return !c->uid || !c->euid || !c->suid;
}

static void fix_caps(const struct cred *old, struct cred *c)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(c)) {
		if (!(c->securebits & SECBIT_KEEP_CAPS))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	else if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

static long install_uids(struct cred *c)
{
	c->fsuid = c->euid;
	fix_caps(current->cred, c);
	cred_install(c);
	return 0;
}

static long refuse(struct cred *c)
{
	cred_put(c);
	return -EPERM;
}

long sys_setuid(u64 uid_arg)
{
	const struct cred *old = current->cred;
	u32 uid = (u32)uid_arg;
	struct cred *c;

	if (!uid_mapped(uid))
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != old->uid && uid != old->suid)
		return refuse(c);
	c->euid = uid;
	return install_uids(c);
}

long sys_setreuid(u64 ruid_arg, u64 euid_arg)
{
	const struct cred *old = current->cred;
	u32 ruid = (u32)ruid_arg, euid = (u32)euid_arg;
	bool all = capable(CAP_SETUID);
	struct cred *c;

	if (!uid_usable(ruid) || !uid_usable(euid))
		return -EINVAL;
	if (!all && ruid != KEEP && ruid != old->uid && ruid != old->euid)
		return -EPERM;
	if (!all && euid != KEEP && euid != old->uid && euid != old->euid && euid != old->suid)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		c->suid = c->euid;
	return install_uids(c);
}

static bool uid_ours(const struct cred *c, u32 id)
{
	return id == KEEP || id == c->uid || id == c->euid || id == c->suid;
}

static bool gid_ours(const struct cred *c, u32 id)
{
	return id == KEEP || id == c->gid || id == c->egid || id == c->sgid;
}

long sys_setresuid(u64 ruid_arg, u64 euid_arg, u64 suid_arg)
{
	const struct cred *old = current->cred;
	u32 ruid = (u32)ruid_arg, euid = (u32)euid_arg, suid = (u32)suid_arg;
	struct cred *c;

	if (!uid_usable(ruid) || !uid_usable(euid) || !uid_usable(suid))
		return -EINVAL;
	if (!capable(CAP_SETUID) &&
	    !(uid_ours(old, ruid) && uid_ours(old, euid) && uid_ours(old, suid)))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (suid != KEEP)
		c->suid = suid;
	return install_uids(c);
}

static long install_gids(struct cred *c)
{
	c->fsgid = c->egid;
	cred_install(c);
	return 0;
}

long sys_setgid(u64 gid_arg)
{
	const struct cred *old = current->cred;
	u32 gid = (u32)gid_arg;
	struct cred *c;

	if (!gid_mapped(gid))
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != old->gid && gid != old->sgid)
		return refuse(c);
	c->egid = gid;
	return install_gids(c);
}

long sys_setregid(u64 rgid_arg, u64 egid_arg)
{
	const struct cred *old = current->cred;
	u32 rgid = (u32)rgid_arg, egid = (u32)egid_arg;
	bool all = capable(CAP_SETGID);
	struct cred *c;

	if (!gid_usable(rgid) || !gid_usable(egid))
		return -EINVAL;
	if (!all && rgid != KEEP && rgid != old->gid && rgid != old->egid)
		return -EPERM;
	if (!all && !gid_ours(old, egid))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		c->sgid = c->egid;
	return install_gids(c);
}

long sys_setresgid(u64 rgid_arg, u64 egid_arg, u64 sgid_arg)
{
	const struct cred *old = current->cred;
	u32 rgid = (u32)rgid_arg, egid = (u32)egid_arg, sgid = (u32)sgid_arg;
	struct cred *c;

	if (!gid_usable(rgid) || !gid_usable(egid) || !gid_usable(sgid))
		return -EINVAL;
	if (!capable(CAP_SETGID) &&
	    !(gid_ours(old, rgid) && gid_ours(old, egid) && gid_ours(old, sgid)))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (sgid != KEEP)
		c->sgid = sgid;
	return install_gids(c);
}

static void fix_fs_caps(const struct cred *old, struct cred *c)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!old->fsuid && c->fsuid)
		c->cap_effective &= ~CAP_FS;
	else if (old->fsuid && !c->fsuid)
		c->cap_effective |= c->cap_permitted & CAP_FS;
}

/* setfsuid and setfsgid have no errors: they return the old value, changed or not. */
long sys_setfsuid(u64 uid_arg)
{
	const struct cred *old = current->cred;
	u32 uid = (u32)uid_arg, was = old->fsuid;
	struct cred *c;

	if (!uid_mapped(uid) || uid == was)
		return was;
	if (!uid_ours(old, uid) && !capable(CAP_SETUID))
		return was;
	c = cred_copy(old);
	if (!c)
		return was;
	c->fsuid = uid;
	fix_fs_caps(old, c);
	cred_install(c);
	return was;
}

long sys_setfsgid(u64 gid_arg)
{
	const struct cred *old = current->cred;
	u32 gid = (u32)gid_arg, was = old->fsgid;
	struct cred *c;

	if (!gid_mapped(gid) || gid == was)
		return was;
	if (!gid_ours(old, gid) && !capable(CAP_SETGID))
		return was;
	c = cred_copy(old);
	if (!c)
		return was;
	c->fsgid = gid;
	cred_install(c);
	return was;
}

long sys_getgroups(u64 size_arg, u64 list)
{
	const struct cred *c = current->cred;
	int size = (int)size_arg;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	if (c->ngroups && mc_copy_to_user(list, c->groups, c->ngroups * sizeof(u32)))
		return -EFAULT;
	return c->ngroups;
}

long sys_setgroups(u64 size_arg, u64 list)
{
	u32 n = (u32)size_arg, *groups __kfree = NULL;
	struct cred *c;
	int err;

	if (!capable(CAP_SETGID) || !setgroups_allowed())
		return -EPERM;
	if (n > NGROUPS_LIMIT)
		return -EINVAL;
	groups = kmalloc((n + 1) * sizeof(u32));
	if (!groups)
		return -ENOMEM;
	if (n && mc_copy_from_user(groups, list, n * sizeof(u32)))
		return -EFAULT;
	for (u32 i = 0; i < n; i++) {
		if (!gid_mapped(groups[i])) /* the host would refuse it */
			return -EINVAL;
	}
	c = cred_copy(current->cred);
	if (!c)
		return -ENOMEM;
	err = cred_set_groups(c, groups, n);
	if (err) {
		cred_put(c);
		return err;
	}
	cred_install(c);
	return 0;
}
