/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts: their life, and the trees that they make. */
#include "mounts.h"
#include "vfs_impl.h"

#define FIRST_DEV 0x40000u /* minors of major 0 that no host mount has */
#define DEVS	  0xb0000u

struct mutex mounts_lock;

static struct fs_type *fs_types[32];
static u32 n_fs_types;
static int last_id = 20;
static u32 last_dev;

void fs_register(struct fs_type *t)
{
	guard(&mounts_lock);
	BUG_ON(n_fs_types == ARRAY_SIZE(fs_types));
	fs_types[n_fs_types++] = t;
}

struct fs_type *fs_find(const char *name)
{
	for (u32 i = 0; i < n_fs_types; i++)
		if (!strcmp(fs_types[i]->name, name))
			return fs_types[i];
	return NULL;
}

const struct fs_type *fs_nth(u32 i)
{
	return i < n_fs_types ? fs_types[i] : NULL;
}

/* ---- life ---- */

struct mount *mount_new(const struct fs_type *type, const char *source, u32 flags, const char *options)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	ref_init(&m->ref);
	list_init(&m->node);
	list_init(&m->children);
	list_init(&m->sibling);
	m->parent = m->sb = m;
	m->type = type;
	m->source = kstrdup(source ? source : "none");
	m->options = kstrdup(options ? options : "");
	m->base = kstrdup("");
	m->flags = flags;
	m->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	m->dev = FIRST_DEV + __atomic_add_fetch(&last_dev, 1, __ATOMIC_RELAXED) % DEVS;
	if (m->source && m->options && m->base)
		return m;
	mount_put(m);
	return NULL;
}

struct mount *mount_make(struct fs_type *type, const char *source, u32 flags, const char *options)
{
	struct mount *m = mount_new(type, source, flags, options);
	int r = m ? type->mount(m, m->options, &m->root) : -ENOMEM;

	if (!r)
		return m;
	mount_put(m);
	return ERR_PTR(r);
}

struct mount *mount_clone(struct mount *m, struct inode *root, const char *base)
{
	struct mount *c = mount_new(m->type, m->source, m->flags, m->options);

	if (!c)
		return NULL;
	kfree(c->base);
	c->base = kstrdup(base);
	c->target = m->target ? kstrdup(m->target) : NULL;
	c->fstype = m->fstype;
	c->locked = m->locked;
	c->dev = m->dev;
	c->priv = m->priv;
	c->root = root ? inode_get(root) : NULL;
	c->sb = m->sb;
	mount_hold(c->sb);
	if (c->base)
		return c;
	mount_put(c);
	return NULL;
}

struct mount *mount_get(struct mount *m)
{
	if (m)
		ref_get(&m->ref);
	return m;
}

void mount_put(struct mount *m)
{
	while (m && ref_put(&m->ref)) {
		struct mount *sb = m->sb;

		inode_put(m->root);
		kfree(m->source);
		kfree(m->options);
		kfree(m->place);
		kfree(m->base);
		kfree(m->target);
		if (sb != m)
			__atomic_sub_fetch(&sb->held, 1, __ATOMIC_RELAXED);
		kfree(m);
		m = sb != m ? sb : NULL;
	}
}

void mount_hold(struct mount *m)
{
	mount_get(m);
	__atomic_add_fetch(&m->held, 1, __ATOMIC_RELAXED);
}

void mount_unhold(struct mount *m)
{
	__atomic_sub_fetch(&m->held, 1, __ATOMIC_RELAXED);
	mount_put(m);
}

/* ---- places ---- */

bool place_below(const char *place, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(place, dir, len) && (!place[len] || place[len] == '/');
}

bool mount_at_base(const struct mount *m, const char *place)
{
	return !strcmp(m->base, place);
}

bool mount_is_below(const struct mount *m, const struct mount *top)
{
	while (m != top && m->parent != m)
		m = m->parent;
	return m == top;
}

static struct mount *last_child(struct mount *m, const char *place)
{
	struct mount *c, *found = NULL;

	list_for_each(c, &m->children, sibling)
		if (!strcmp(c->place, place))
			found = c;
	return found;
}

struct mount *mount_child(struct mount *m, const char *place)
{
	struct mount *top = m, *c;

	if (list_empty(&m->children))
		return NULL;
	guard(&mounts_lock);
	while ((c = last_child(top, place))) {
		top = c;
		place = c->base;
	}
	return top == m ? NULL : mount_get(top);
}

struct mount *mount_up(struct mount *m, char *place)
{
	guard(&mounts_lock);
	if (m->parent == m)
		return NULL;
	strlcpy(place, m->place, PATH_MAX);
	return mount_get(m->parent);
}

static struct mount *host_part(struct mount *m, const char *place)
{
	struct mount *c;

	list_for_each(c, &m->children, sibling)
		if (!c->root && place_below(place, c->place))
			return c;
	return NULL;
}

struct mount *mount_settle(struct mount *m, const char *place)
{
	struct mount *at = m, *c;

	if (!m || list_empty(&m->children))
		return m;
	mutex_lock(&mounts_lock);
	while ((c = host_part(at, place)))
		at = c;
	mount_get(at);
	mutex_unlock(&mounts_lock);
	mount_put(m);
	return at;
}

/* In front of what is in buf from *at on. */
static void prepend(char *buf, size_t *at, const char *text)
{
	size_t len = strlen(text);

	if (len > *at)
		len = *at;
	*at -= len;
	memcpy(buf + *at, text, len);
}

/* What comes after the mount's own base. */
static const char *inside(const struct mount *m, const char *place)
{
	return place_below(place, m->base) ? place + strlen(m->base) : place;
}

char *mount_path(struct mount *m, const char *place, const struct path *root, bool *reached)
{
	guard(&mounts_lock);
	return mount_path_locked(m, place, root, reached);
}

char *mount_path_locked(const struct mount *m, const char *place, const struct path *root, bool *reached)
{
	const char *top = root && root->name && strcmp(root->name, "/") ? root->name : "";
	size_t size = 2 * PATH_MAX, at = size - 1;
	char *buf = kmalloc(size), *text;

	*reached = false;
	if (!buf)
		return NULL;
	buf[at] = '\0';
	if (!strcmp(place, "/"))
		place = "";
	for (;;) {
		if (root && m == root->mnt && place_below(place, top)) {
			prepend(buf, &at, place + strlen(top));
			*reached = true;
			break;
		}
		prepend(buf, &at, inside(m, place));
		if (m->parent == m) {
			*reached = !root && m->ns;
			break;
		}
		place = m->place;
		m = m->parent;
	}
	text = kstrdup(buf[at] ? buf + at : "/");
	kfree(buf);
	return text;
}

/* ---- trees; mounts_lock is held ---- */

void mount_tree_changed(struct mnt_ns *ns)
{
	__atomic_add_fetch(&ns->event, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&mounts_changed, 0);
}

/* All of a tree becomes the namespace's. */
static void join(struct mount *m, struct mnt_ns *ns)
{
	struct mount *c;

	m->ns = ns;
	list_add_tail(&m->node, &ns->mounts);
	ns->n++;
	list_for_each(c, &m->children, sibling)
		join(c, ns);
}

int mount_link(struct mount *m, struct mount *parent, const char *place)
{
	char *text = kstrdup(place);

	if (!text)
		return -ENOMEM;
	kfree(m->place);
	m->place = text;
	m->parent = parent;
	list_add_tail(&m->sibling, &parent->children);
	return 0;
}

void mount_unlink(struct mount *m)
{
	list_del(&m->sibling);
	m->parent = m;
}

int mount_attach(struct mount *m, struct mount *parent, const char *place)
{
	int r = mount_link(m, parent, place);

	if (r)
		return r;
	m->held++;
	if (parent->ns)
		join(m, parent->ns);
	return 0;
}

int mount_attach_root(struct mount *m, struct mnt_ns *ns)
{
	m->held++;
	ns->root = m;
	join(m, ns);
	return 0;
}

void mount_detach(struct mount *m, struct list_head *gone)
{
	struct mount *c, *next;

	list_for_each_safe(c, next, &m->children, sibling)
		mount_detach(c, gone);
	mount_unlink(m);
	list_del(&m->node);
	list_add_tail(&m->node, gone);
	if (m->ns)
		m->ns->n--;
	m->ns = NULL;
	m->held--;
	m->peers = m->master = 0;
}

void mounts_put(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct mount *m = list_first(gone, struct mount, node);

		list_del(&m->node);
		mount_put(m);
	}
}

/* m with all that is mounted below `base` of it. all: for a namespace, what must not be bound, too. */
struct mount *mount_copy_tree(struct mount *m, struct inode *root, const char *base, bool all)
{
	struct mount *copy = mount_clone(m, root, base), *c;

	if (!copy)
		return NULL;
	copy->peers = m->peers;
	copy->master = m->master;
	copy->unbindable = all && m->unbindable;
	m->copy = copy;
	list_for_each(c, &m->children, sibling) {
		struct mount *sub;

		if (!place_below(c->place, base) || (c->unbindable && !all))
			continue;
		sub = mount_copy_tree(c, c->root, c->base, all);
		if (!sub || mount_link(sub, copy, c->place)) {
			struct list_head gone = LIST_HEAD_INIT(gone);

			mount_put(sub);
			copy->held++;
			mount_detach(copy, &gone);
			mounts_put(&gone);
			return NULL;
		}
		sub->held++;
		if (!all && !c->root) /* a view of the host's mount, which has another place still */
			sub->locked &= ~MNT_LOCKED;
	}
	return copy;
}
