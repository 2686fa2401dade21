/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devpts: one directory with ptmx and the slaves that are open. All mounts of it show the same
 * terminals: a container has one set.
 */
#include "cred.h"
#include "dev.h"
#include "pty.h"
#include "tmpfs.h"
#include "vfs_impl.h"

#define MAX_PTYS     1024
#define FIRST_COOKIE 3 /* behind ".", ".." and ptmx */

static struct mutex lock;
static struct tty *ptys[MAX_PTYS] BSS_LARGE;
static struct mount *first_mount;
static u32 slave_mode = 0620, slave_gid = 5;

static const struct inode_ops node_ops = {};

/* ---- the terminals ---- */

static int take_index(struct tty *t)
{
	guard(&lock);
	for (int i = 0; i < MAX_PTYS; i++) {
		if (ptys[i])
			continue;
		ptys[i] = t;
		t->index = i;
		return 0;
	}
	return -ENOSPC;
}

int pts_add(struct tty *t)
{
	struct inode *i = first_mount ? inode_new(&node_ops, first_mount, S_IFCHR | slave_mode) : NULL;

	if (!i)
		return first_mount ? -ENOMEM : -ENODEV;
	inode_own(i);
	i->gid = slave_gid;
	t->inode = i;
	if (take_index(t)) {
		t->inode = NULL;
		inode_put(i);
		return -ENOSPC;
	}
	i->ino = t->index + FIRST_COOKIE;
	i->rdev = RDEV(PTS_MAJOR, t->index);
	return 0;
}

void pts_remove(struct tty *t)
{
	guard(&lock);
	ptys[t->index] = NULL;
	inode_put(t->inode);
	t->inode = NULL;
}

struct tty *pts_find(int index)
{
	guard(&lock);
	if (index < 0 || index >= MAX_PTYS || !ptys[index] || !ref_get_unless_zero(&ptys[index]->ref))
		return NULL;
	return ptys[index];
}

static struct inode *node_of(int index)
{
	return index >= 0 && ptys[index] ? ptys[index]->inode : NULL;
}

/* ---- the directory ---- */

static int parse_index(const char *name, size_t len)
{
	int n = 0;

	if (!len || len > 4 || (len > 1 && *name == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + name[i] - '0';
	}
	return n < MAX_PTYS ? n : -1;
}

static int devpts_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct inode *i;

	if (len == 4 && !memcmp(name, "ptmx", 4)) {
		*out = inode_get(dir->priv);
		return 0;
	}
	guard(&lock);
	i = node_of(parse_index(name, len));
	if (!i)
		return -ENOENT;
	*out = inode_get(i);
	return 0;
}

static bool emit_slave(struct dir_context *ctx, int index)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "%d", index);

	return ctx->emit(ctx, name, len, index + FIRST_COOKIE, 2 /* DT_CHR */);
}

static int devpts_readdir(struct inode *dir, struct dir_context *ctx)
{
	if (!dir_emit_dots(ctx, dir))
		return 0;
	if (ctx->pos == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, 2, 2))
			return 0;
		ctx->pos = FIRST_COOKIE;
	}
	for (; ctx->pos < FIRST_COOKIE + MAX_PTYS; ctx->pos++) {
		int index = ctx->pos - FIRST_COOKIE;

		if (__atomic_load_n(&ptys[index], __ATOMIC_RELAXED) && !emit_slave(ctx, index))
			return 0;
	}
	return 0;
}

static const struct inode_ops root_ops = {
	.lookup = devpts_lookup,
	.readdir = devpts_readdir,
};

/* ---- mounting ---- */

static u32 number_option(const char *options, const char *name, int base, u32 otherwise)
{
	const char *end;
	u64 n;

	for (const char *o = options; o && *o; o = strchr(o, ',') ? strchr(o, ',') + 1 : NULL)
		if (strstarts(o, name) && parse_u64(o + strlen(name), &end, base, &n))
			return n;
	return otherwise;
}

static int devpts_mount(struct mount *m, const char *options, struct inode **root)
{
	struct inode *dir = inode_new(&root_ops, m, S_IFDIR | 0755), *ptmx;

	ptmx = dir ? inode_new(&node_ops, m, S_IFCHR | number_option(options, "ptmxmode=", 8, 0666))
		   : NULL;
	if (!ptmx) {
		inode_put(dir);
		return -ENOMEM;
	}
	ptmx->rdev = RDEV(5, 2);
	ptmx->ino = 2;
	dir->ino = 1;
	dir->priv = ptmx;
	if (!first_mount) {
		slave_mode = number_option(options, "mode=", 8, 0600) & 0777;
		slave_gid = number_option(options, "gid=", 10, 0);
		first_mount = m;
		mount_hold(m); /* the terminals are its inodes */
	}
	*root = dir;
	return 0;
}

/* The first one's, as of its terminals. */
static int devpts_show_options(struct mount *m, char *buf, size_t size)
{
	int n = slave_gid ? snprintf(buf, size, "gid=%u,", slave_gid) : 0;

	return n + snprintf(buf + n, size - n, "mode=%03o,ptmxmode=%03o", slave_mode,
			    ((struct inode *)m->sb->root->priv)->mode & 0777);
}

struct fs_type devpts_type = {
	.name = "devpts",
	.magic = 0x1cd1,
	.mount = devpts_mount,
	.show_options = devpts_show_options,
};
