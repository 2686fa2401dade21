/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2): new file systems, and which of the other calls it is. */
#include "mount_impl.h"

#include "hostfs.h"
#include "syscall.h"
#include "user_ns.h"
#include "vfs_impl.h"

#define MGC_MASK 0xffff0000u
#define MGC_VAL	 0xc0ed0000u
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define KEPT                                                                                       \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME | MS_NOSYMFOLLOW)

bool may_mount(void)
{
	return ns_capable(ns_owner(&mnt_ns_current()->ns), CAP_SYS_ADMIN);
}

/* ---- places ---- */

static s64 guest_place(struct name *n, void *arg)
{
	struct path *out = arg;

	out->name = kstrdup(strcmp(n->canon, "/") ? n->canon : "");
	if (!out->name)
		return -ENOMEM;
	out->mnt = mount_get(n->mnt);
	out->inode = inode_get(n->inode);
	return 0;
}

static s64 host_place(struct name *n, void *arg)
{
	struct path *out = arg;
	size_t len = strlen(n->text);
	s64 r = 0;

	while (len && n->text[len - 1] == '/')
		len--;
	if (len)
		r = hostfs_lookup_in(n->inode, n->text, len, 0, false, &out->inode);
	else
		out->inode = inode_get(n->inode ? n->inode : n->base.inode);
	if (r)
		return r == PV_CROSS ? -EBUSY : r;
	out->name = n->canon ? kstrdup(n->canon) : host_path_of(out->inode->handle);
	out->mnt = mount_get(n->mnt);
	if (!out->name || IS_ERR(out->name)) {
		out->name = NULL;
		path_put(out);
		return -ENOMEM;
	}
	return 0;
}

int mount_lookup_at(int dirfd, const char *path, u32 flags, struct path *out)
{
	struct name n;

	memset(out, 0, sizeof(*out));
	name_at(&n, dirfd, path, flags | NAME_TREE);
	return (int)name_run(&n, host_place, guest_place, out);
}

int mount_lookup(const char *path, u32 flags, struct path *out)
{
	return mount_lookup_at(AT_FDCWD, path, flags, out);
}

void place_descend(struct path *p)
{
	struct mount *m = p->mnt ? mount_child(p->mnt, p->name) : NULL;
	char *name = m ? kstrdup(m->base) : NULL;

	if (!name) {
		mount_put(m);
		return;
	}
	mount_put(p->mnt);
	kfree(p->name);
	p->mnt = m;
	p->name = name;
	if (m->root) {
		inode_put(p->inode);
		p->inode = inode_get(m->root);
	}
}

bool place_is_ours(const struct path *p)
{
	return p->mnt && p->mnt->ns == mnt_ns_current();
}

bool place_is_mount(const struct path *p)
{
	return p->mnt && mount_at_base(p->mnt, p->name);
}

static int graft_locked(struct mount *m, const struct path *p)
{
	struct mount *parent = p->mnt;
	int r;

	if (!place_is_ours(p))
		return -EINVAL;
	if (!S_ISDIR(p->inode->mode) != !S_ISDIR(m->root->mode))
		return -ENOTDIR;
	parent->ns->dynamic = true;
	r = mount_attach(m, parent, p->name);
	if (r)
		return r;
	if (parent->peers)
		mount_share_tree(m);
	r = propagate_mount(m);
	mount_tree_changed(parent->ns);
	return r;
}

int mount_graft(struct mount *m, const struct path *p)
{
	int r;

	mutex_lock(&mounts_lock);
	r = graft_locked(m, p);
	mutex_unlock(&mounts_lock);
	if (r) {
		struct list_head gone = LIST_HEAD_INIT(gone);

		mutex_lock(&mounts_lock);
		if (m->parent == m) /* not attached: the reference is the caller's */
			m->held++;
		mount_detach(m, &gone);
		mutex_unlock(&mounts_lock);
		mounts_put(&gone);
	}
	return r;
}

/* ---- new file systems ---- */

static const struct {
	const char *type, *options;
} known_options[] = {
	{"tmpfs", "size=,nr_blocks=,nr_inodes=,mode=,uid=,gid=,huge=,mpol=,inode32,inode64,"},
	{"ramfs", "mode=,"},
	{"devtmpfs", "size=,nr_blocks=,nr_inodes=,mode=,"},
	{"proc", "hidepid=,gid=,subset=,"},
	{"overlay", "lowerdir=,upperdir=,workdir=,redirect_dir=,index=,metacopy=,xino=,nfs_export=,userxattr,volatile,"},
	{"devpts", "newinstance,ptmxmode=,mode=,uid=,gid=,max=,"},
	{"cgroup2", "nsdelegate,favordynmods,memory_localevents,memory_recursiveprot,"},
};

static bool is_known(const char *list, const char *o, size_t len)
{
	size_t key = 0;

	while (key < len && o[key] != '=')
		key++;
	key += key < len;
	for (const char *k = list; *k; k = strchr(k, ',') + 1)
		if ((size_t)(strchr(k, ',') - k) == key && !memcmp(k, o, key))
			return true;
	return false;
}

int mount_options_check(const char *type, const char *options)
{
	const char *list = "";

	for (u32 i = 0; i < ARRAY_SIZE(known_options); i++)
		if (!strcmp(known_options[i].type, type))
			list = known_options[i].options;
	if (!strcmp(type, "cgroup")) /* names of controllers */
		return 0;
	for (const char *o = options; o && *o;) {
		const char *end = strchr(o, ',');
		size_t len = end ? (size_t)(end - o) : strlen(o);

		if (len && !is_known(list, o, len))
			return -EINVAL;
		o = end ? end + 1 : NULL;
	}
	return 0;
}

/* A whole one of the same type is to be seen here already, with nothing covered, nor read-only where the new one were not. */
static bool is_revealed(const char *type, u32 flags)
{
	struct mount *m, *c;

	guard(&mounts_lock);
	list_for_each(m, &mnt_ns_current()->mounts, node) {
		bool whole = !strcmp(m->type->name, type) && !m->base[0];

		if (!whole || (m->locked & MS_RDONLY & ~flags))
			continue;
		list_for_each(c, &m->children, sibling)
			if ((c->locked & MNT_LOCKED) && strcmp(c->place, "/fs/cgroup"))
				whole = false;
		if (whole)
			return true;
	}
	return false;
}

/* Who owns the namespace by a user namespace of his own only: file systems that he can do no harm with. */
int mount_allowed_here(const char *type, u32 flags)
{
	if (ns_owner(&mnt_ns_current()->ns) == &init_user_ns)
		return 0;
	if (!strcmp(type, "devtmpfs"))
		return -EPERM;
	if (!strcmp(type, "proc") || !strcmp(type, "sysfs"))
		return is_revealed(type, flags) ? 0 : -EPERM;
	return 0;
}

static int new_mount(const struct path *at, const char *type, const char *source, u32 flags,
		     const char *options)
{
	struct fs_type *t = fs_find(type);
	struct mount *m;
	int r;

	if (!t || t->host)
		return -ENODEV;
	r = mount_allowed_here(type, flags);
	if (!r)
		r = mount_options_check(type, options);
	if (r)
		return r;
	m = mount_make(t, source, flags & KEPT, options);
	if (IS_ERR(m))
		return (int)PTR_ERR(m);
	if (place_is_mount(at) && at->mnt->root == m->root) { /* of what there is one only */
		mount_put(m);
		return -EBUSY;
	}
	return mount_graft(m, at);
}

/* ---- the call ---- */

struct mount_args {
	char *source, *target, *type, *options;
	u32 flags;
};

static char *optional_text(uaddr_t from)
{
	return from ? getname(from) : NULL;
}

static int change_type(const struct path *p, u32 flags)
{
	if (!place_is_mount(p) || !propagation_valid(flags))
		return -EINVAL;
	guard(&mounts_lock);
	if (!place_is_ours(p))
		return -EINVAL;
	propagation_change(p->mnt, flags);
	mount_tree_changed(p->mnt->ns);
	return 0;
}

static int do_mount(const struct mount_args *a, const struct path *at)
{
	u32 flags = a->flags;

	if ((flags & MGC_MASK) == MGC_VAL)
		flags &= ~MGC_MASK;
	if (!may_mount())
		return -EPERM;
	if (flags >> 31) /* MS_NOUSER */
		return -EINVAL;
	if (flags & MS_STRICTATIME)
		flags &= ~(u32)MS_NOATIME;
	if (flags & MS_REMOUNT)
		return do_remount(at, flags & KEPT, flags & MS_BIND, a->options);
	if (flags & MS_BIND)
		return do_bind(at, a->source, flags & MS_REC);
	if (flags & PROPAGATION)
		return change_type(at, flags);
	if (flags & MS_MOVE)
		return do_move(at, a->source);
	if (!a->type)
		return -EINVAL;
	return new_mount(at, a->type, a->source, flags, a->options);
}

static long mount_texts(const struct mount_args *a)
{
	struct path at;
	int r;

	if (IS_ERR(a->type))
		return PTR_ERR(a->type);
	if (IS_ERR(a->source))
		return PTR_ERR(a->source);
	if (IS_ERR(a->options))
		return PTR_ERR(a->options);
	if (IS_ERR(a->target))
		return PTR_ERR(a->target);
	r = mount_lookup(a->target, 0, &at);
	if (r)
		return r;
	if (!(a->flags & (MS_REMOUNT | PROPAGATION)))
		place_descend(&at);
	r = do_mount(a, &at);
	path_put(&at);
	return r;
}

/* data is a page at most, of which what can't be read is not there. */
static char *options_text(uaddr_t from)
{
	char *text = optional_text(from);

	return text == ERR_PTR(-ENAMETOOLONG) ? ERR_PTR(-EINVAL) : text;
}

long sys_mount(u64 source, u64 target, u64 type, u64 flags, u64 data)
{
	struct mount_args a = {.flags = (u32)flags};
	long r;

	a.type = optional_text(type);
	a.source = optional_text(source);
	a.options = options_text(data);
	a.target = getname(target);
	r = mount_texts(&a);
	putname_cleanup(&a.type);
	putname_cleanup(&a.source);
	putname_cleanup(&a.options);
	putname_cleanup(&a.target);
	return r;
}
