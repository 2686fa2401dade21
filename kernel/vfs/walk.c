/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a name through guest file systems, component by component. */
#include "hostfs.h"
#include "vfs_impl.h"

struct walk {
	struct name *n;
	struct mount *mnt;
	struct inode *dir; /* reference; where we are */
	size_t len;	   /* of n->canon */
};

static void walk_move(struct walk *w, struct mount *mnt, struct inode *to)
{
	inode_put(w->dir);
	w->mnt = mnt;
	w->dir = to;
}

static void canon_set(struct walk *w, const char *text)
{
	w->len = strlcpy(w->n->canon, text, PATH_MAX);
	if (w->len >= PATH_MAX)
		w->len = PATH_MAX - 1;
	while (w->len && w->n->canon[w->len - 1] == '/')
		w->n->canon[--w->len] = '\0';
}

static int canon_append(struct walk *w, const char *name, size_t len)
{
	char *c = w->n->canon;

	if (w->len + len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	c[w->len] = '/';
	memcpy(c + w->len + 1, name, len);
	w->len += len + 1;
	c[w->len] = '\0';
	return 0;
}

static void canon_strip(struct walk *w, size_t len)
{
	w->len -= len + 1;
	w->n->canon[w->len] = '\0';
}

/* Continue with new text in front of what is left. */
static int retext(struct name *n, const char *head, size_t head_len, const char *rest)
{
	size_t rest_len = strlen(rest);
	char *text;

	if (head_len + rest_len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	text = kmalloc(head_len + rest_len + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, head, head_len);
	text[head_len] = '/';
	memcpy(text + head_len + 1, rest, rest_len + 1);
	if (!rest_len)
		text[head_len ? head_len : 1] = '\0';
	kfree(n->owned);
	n->owned = text;
	n->text = text;
	return 0;
}

/* "..": walk down again to the parent, which may be in another file system. Canonical text has no
 * links. */
static int go_up(struct walk *w, const char *rest)
{
	struct name *n = w->n;
	size_t len = w->len;
	int r;

	if (path_is_set(&n->root) && n->root.inode == w->dir)
		return 0;
	while (len && n->canon[len - 1] != '/')
		len--;
	r = retext(n, n->canon, len ? len - 1 : 0, rest);
	n->absolute = true;
	return r ? r : WALK_RESTART;
}

/* The rest of the name is the hypervisor's, from the directory (or object) that p is. */
static int leave_to_host(struct walk *w, struct inode *host, const char *rest)
{
	struct name *n = w->n;

	while (*rest == '/')
		rest++;
	n->host = true;
	n->dir = host->handle;
	inode_put(n->inode);
	n->inode = inode_get(host);
	if (retext(n, "", 0, rest))
		return -ENOMEM;
	n->text++; /* relative */
	return 0;
}

/* What a step may answer besides WALK_RESTART and -errno; 0: go on with the next component. */
#define STEP_HOST 2 /* the walk goes on at the hypervisor */
#define STEP_DONE 3 /* the last component has been dealt with */
#define STEP_HERE 4 /* the name is used up: the object is w->dir itself */

static int follow_magic(struct walk *w, struct inode *link, const char *rest)
{
	struct path p = {};
	int r;

	if (w->n->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	r = link->ops->follow(link, &p);
	if (r)
		return r;
	if (inode_is_host(p.inode)) {
		r = leave_to_host(w, p.inode, rest);
		path_put(&p);
		return r ? r : STEP_HOST;
	}
	walk_move(w, p.mnt, inode_get(p.inode));
	canon_set(w, p.name ? p.name : "");
	path_put(&p);
	return 0;
}

/* 0: w stands on the target (magic links), WALK_RESTART, STEP_HOST or -errno. */
static int follow_link(struct walk *w, struct inode *link, const char *rest)
{
	struct name *n = w->n;
	char *target;
	int r;

	if (++n->hops > NAME_MAX_HOPS || (n->resolve & RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (link->ops->follow)
		return follow_magic(w, link, rest);
	if (!link->ops->readlink)
		return -EINVAL;
	target = kmalloc(PATH_MAX);
	if (!target)
		return -ENOMEM;
	r = link->ops->readlink(link, target, PATH_MAX - 1);
	if (r >= 0) {
		target[r] = '\0';
		if (*target == '/') {
			r = retext(n, target, r, rest);
			n->absolute = false;
		} else {
			char *full = kasprintf("%s/%s", n->canon, target);

			r = full ? retext(n, full, strlen(full), rest) : -ENOMEM;
			kfree(full);
			n->absolute = true;
		}
	}
	kfree(target);
	return r ? r : WALK_RESTART;
}

static int lookup(struct walk *w, const char *name, size_t len, struct inode **out)
{
	struct inode *dir = w->dir;
	int r;

	*out = NULL;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (!dir->ops->lookup)
		return -ENOTDIR;
	guard(&dir->lock);
	r = dir->ops->lookup(dir, name, len, out);
	return r;
}

/* The object of the last component has been found, or is missing. */
static int finish(struct walk *w, const char *name, size_t len, struct inode *target)
{
	struct name *n = w->n;

	n->host = false;
	n->mnt = w->mnt;
	n->inode = target;
	if (n->flags & NAME_PARENT) {
		n->parent = inode_get(w->dir);
		n->last = n->canon + w->len - len;
		n->last_len = len;
	}
	return 0;
}

static int finish_here(struct walk *w)
{
	struct name *n = w->n;

	n->host = false;
	n->mnt = w->mnt;
	n->inode = inode_get(w->dir);
	n->parent = n->flags & NAME_PARENT ? inode_get(w->dir) : NULL;
	n->last_len = 0;
	if (!w->len)
		strlcpy(n->canon, "/", PATH_MAX);
	return 0;
}

static int enter_mount(struct walk *w, struct mount *m, const char *rest)
{
	if (w->n->resolve & RESOLVE_NO_XDEV)
		return -EXDEV;
	if (inode_is_host(m->root)) {
		int r = leave_to_host(w, m->root, rest);

		return r ? r : STEP_HOST;
	}
	walk_move(w, m, inode_get(m->root));
	return 0;
}

/* One component other than "." and "..". 0: w stands on it. */
static int step(struct walk *w, const char *name, size_t len, const char *rest, bool last)
{
	struct name *n = w->n;
	struct inode *child;
	struct mount *m;
	int r = canon_append(w, name, len);

	if (r)
		return r;
	m = mount_at(n->canon, w->len);
	if (m)
		return enter_mount(w, m, rest);
	r = lookup(w, name, len, &child);
	if (r == -ENOENT && last && (n->flags & NAME_PARENT)) {
		finish(w, name, len, NULL);
		return STEP_DONE;
	}
	if (r)
		return r;
	if (S_ISLNK(child->mode) && !(last && (n->flags & NAME_NOFOLLOW) && !n->slash)) {
		canon_strip(w, len);
		r = follow_link(w, child, rest);
		inode_put(child);
		return r;
	}
	if (last) {
		finish(w, name, len, child);
		return STEP_DONE;
	}
	walk_move(w, w->mnt, child);
	return 0;
}

static int walk_loop(struct walk *w, const char *rest)
{
	for (;;) {
		const char *name, *after;
		size_t len = 0;
		int r;

		while (*rest == '/')
			rest++;
		if (!*rest)
			return STEP_HERE;
		name = rest;
		while (name[len] && name[len] != '/')
			len++;
		rest = after = name + len;
		while (*after == '/')
			after++;
		w->n->slash = !*after && *rest;
		if (!S_ISDIR(w->dir->mode))
			return -ENOTDIR;
		r = inode_permission(w->dir, MAY_EXEC);
		if (r)
			return r;
		if (len == 1 && *name == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.')
			r = go_up(w, after);
		else
			r = step(w, name, len, after, !*after);
		if (r)
			return r;
	}
}

int walk_guest(struct name *n, struct mount *mnt, struct inode *dir, const char *at,
	       const char *rest)
{
	struct walk w = {.n = n, .mnt = mnt, .dir = dir};
	int r;

	if (!n->canon)
		n->canon = kmalloc(PATH_MAX);
	if (!n->canon) {
		inode_put(dir);
		return -ENOMEM;
	}
	canon_set(&w, at);
	r = walk_loop(&w, rest);
	if (r == STEP_HERE)
		r = finish_here(&w);
	else if (r == STEP_DONE || r == STEP_HOST)
		r = 0;
	if (!r && !n->host && n->slash && n->inode && !S_ISDIR(n->inode->mode))
		r = -ENOTDIR;
	inode_put(w.dir);
	return r;
}
