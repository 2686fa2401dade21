/* SPDX-License-Identifier: Apache-2.0 */
/* Single steps in the host's directories, for walks through the mount tree (vfs/walk_host.c). */
#include "hostfs.h"
#include "vfs_impl.h"

/* A name in a directory, as a request wants it; NULL: the container's root directory. */
static bool name_in(struct name *n, const struct inode *dir, const char *text, size_t len)
{
	memset(n, 0, sizeof(*n));
	n->owned = kstrndup(text, len);
	n->text = n->owned;
	n->flags = NAME_NOFOLLOW;
	n->absolute = true;
	n->dir = dir ? dir->handle : 0;
	return n->owned;
}

s64 hostfs_lookup_in(struct inode *dir, const char *text, size_t len, u32 resolve, bool all_powers,
		     struct inode **out)
{
	u32 handle, gen = hostfs_owner_gen();
	struct pv_file pf;
	struct pv_slot s;
	struct name n;
	s64 r;

	if (!name_in(&n, dir, text, len))
		return -ENOMEM;
	n.all_powers = all_powers;
	n.resolve = resolve;
	handle = host_handle_get();
	host_begin(&s, PV_OPEN, &n);
	s.req.u.path.flags = O_PATH | O_NOFOLLOW;
	s.req.u.path.arg = handle;
	r = handle ? mc_pv_call(&s) : -ENFILE;
	memcpy(&pf, s.buf, sizeof(pf));
	host_end(&s);
	kfree(n.owned);
	if (!r) {
		*out = hostfs_inode(&pf, handle, gen);
		return *out ? 0 : -ENOMEM;
	}
	if (handle)
		host_handle_unused(handle);
	return r;
}

s64 hostfs_kind_in(struct inode *dir, const char *text, size_t len, u32 *mode)
{
	struct pv_slot s;
	struct statx st;
	struct name n;
	s64 r;

	if (!name_in(&n, dir, text, len))
		return -ENOMEM;
	host_begin(&s, PV_STAT, &n);
	r = mc_pv_call(&s);
	memcpy(&st, s.buf, sizeof(st));
	host_end(&s);
	kfree(n.owned);
	if (!r)
		*mode = st.stx_mode;
	return r;
}

s64 hostfs_readlink_in(struct inode *dir, const char *text, size_t len, char *to)
{
	struct pv_slot s;
	struct name n;
	s64 r;

	if (!name_in(&n, dir, text, len))
		return -ENOMEM;
	host_begin(&s, PV_READLINK, &n);
	r = mc_pv_call(&s);
	if (r == PV_CROSS)
		r = -EINVAL;
	if (r > 0) {
		r = min(r, (s64)PATH_MAX - 1);
		memcpy(to, s.buf, (size_t)r);
	}
	host_end(&s);
	kfree(n.owned);
	return r;
}
