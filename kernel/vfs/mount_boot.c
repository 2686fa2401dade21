/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of boot, by their paths. While a namespace has these only, names of the host are the hypervisor's as a
 * whole, and the guest's own file systems are found by the text of an absolute name: in a table that never changes
 * once processes run, so that reading it takes no lock. It lives as long as its namespace.
 */
#include "mount_table.h"
#include "mounts.h"
#include "vfs_impl.h"

#define MATCH_MAX 256 /* longest target that is matched here; the hypervisor knows them all */

struct mount_table {
	u32 n;
	u64 initials; /* which characters targets begin with: a bit for the low 6 bits of each */
	struct entry {
		u32 len;
		struct mount *mnt; /* held */
	} v[];
};
static struct mount_table no_mounts;

static u64 initial_of(const char *target)
{
	return 1ULL << (target[1] & 63);
}

static bool is_listed(const struct mount *m)
{
	return m->target && m->root && m->parent != m && strlen(m->target) < MATCH_MAX;
}

int mount_table_make(struct mnt_ns *ns)
{
	struct mount_table *t = kzalloc(sizeof(*t) + ns->n * sizeof(t->v[0]));
	struct mount *m;

	if (!t)
		return -ENOMEM;
	list_for_each(m, &ns->mounts, node) {
		if (!is_listed(m))
			continue;
		t->v[t->n].len = strlen(m->target);
		t->v[t->n++].mnt = m;
		t->initials |= initial_of(m->target);
		mount_hold(m);
	}
	mount_table_free(ns);
	ns->table = t;
	return 0;
}

void mount_table_free(struct mnt_ns *ns)
{
	for (u32 i = 0; ns->table && i < ns->table->n; i++)
		mount_unhold(ns->table->v[i].mnt);
	kfree(ns->table);
	ns->table = NULL;
}

/* The last mount made at this path; *below: some mount lies deeper. */
static struct mount *table_find(const struct mount_table *t, const char *path, size_t len,
				bool *below)
{
	struct mount *found = NULL;

	for (u32 i = 0; i < t->n; i++) {
		const struct entry *e = &t->v[i];

		if (e->len < len || memcmp(e->mnt->target, path, len))
			continue;
		if (e->len == len)
			found = e->mnt;
		else if (e->mnt->target[len] == '/')
			*below = true;
	}
	return found;
}

/* The guest mount that an absolute path lies in, before any ".."; *rest: what is behind its target. */
struct mount *mount_match(const char *text, const char **rest)
{
	const struct mnt_ns *ns = mnt_ns_current();
	const struct mount_table *t = ns->table ? ns->table : &no_mounts;
	struct mount *best = NULL;
	char norm[MATCH_MAX];
	size_t len = 0;

	for (;;) {
		struct mount *m;
		size_t clen = 0;
		bool below = false;

		while (*text == '/')
			text++;
		while (text[clen] && text[clen] != '/')
			clen++;
		if (!clen || len + 1 + clen >= MATCH_MAX || (clen == 2 && !memcmp(text, "..", 2)))
			return best;
		if (clen == 1 && *text == '.') {
			text++;
			continue;
		}
		norm[len] = '/';
		memcpy(norm + len + 1, text, clen);
		if (!len && !(t->initials & initial_of(norm)))
			return NULL;
		len += 1 + clen;
		text += clen;
		m = table_find(t, norm, len, &below);
		if (m) {
			best = m;
			*rest = text;
		}
		if (!below)
			return best;
	}
}

/* ---- making them ---- */

struct mount *host_mount(void)
{
	const struct mnt_ns *ns = mnt_ns_current();

	return ns->dynamic ? boot_ns.root : ns->root;
}

/* The mount that has this path: the one that goes deepest, and of these the last. */
static struct mount *holder_of(const char *target)
{
	struct mount *m, *best = boot_ns.root;
	size_t longest = 0;

	list_for_each(m, &boot_ns.mounts, node) {
		if (m->parent == m || !m->target || !place_below(target, m->target) ||
		    strlen(m->target) < longest)
			continue;
		longest = strlen(m->target);
		best = m;
	}
	return best;
}

void mount_publish(struct mount *m, const char *target)
{
	struct mount *parent = boot_ns.root;
	char *place = NULL;
	int r = 0;

	guard(&mounts_lock);
	m->target = kstrdup(target);
	if (!parent) {
		mount_attach_root(m, &boot_ns);
		list_add(&boot_ns.node, &mnt_namespaces);
	} else {
		parent = holder_of(target);
		place = kasprintf("%s%s", parent->base,
				  target + (parent == boot_ns.root ? 0 : strlen(parent->target)));
		r = place ? mount_attach(m, parent, place) : -ENOMEM;
	}
	if (!r && !m->root) { /* what the hypervisor mounted only it could take away */
		kfree(m->base);
		m->base = kstrdup(place);
		m->locked |= MNT_LOCKED | (m->flags & HOST_LOCKED);
	}
	kfree(place);
	if (r || !m->target || !m->base || mount_table_make(&boot_ns))
		panic("no memory for the mount at %s", target);
}

/* The directory to mount on, where a guest file system holds it and lacks it (/dev/shm). */
static void make_mountpoint(const char *target, u32 mode)
{
	const char *rest;

	if (mount_match(target, &rest))
		vfs_mkdir_kernel(target, mode);
}

int mount_add(const char *target, const char *type, const char *source, u32 flags,
	      const char *options)
{
	struct fs_type *t = fs_find(type);
	struct mount *m;

	if (!t)
		return -ENODEV;
	make_mountpoint(target, 0755);
	m = mount_make(t, source, flags, options);
	if (IS_ERR(m))
		return (int)PTR_ERR(m);
	mount_publish(m, target);
	return 0;
}
