/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared subtrees: mount_namespaces(7). A peer group is a number, and so is the group whose slave a mount is. What is
 * mounted in one of a group appears in all of it and in its slaves, and their groups and slaves.
 * mounts_lock is held.
 */
#include "mount_impl.h"
#include "vfs_impl.h"

static int last_group;

#define GROUPS_MAX 64

/* The groups that a mount in group `first` reaches. */
struct groups {
	int v[GROUPS_MAX];
	u32 n;
};

static bool has_group(const struct groups *g, int group)
{
	for (u32 i = 0; i < g->n; i++)
		if (g->v[i] == group)
			return true;
	return false;
}

static void each_mount(void (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mnt_ns *ns;
	struct mount *m, *next;

	list_for_each(ns, &mnt_namespaces, node)
		list_for_each_safe(m, next, &ns->mounts, node) fn(m, arg);
}

static void add_slave_group(struct mount *m, void *arg)
{
	struct groups *g = arg;

	if (m->peers && m->master && has_group(g, m->master) && !has_group(g, m->peers) &&
	    g->n < GROUPS_MAX)
		g->v[g->n++] = m->peers;
}

static void reach(struct groups *g, int first)
{
	u32 before;

	g->v[0] = first;
	g->n = 1;
	do {
		before = g->n;
		each_mount(add_slave_group, g);
	} while (g->n != before);
}

static bool receives(const struct groups *g, const struct mount *m)
{
	return (m->peers && has_group(g, m->peers)) || (m->master && has_group(g, m->master));
}

static int new_group(void)
{
	return ++last_group;
}

void mount_share_tree(struct mount *m)
{
	struct mount *c;

	if (!m->peers)
		m->peers = new_group();
	list_for_each(c, &m->children, sibling)
		mount_share_tree(c);
}

/* ---- mounting ---- */

struct mounting {
	struct groups g;
	struct mount *m;
	int err;
};

/* A copy that a slave gets is a slave of the original. */
static void enslave(struct mount *copy, bool shared)
{
	struct mount *c;

	copy->master = copy->peers;
	copy->peers = shared ? new_group() : 0;
	list_for_each(c, &copy->children, sibling)
		enslave(c, shared);
}

static void mount_there(struct mount *p, void *arg)
{
	struct mounting *x = arg;
	struct mount *m = x->m, *copy;

	if (x->err || p == m->parent || mount_is_below(p, m) || !receives(&x->g, p) ||
	    p->sb != m->parent->sb || !place_below(m->place, p->base))
		return;
	copy = mount_copy_tree(m, m->root, m->base, true);
	if (!copy) {
		x->err = -ENOMEM;
		return;
	}
	if (p->peers != m->parent->peers)
		enslave(copy, p->peers);
	p->ns->dynamic = true;
	x->err = mount_attach(copy, p, m->place);
	mount_tree_changed(p->ns);
}

int propagate_mount(struct mount *m)
{
	struct mounting x = {.m = m};

	if (!m->parent->peers)
		return 0;
	reach(&x.g, m->parent->peers);
	each_mount(mount_there, &x);
	return x.err;
}

/* ---- unmounting ---- */

struct unmounting {
	struct groups g;
	struct mount *m;
	struct mount *found[GROUPS_MAX];
	u32 n;
};

static void find_there(struct mount *c, void *arg)
{
	struct unmounting *x = arg;
	struct mount *m = x->m;

	if (c == m || c->parent == c || c->parent == m->parent || c->sb != m->sb ||
	    !receives(&x->g, c->parent) || strcmp(c->place, m->place) || !list_empty(&c->children))
		return;
	if (x->n < GROUPS_MAX)
		x->found[x->n++] = c;
}

void propagate_umount(struct mount *m, struct list_head *gone)
{
	struct unmounting x = {.m = m};

	if (m->parent == m || !m->parent->peers)
		return;
	reach(&x.g, m->parent->peers);
	each_mount(find_there, &x);
	for (u32 i = 0; i < x.n; i++) {
		mount_tree_changed(x.found[i]->ns);
		mount_detach(x.found[i], gone);
	}
}

/* ---- mount(2) with MS_SHARED and the like ---- */

bool propagation_valid(u32 flags)
{
	u32 type = flags & ~(u32)(MS_REC | MS_SILENT);

	return type == MS_SHARED || type == MS_PRIVATE || type == MS_SLAVE || type == MS_UNBINDABLE;
}

struct counting {
	int group;
	u32 n;
};

static void count_peer(struct mount *m, void *arg)
{
	struct counting *c = arg;

	c->n += m->peers == c->group;
}

/* A slave of the group that it leaves, if anybody stays in that. */
static void make_slave(struct mount *m)
{
	struct counting c = {.group = m->peers};

	if (!m->peers)
		return;
	each_mount(count_peer, &c);
	if (c.n > 1)
		m->master = m->peers;
	m->peers = 0;
}

void propagation_change(struct mount *m, u32 flags)
{
	struct mount *c;

	m->unbindable = flags & MS_UNBINDABLE;
	if (flags & MS_SHARED) {
		if (!m->peers)
			m->peers = new_group();
	} else if (flags & MS_SLAVE) {
		make_slave(m);
	} else {
		m->peers = m->master = 0;
	}
	if (!(flags & MS_REC))
		return;
	list_for_each(c, &m->children, sibling)
		propagation_change(c, flags);
}
