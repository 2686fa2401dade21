// SPDX-License-Identifier: Apache-2.0
/* Credentials across exec: set-id bits, file capabilities, root, ambient capabilities (capabilities(7)). */
#include <linux/securebits.h>
#include <linux/stat.h>

#include "idmap.h"
#include "seccomp.h"
#include "user_ns.h"

#define CAP_VALID ((1ULL << (CAP_LAST_CAP + 1)) - 1)
#define SUBSET(a, b) (!((a) & ~(b)))

bool file_caps_parse(const void *value, size_t len, struct file_caps *fc)
{
	struct vfs_ns_cap_data d = { 0 };
	u32 version;

	memcpy(&d, value, min(len, sizeof(d)));
	version = d.magic_etc & VFS_CAP_REVISION_MASK;
	if (!(version == VFS_CAP_REVISION_2 && len == XATTR_CAPS_SZ_2) &&
	    !(version == VFS_CAP_REVISION_3 && len == XATTR_CAPS_SZ_3 && !d.rootid))
		return false;
	fc->effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	fc->permitted = (d.data[0].permitted | (u64)d.data[1].permitted << 32) & CAP_VALID;
	fc->inheritable = (d.data[0].inheritable | (u64)d.data[1].inheritable << 32) & CAP_VALID;
	return true;
}

static void apply_set_id(struct cred *c, u32 mode, u32 uid, u32 gid)
{
	if (c->no_new_privs)
		return;
	if (uid_foreign(uid) || gid_foreign(gid) || from_kuid(c->user_ns, uid) == NO_ID ||
	    from_kgid(c->user_ns, gid) == NO_ID)
		return;
	if (mode & S_ISUID)
		c->euid = uid;
	/* S_ISGID without group execute is the mark of mandatory locking, not set-group-ID. */
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = gid;
}

/* P'(permitted) from the file's own sets. -EPERM: it is of the kind that must have all it names. */
static int add_file_caps(struct cred *c, const struct file_caps *fc)
{
	if (!fc) {
		c->cap_permitted = 0;
		return 0;
	}
	c->cap_permitted = (c->cap_bounding & fc->permitted) | (c->cap_inheritable & fc->inheritable);
	return fc->effective && !SUBSET(fc->permitted, c->cap_permitted) ? -EPERM : 0;
}

/* Root has them all, unless a set-user-ID root program says by its own capabilities which it wants. */
static bool as_root(struct cred *c, const struct file_caps *fc, bool *effective)
{
	u32 root = c->user_ns->uid.root;

	if ((c->securebits & SECBIT_NOROOT) || (fc && c->uid != root && c->euid == root))
		return false;
	if (root == NO_ID || (c->uid != root && c->euid != root))
		return false;
	c->cap_permitted = c->cap_bounding | c->cap_inheritable;
	if (c->euid == root)
		*effective = true;
	return true;
}

static int exec_caps(struct cred *c, const struct cred *old, const struct file_caps *fc, bool set_id,
		     bool *effective)
{
	int err = add_file_caps(c, fc);

	*effective = fc && fc->effective;
	if (as_root(c, fc, effective))
		err = 0;
	if (err)
		return err;
	if (c->no_new_privs)
		c->cap_permitted &= old->cap_permitted;
	if (fc || set_id)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = *effective ? c->cap_permitted : c->cap_ambient;
	return 0;
}

struct cred *cred_for_exec(const struct cred *old, u32 mode, u32 uid, u32 gid, bool nosuid,
			   const struct file_caps *fc, bool *secure)
{
	struct cred *c = cred_copy(old);
	bool set_id, effective;
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->no_new_privs = no_new_privs();
	if (nosuid)
		fc = NULL;
	else
		apply_set_id(c, mode, uid, gid);
	set_id = c->euid != old->uid || c->egid != old->gid;
	err = exec_caps(c, old, fc, set_id, &effective);
	if (err) {
		cred_put(c);
		return ERR_PTR(err);
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~SECBIT_KEEP_CAPS;
	/* The C library then trusts no LD_* of the caller's. */
	*secure = set_id || (c->uid != c->user_ns->uid.root && (effective || !SUBSET(c->cap_permitted, c->cap_ambient)));
	return c;
}
