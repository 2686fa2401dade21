/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a name component by component: through guest file systems always, through the host's where mounts were
 * made (struct name.tree; vfs/walk_host.c).
 */
#include "walk.h"

#include "hostfs.h"

void walk_move(struct walk *w, struct mount *mnt, struct inode *to)
{
	if (mnt != w->mnt) {
		mount_put(w->mnt);
		w->mnt = mnt;
	} else {
		mount_put(mnt);
	}
	inode_put(w->dir);
	w->dir = to;
}

/* Within the same mount. */
static void move_inside(struct walk *w, struct inode *to)
{
	inode_put(w->dir);
	w->dir = to;
}

void walk_place(struct walk *w, const char *text)
{
	w->len = strlcpy(w->n->canon, text, PATH_MAX);
	if (w->len >= PATH_MAX)
		w->len = PATH_MAX - 1;
	while (w->len && w->n->canon[w->len - 1] == '/')
		w->n->canon[--w->len] = '\0';
}

int walk_append(struct walk *w, const char *name, size_t len)
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

void walk_strip(struct walk *w)
{
	char *c = w->n->canon;

	while (w->len && c[--w->len] != '/')
		;
	c[w->len] = '\0';
}

int walk_retext(struct walk *w, const char *head, size_t head_len)
{
	struct name *n = w->n;
	size_t rest_len = strlen(w->rest);
	char *text;

	if (head_len + rest_len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	text = kmalloc(head_len + rest_len + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, head, head_len);
	text[head_len] = '/';
	memcpy(text + head_len + 1, w->rest, rest_len + 1);
	if (!rest_len)
		text[head_len ? head_len : 1] = '\0';
	kfree(n->owned);
	n->owned = text;
	n->text = w->rest = text;
	return 0;
}

bool inode_same(const struct inode *a, const struct inode *b)
{
	if (a == b)
		return true;
	if (!a || !b || inode_is_host(a) != inode_is_host(b))
		return false;
	return a->ino == b->ino && (inode_is_host(a) ? a->dev == b->dev : a->mnt == b->mnt);
}

/* ---- upwards ---- */

static const struct path *top_of(const struct name *n)
{
	return n->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) ? &n->base : &n->root;
}

static bool at_top(const struct walk *w)
{
	const struct path *top = top_of(w->n);

	return path_is_set(top) && inode_same(top->inode, w->dir) && (!top->mnt || top->mnt == w->mnt);
}

/* The rest of the name is the hypervisor's, at this path of the container. */
static int leave_by_path(struct walk *w)
{
	struct name *n = w->n;
	int r = walk_retext(w, n->canon, w->len);

	if (r)
		return r;
	n->absolute = true;
	n->host = true;
	n->dir = 0;
	return STEP_HOST;
}

/* The directory that canon names, from the mount's root down. Canonical text has no links. */
static int find_again(struct walk *w)
{
	const char *c = w->n->canon + strlen(w->mnt->base);
	struct inode *i = inode_get(w->mnt->root), *next;

	while (*c) {
		size_t len = 0;
		int r = -ENOENT;

		for (c++; c[len] && c[len] != '/';)
			len++;
		if (i->ops->lookup) {
			guard(&i->lock);
			r = i->ops->lookup(i, c, len, &next);
		}
		inode_put(i);
		if (r)
			return r;
		i = next;
		c += len;
	}
	move_inside(w, i);
	return 0;
}

static int go_up(struct walk *w)
{
	struct name *n = w->n;

	if (at_top(w))
		return n->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
	while (mount_at_base(w->mnt, n->canon)) {
		struct mount *up = mount_up(w->mnt, n->canon);

		if (!up)
			return 0;
		w->len = strlen(n->canon);
		mount_put(w->mnt);
		w->mnt = up;
		if (n->resolve & RESOLVE_NO_XDEV)
			return -EXDEV;
	}
	walk_strip(w);
	if (!w->mnt->type->host)
		return find_again(w);
	return n->tree ? walk_host_up(w) : leave_by_path(w);
}

/* ---- links ---- */

/* The rest of the name is the hypervisor's, from the directory (or object) that p is. */
static int leave_to_host(struct walk *w, struct inode *host)
{
	struct name *n = w->n;

	while (*w->rest == '/')
		w->rest++;
	n->host = true;
	n->dir = host->handle;
	inode_put(n->inode);
	n->inode = inode_get(host);
	if (walk_retext(w, "", 0))
		return -ENOMEM;
	n->text++; /* relative */
	return STEP_HOST;
}

static int move_to_path(struct walk *w, struct path *p)
{
	char *text = NULL;

	if (inode_is_host(p->inode)) {
		text = host_path_of(p->inode->handle);
		if (IS_ERR(text))
			return (int)PTR_ERR(text);
		p->mnt = mount_settle(p->mnt, text);
	}
	if ((w->n->resolve & RESOLVE_NO_XDEV) && p->mnt != w->mnt) {
		kfree(text);
		return -EXDEV;
	}
	walk_move(w, mount_get(p->mnt), inode_get(p->inode));
	walk_place(w, text ? text : p->name ? p->name : "");
	kfree(text);
	return 0;
}

static int follow_magic(struct walk *w, struct inode *link)
{
	struct path p = {};
	int r;

	if (w->n->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (w->n->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EXDEV;
	r = link->ops->follow(link, &p);
	if (r)
		return r;
	if (inode_is_host(p.inode) && !w->n->tree)
		r = w->n->resolve & RESOLVE_NO_XDEV ? -EXDEV : leave_to_host(w, p.inode);
	else
		r = move_to_path(w, &p);
	path_put(&p);
	return r;
}

int walk_link(struct walk *w, const char *target, size_t len)
{
	struct name *n = w->n;
	int r = walk_retext(w, target, len);

	if (r || *target != '/')
		return r;
	n->absolute = false;
	if ((n->resolve & RESOLVE_NO_XDEV) && (!n->tree || w->mnt != top_of(n)->mnt))
		return -EXDEV;
	return n->resolve & RESOLVE_BENEATH ? -EXDEV : WALK_RESTART;
}

bool walk_follows(const struct walk *w, bool last)
{
	return !(last && (w->n->flags & NAME_NOFOLLOW) && !w->n->slash);
}

/* 0: the walk goes on, from the target (magic links) or with its text. */
static int follow_link(struct walk *w, struct inode *link)
{
	struct name *n = w->n;
	char *target;
	int r;

	if (++n->hops > NAME_MAX_HOPS || (n->resolve & RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (link->ops->follow)
		return follow_magic(w, link);
	if (!link->ops->readlink)
		return -EINVAL;
	if (w->mnt && (w->mnt->flags & MS_NOSYMFOLLOW))
		return -ELOOP;
	target = kmalloc(PATH_MAX);
	if (!target)
		return -ENOMEM;
	r = link->ops->readlink(link, target, PATH_MAX - 1);
	if (r >= 0) {
		target[r] = '\0';
		r = walk_link(w, target, r);
	}
	kfree(target);
	return r;
}

/* ---- steps ---- */

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
static int finish(struct walk *w, size_t len, struct inode *target)
{
	struct name *n = w->n;

	n->host = false;
	n->mnt = mount_get(w->mnt);
	n->inode = target;
	if (n->flags & NAME_PARENT) {
		n->parent = inode_get(w->dir);
		n->last = n->canon + w->len - len;
		n->last_len = len;
	}
	return STEP_DONE;
}

static int finish_here(struct walk *w)
{
	struct name *n = w->n;
	bool makes = (n->flags & NAME_PARENT) && !(n->flags & NAME_OPEN);

	if (inode_is_host(w->dir) && !makes) {
		walk_host_finish(w, "", 0);
		return 0;
	}
	n->host = false;
	n->mnt = mount_get(w->mnt);
	n->inode = inode_get(w->dir);
	n->parent = n->flags & NAME_PARENT ? inode_get(w->dir) : NULL;
	n->last_len = 0;
	if (!w->len)
		strlcpy(n->canon, "/", PATH_MAX);
	return 0;
}

int walk_cross(struct walk *w, struct mount *m)
{
	if (w->n->resolve & RESOLVE_NO_XDEV) {
		mount_put(m);
		return -EXDEV;
	}
	if (inode_is_host(m->root) && !w->n->tree) {
		int r = leave_to_host(w, m->root);

		mount_put(m);
		return r;
	}
	walk_move(w, m, inode_get(m->root));
	walk_place(w, m->base);
	return 0;
}

/* One component other than "." and "..". 0: w stands on it. */
static int step(struct walk *w, const char *name, size_t len, bool last)
{
	struct name *n = w->n;
	struct inode *child;
	struct mount *m;
	int r = walk_append(w, name, len);

	if (r)
		return r;
	m = mount_child(w->mnt, n->canon);
	if (m)
		return walk_cross(w, m);
	r = lookup(w, name, len, &child);
	if (r == -ENOENT && last && (n->flags & NAME_PARENT))
		return finish(w, len, NULL);
	if (r)
		return r;
	if (S_ISLNK(child->mode) && walk_follows(w, last)) {
		walk_strip(w);
		r = follow_link(w, child);
		inode_put(child);
		return r;
	}
	if (last)
		return finish(w, len, child);
	move_inside(w, child);
	return 0;
}

static size_t next_name(struct walk *w, const char **name)
{
	size_t len = 0;

	while (*w->rest == '/')
		w->rest++;
	*name = w->rest;
	while (w->rest[len] && w->rest[len] != '/')
		len++;
	return len;
}

static int walk_loop(struct walk *w)
{
	for (;;) {
		const char *name;
		size_t len = next_name(w, &name);
		bool host = inode_is_host(w->dir);
		int r;

		if (!len)
			return STEP_HERE;
		if (!S_ISDIR(w->dir->mode))
			return -ENOTDIR;
		if (host) {
			if (walk_host_whole(w))
				return STEP_DONE;
			r = walk_host_run(w);
			if (r < 0)
				return r;
			if (!r)
				continue;
		} else {
			r = inode_permission(w->dir, MAY_EXEC);
			if (r)
				return r;
		}
		w->rest += len;
		while (*w->rest == '/')
			w->rest++;
		w->n->slash = !*w->rest && name[len];
		if (len == 1 && *name == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.')
			r = go_up(w);
		else
			r = (host ? walk_host_step : step)(w, name, len, !*w->rest);
		if (r)
			return r;
	}
}

int walk_from(struct name *n, struct mount *mnt, struct inode *dir, const char *at, const char *rest)
{
	struct walk w = {.n = n, .mnt = mount_get(mnt), .dir = inode_get(dir), .rest = rest};
	int r = -ENOMEM;

	if (!n->canon)
		n->canon = kmalloc(PATH_MAX);
	if (n->canon) {
		walk_place(&w, at);
		r = walk_loop(&w);
	}
	if (r == STEP_HERE)
		r = finish_here(&w);
	else if (r == STEP_DONE || r == STEP_HOST)
		r = 0;
	if (!r && !n->host && n->slash && n->inode && !S_ISDIR(n->inode->mode))
		r = -ENOTDIR;
	inode_put(w.dir);
	mount_put(w.mnt);
	return r;
}
