/* SPDX-License-Identifier: Apache-2.0 */
/* /dev: a tmpfs with the nodes that the OCI specification asks for. */
#include <linux/magic.h>

#include "dev.h"
#include "hoststat.h"
#include "ring.h"
#include "tmpfs.h"
#include "vfs_impl.h"

static const struct {
	const char *name;
	u32 mode;
	u32 major, minor;
} nodes[] = {
	{"null", S_IFCHR | 0666, 1, 3},	   {"zero", S_IFCHR | 0666, 1, 5},
	{"full", S_IFCHR | 0666, 1, 7},	   {"random", S_IFCHR | 0666, 1, 8},
	{"urandom", S_IFCHR | 0666, 1, 9}, {"tty", S_IFCHR | 0666, 5, 0},
	{"pts", S_IFDIR | 0755, 0, 0},	   {"shm", S_IFDIR | 01777, 0, 0},
	{"mqueue", S_IFDIR | 01777, 0, 0},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"ptmx", "pts/ptmx"},	       {"fd", "/proc/self/fd"},	      {"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
};

u64 tmpfs_default_size(void)
{
	const struct boot_info *b = mc_boot_info();
	u64 limit = limit_memory();

	return (limit ? min(limit, b->mem_total) : b->mem_total) / 2;
}

static int fill(struct inode *root)
{
	const struct boot_info *b = mc_boot_info();
	int r = 0;

	for (u32 i = 0; i < ARRAY_SIZE(nodes) && !r; i++)
		r = root->ops->create(root, nodes[i].name, strlen(nodes[i].name), nodes[i].mode,
				      RDEV(nodes[i].major, nodes[i].minor), NULL);
	for (u32 i = 0; i < ARRAY_SIZE(links) && !r; i++)
		r = root->ops->symlink(root, links[i].name, strlen(links[i].name), links[i].target);
	if (!r && b->process.terminal)
		r = root->ops->create(root, "console", 7, S_IFCHR | 0620, RDEV(5, 1), NULL);
	return r;
}

static int devtmpfs_mount(struct mount *m, const char *options, struct inode **root)
{
	int r = tmpfs_mount(m, options, root);

	if (r)
		return r;
	(*root)->mode = S_IFDIR | 0755;
	guard(&(*root)->lock);
	return fill(*root);
}

struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.magic = TMPFS_MAGIC,
	.mount = devtmpfs_mount,
	.show_options = tmpfs_show_options,
};
