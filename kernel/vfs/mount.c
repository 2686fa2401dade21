/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts. The list is for people (mountinfo); name walks look at a table of the guest-side
 * mounts, which is replaced as a whole when a mount comes or goes, so that reading it takes no
 * lock. Neither tables nor mounts are ever freed: there are few, and walks may still be in them.
 */
#include "mounts.h"
#include "vfs_impl.h"

#define MATCH_MAX 256	   /* longest target that is matched here; the hypervisor knows them all */
#define FIRST_DEV 0x40000u /* minors of major 0 that no host mount has */

struct list_head mounts = LIST_HEAD_INIT(mounts);
struct mutex mounts_lock;
struct mount *host_mount;

struct mount_table {
	u32 n;
	u64 initials; /* which characters targets begin with: a bit for the low 6 bits of each */
	struct entry {
		u32 len;
		struct mount *mnt;
	} v[];
};
static struct mount_table no_mounts;
static struct mount_table *table = &no_mounts;
static struct fs_type *fs_types[32];
static u32 n_fs_types;
static int last_id = 20;

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

/* ---- the table ---- */

static u64 initial_of(const char *target)
{
	return 1ULL << (target[1] & 63);
}

/* With mounts_lock held. */
static void table_rebuild(void)
{
	struct mount_table *t;
	struct mount *m;
	u32 n = 0;

	list_for_each(m, &mounts, node)
		n++;
	t = kzalloc(sizeof(*t) + n * sizeof(t->v[0]));
	if (!t)
		panic("no memory for the mount table");
	list_for_each(m, &mounts, node) {
		size_t len = strlen(m->target);

		if (m == host_mount || !m->root || len >= MATCH_MAX)
			continue;
		t->v[t->n].len = len;
		t->v[t->n++].mnt = m;
		t->initials |= initial_of(m->target);
	}
	__atomic_store_n(&table, t, __ATOMIC_RELEASE);
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

struct mount *mount_at(const char *target, size_t len)
{
	const struct mount_table *t = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
	bool below;

	return table_find(t, target, len, &below);
}

struct mount *mount_match(const char *text, const char **rest)
{
	const struct mount_table *t = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
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

/* ---- making and removing ---- */

/* The mount that contains the place, for mountinfo. */
static int parent_of(const char *target)
{
	const char *rest;
	char *up = kstrdup(target);
	struct mount *m;
	char *slash = up ? strrchr(up, '/') : NULL;

	if (!slash)
		return host_mount ? host_mount->id : 1;
	slash[slash == up] = '\0';
	m = mount_match(up, &rest);
	kfree(up);
	return m ? m->id : host_mount ? host_mount->id : 1;
}

struct mount *mount_new(const struct fs_type *type, const char *target, const char *source,
			u32 flags, const char *options)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->type = type;
	m->target = kstrdup(target);
	m->source = kstrdup(source ? source : "none");
	m->options = kstrdup(options ? options : "");
	m->flags = flags;
	m->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	m->dev = FIRST_DEV + m->id;
	return m;
}

void mount_publish(struct mount *m)
{
	m->parent_id = parent_of(m->target);
	guard(&mounts_lock);
	list_add_tail(&m->node, &mounts);
	table_rebuild();
}

void mount_unpublish(struct mount *m)
{
	guard(&mounts_lock);
	list_del(&m->node);
	table_rebuild();
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
	int r;

	if (!t)
		return -ENODEV;
	make_mountpoint(target, 0755);
	m = mount_new(t, target, source, flags, options);
	if (!m)
		return -ENOMEM;
	r = t->mount(m, m->options, &m->root);
	if (r) {
		kfree(m->target);
		kfree(m->source);
		kfree(m->options);
		kfree(m);
		return r;
	}
	mount_publish(m);
	return 0;
}
