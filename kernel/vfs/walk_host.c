/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host directories in a namespace where mounts were made. The hypervisor knows nothing of these: what it is asked for
 * are single names in directories that this kernel holds, and runs of names without links on which nothing is mounted.
 * An open or stat tries the whole rest of the name at once. Where that meets a link, and for other operations, a name
 * costs a call for its directory, one to see what the last component is, and the operation's own; one
 * more for each symbolic link, mountpoint and ".." on the way.
 */
#include "hostfs.h"
#include "walk.h"

/* Where the host has a marker (a guest mount of boot) that this tree does not show: an empty directory. */
static struct inode *hole(void)
{
	static struct mutex lock;
	static struct mount *m;

	guard(&lock);
	if (!m)
		m = mount_make(&tmpfs_type, "none", MS_RDONLY, "mode=0555");
	if (IS_ERR(m))
		m = NULL;
	return m ? inode_get(m->root) : NULL;
}

int host_hole(struct inode **out)
{
	*out = hole();
	return *out ? 0 : -ENOMEM;
}

void walk_host_finish(struct walk *w, const char *name, size_t len)
{
	struct name *n = w->n;

	n->host = true;
	n->absolute = true;
	n->dir = w->dir->handle;
	n->mnt = mount_get(w->mnt);
	n->inode = inode_get(w->dir);
	n->text = len ? name : "";
	n->kind = w->dir->mode;
}

/* The link `name` of this directory, of which canon has the name already. */
static int follow_host(struct walk *w, const char *name, size_t len)
{
	struct name *n = w->n;
	char *target;
	s64 r;

	walk_strip(w);
	if (++n->hops > NAME_MAX_HOPS || (n->resolve & RESOLVE_NO_SYMLINKS) ||
	    (w->mnt->flags & MS_NOSYMFOLLOW))
		return -ELOOP;
	target = kmalloc(PATH_MAX);
	if (!target)
		return -ENOMEM;
	r = hostfs_readlink_in(w->dir, name, len, target);
	if (r > 0) {
		target[r] = '\0';
		r = walk_link(w, target, (size_t)r);
	} else if (!r) {
		r = -ENOENT;
	}
	kfree(target);
	return (int)r;
}

/* The last component: its name goes to the hypervisor with the operation, unless it is a link to be followed. */
static int last_step(struct walk *w, const char *name, size_t len)
{
	struct name *n = w->n;
	struct inode *in;
	u32 mode;
	s64 r = hostfs_kind_in(w->dir, name, len, &mode);

	if (r == PV_CROSS) {
		int err = host_hole(&in);

		if (!err)
			walk_move(w, mount_get(w->mnt), in);
		return err;
	}
	if (r && !(r == -ENOENT && (n->flags & NAME_PARENT)))
		return (int)r;
	if (!r && S_ISLNK(mode) && walk_follows(w, true))
		return follow_host(w, name, len);
	if (!r && n->slash && !S_ISDIR(mode) && !(n->flags & NAME_PARENT))
		return -ENOTDIR;
	walk_host_finish(w, name, len);
	n->kind = r ? 0 : mode;
	return STEP_DONE;
}

int walk_host_step(struct walk *w, const char *name, size_t len, bool last)
{
	struct mount *m;
	struct inode *child;
	s64 r;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	r = walk_append(w, name, len);
	if (r)
		return (int)r;
	m = mount_child(w->mnt, w->n->canon);
	if (m && m->root)
		return walk_cross(w, m);
	if (last && !m)
		return last_step(w, name, len);
	r = hostfs_lookup_in(w->dir, name, len, 0, false, &child);
	if (r == PV_CROSS)
		r = host_hole(&child);
	if (!r && m && (w->n->resolve & RESOLVE_NO_XDEV)) {
		inode_put(child);
		r = -EXDEV;
	}
	if (r) {
		mount_put(m);
		return (int)r;
	}
	if (!m && S_ISLNK(child->mode)) {
		inode_put(child);
		return follow_host(w, name, len);
	}
	walk_move(w, m ? m : mount_get(w->mnt), child);
	return 0;
}

/* How much of the rest is components on which nothing is mounted, without dots; `last`: and the last one. */
static size_t run_length(struct walk *w, bool last)
{
	const char *start = w->rest, *p = start;
	size_t len = 0, place = w->len;
	char *c = w->n->canon;

	for (;;) {
		size_t clen = 0;
		const char *next;
		struct mount *m;

		while (p[clen] && p[clen] != '/')
			clen++;
		for (next = p + clen; *next == '/';)
			next++;
		if (!clen || (!*next && !last) || clen > NAME_MAX || (*p == '.' && clen <= 2) ||
		    place + clen + 2 > PATH_MAX)
			break;
		c[place] = '/';
		memcpy(c + place + 1, p, clen);
		place += clen + 1;
		c[place] = '\0';
		m = mount_child(w->mnt, c);
		mount_put(m);
		if (m)
			break;
		len = (size_t)(p + clen - start);
		p = next;
	}
	c[w->len] = '\0';
	return len;
}

/* The place of a text that run_length() has seen. */
static void append_run(struct walk *w, const char *text, const char *end)
{
	while (text < end) {
		size_t clen = 0;

		while (text + clen < end && text[clen] != '/')
			clen++;
		if (clen)
			walk_append(w, text, clen);
		text += clen + 1;
	}
}

bool walk_host_whole(struct walk *w)
{
	struct name *n = w->n;
	const char *text = w->rest, *end;

	if (n->in_steps || n->resolve || n->text != n->start || (n->flags & (NAME_PARENT | NAME_TREE)) ||
	    (w->mnt->flags & MS_NOSYMFOLLOW))
		return false;
	end = text + run_length(w, true);
	while (*end == '/')
		end++;
	if (*end)
		return false;
	append_run(w, text, end);
	walk_host_finish(w, text, 1);
	n->whole = true;
	return true;
}

static bool has_slash(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '/')
			return true;
	return false;
}

int walk_host_run(struct walk *w)
{
	size_t len = run_length(w, false);
	const char *text = w->rest, *end = text + len;
	struct inode *to;
	s64 r;

	if (!has_slash(text, len)) /* a single one: nothing is gained */
		return 1;
	r = hostfs_lookup_in(w->dir, text, len, RESOLVE_NO_SYMLINKS, false, &to);
	if (r == -ELOOP || r == PV_CROSS)
		return 1;
	if (r)
		return (int)r;
	if (S_ISLNK(to->mode)) {
		inode_put(to);
		return 1;
	}
	append_run(w, text, end);
	w->rest = end;
	walk_move(w, mount_get(w->mnt), to);
	return 0;
}

int walk_host_up(struct walk *w)
{
	const char *c = w->n->canon;
	struct inode *to;
	s64 r = hostfs_lookup_in(NULL, *c ? c : "/", w->len ? w->len : 1, RESOLVE_NO_SYMLINKS, true, &to);

	if (r == PV_CROSS)
		r = host_hole(&to);
	if (!r) {
		struct mount *m = mount_settle(mount_get(w->mnt), c);

		walk_move(w, m, to);
	}
	return (int)r;
}
