// SPDX-License-Identifier: Apache-2.0
/*
 * The set*id family: credentials(7), and what capabilities(7) calls "effect of user ID
 * changes on capabilities".
 */
#include "syscall.h"

#include <linux/securebits.h>

#include "task.h"
#include "user_ns.h"

#define KEEP NO_ID /* -1: leave this one as it is */
#define NGROUPS_LIMIT 1024u /* what struct pv_cred can carry; /proc/sys/kernel/ngroups_max says so */

/* The capabilities that follow the fsuid rather than the euid. */
#define CAP_BIT(c) (1ULL << (c))
#define CAP_FS                                                                                     \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_DAC_OVERRIDE) |                     \
	 CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |                \
	 CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE))

long sys_getuid(void)
{
	return show_uid(current->cred->uid);
}

long sys_geteuid(void)
{
	return show_uid(current->cred->euid);
}

long sys_getgid(void)
{
	return show_gid(current->cred->gid);
}

long sys_getegid(void)
{
	return show_gid(current->cred->egid);
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

	return put_three((uaddr_t[]){ ruid, euid, suid }, (u32[]){ show_uid(c->uid), show_uid(c->euid), show_uid(c->suid) });
}

long sys_getresgid(u64 rgid, u64 egid, u64 sgid)
{
	const struct cred *c = current->cred;

	return put_three((uaddr_t[]){ rgid, egid, sgid }, (u32[]){ show_gid(c->gid), show_gid(c->egid), show_gid(c->sgid) });
}

static bool any_root(const struct cred *c)
{
	u32 root = c->user_ns->uid.root;

	return c->uid == root || c->euid == root || c->suid == root;
}

static void fix_caps(const struct cred *old, struct cred *c)
{
	u32 root = c->user_ns->uid.root;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(c)) {
		if (!(c->securebits & SECBIT_KEEP_CAPS))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (old->euid == root && c->euid != root)
		c->cap_effective = 0;
	else if (old->euid != root && c->euid == root)
		c->cap_effective = c->cap_permitted;
}

/* Who comes to a user with too many tasks may do that; an exec is where it fails: execve(2). */
static void note_excess(const struct cred *c)
{
	struct task *t = current;

	t->nproc_exceeded = c->uid && task_over_nproc(c->uid);
}

static long install_uids(struct cred *c)
{
	if (c->uid != current->cred->uid)
		note_excess(c);
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
	struct cred *c;
	u32 uid;

	if (!take_uid(uid_arg, &uid) || uid == NO_ID)
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable_here(CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != old->uid && uid != old->suid)
		return refuse(c);
	c->euid = uid;
	return install_uids(c);
}

long sys_setreuid(u64 ruid_arg, u64 euid_arg)
{
	const struct cred *old = current->cred;
	bool all = capable_here(CAP_SETUID);
	struct cred *c;
	u32 ruid, euid;

	if (!take_uid(ruid_arg, &ruid) || !take_uid(euid_arg, &euid))
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
	u32 ruid, euid, suid;
	struct cred *c;

	if (!take_uid(ruid_arg, &ruid) || !take_uid(euid_arg, &euid) || !take_uid(suid_arg, &suid))
		return -EINVAL;
	if (!capable_here(CAP_SETUID) &&
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
	struct cred *c;
	u32 gid;

	if (!take_gid(gid_arg, &gid) || gid == NO_ID)
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable_here(CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != old->gid && gid != old->sgid)
		return refuse(c);
	c->egid = gid;
	return install_gids(c);
}

long sys_setregid(u64 rgid_arg, u64 egid_arg)
{
	const struct cred *old = current->cred;
	bool all = capable_here(CAP_SETGID);
	struct cred *c;
	u32 rgid, egid;

	if (!take_gid(rgid_arg, &rgid) || !take_gid(egid_arg, &egid))
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
	u32 rgid, egid, sgid;
	struct cred *c;

	if (!take_gid(rgid_arg, &rgid) || !take_gid(egid_arg, &egid) || !take_gid(sgid_arg, &sgid))
		return -EINVAL;
	if (!capable_here(CAP_SETGID) &&
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
	u32 root = c->user_ns->uid.root;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (old->fsuid == root && c->fsuid != root)
		c->cap_effective &= ~CAP_FS;
	else if (old->fsuid != root && c->fsuid == root)
		c->cap_effective |= c->cap_permitted & CAP_FS;
}

/* setfsuid and setfsgid have no errors: they return the old value, changed or not. */
long sys_setfsuid(u64 uid_arg)
{
	const struct cred *old = current->cred;
	u32 uid, was = show_uid(old->fsuid);
	struct cred *c;

	if (!take_uid(uid_arg, &uid) || uid == NO_ID || uid == old->fsuid)
		return was;
	if (!uid_ours(old, uid) && !capable_here(CAP_SETUID))
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
	u32 gid, was = show_gid(old->fsgid);
	struct cred *c;

	if (!take_gid(gid_arg, &gid) || gid == NO_ID || gid == old->fsgid)
		return was;
	if (!gid_ours(old, gid) && !capable_here(CAP_SETGID))
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
	for (u32 i = 0; i < c->ngroups; i++) {
		u32 gid = show_gid(c->groups[i]);

		if (mc_copy_to_user(list + i * sizeof(gid), &gid, sizeof(gid)))
			return -EFAULT;
	}
	return c->ngroups;
}

long sys_setgroups(u64 size_arg, u64 list)
{
	u32 n = (u32)size_arg, *groups __kfree = NULL;
	struct cred *c;
	int err;

	if (!capable_here(CAP_SETGID) || !user_ns_setgroups_allowed(current_user_ns()))
		return -EPERM;
	if (n > NGROUPS_LIMIT)
		return -EINVAL;
	groups = kmalloc((n + 1) * sizeof(u32));
	if (!groups)
		return -ENOMEM;
	if (n && mc_copy_from_user(groups, list, n * sizeof(u32)))
		return -EFAULT;
	for (u32 i = 0; i < n; i++) {
		if (groups[i] == NO_ID || !take_gid(groups[i], &groups[i]))
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
