/* SPDX-License-Identifier: Apache-2.0 */
/* The first process's view: mounts, directories, descriptors. */
#include "dev.h"
#include "hostfs.h"
#include "mounts.h"
#include "pty.h"
#include "ring.h"
#include "vfs_impl.h"

static const char *boot_text(u32 off)
{
	return off ? (const char *)mc_boot_info() + off : NULL;
}

static struct inode *host_root_inode(void)
{
	struct path p = {};
	int r = hostfs_open_dir("/", &p);

	if (r)
		panic("cannot open the container's root directory: %d", r);
	/* The container's root is directory 0 of the PV calls: it needs no handle of its own. */
	mc_handle_release(p.inode->handle);
	p.inode->handle = 0;
	kfree(p.name);
	return p.inode;
}

static void mount_root(void)
{
	struct mount *m = mount_new(&hostfs_type, "overlay", 0, "");

	if (!m)
		panic("no memory for the root mount");
	m->root = host_root_inode();
	m->flags = m->root->mnt_flags;
	m->locked = m->flags & HOST_LOCKED;
	mount_publish(m, "/");
}

/* The hypervisor mounted it: names in it are its business like all others. Listed, for mountinfo. */
static int list_host_mount(const struct boot_mount *b)
{
	struct mount *m = mount_new(&hostfs_type, b->source ? boot_text(b->source) : NULL, b->flags,
				    b->options ? boot_text(b->options) : NULL);

	if (!m)
		return -ENOMEM;
	if (b->fstype)
		m->fstype = boot_text(b->fstype);
	mount_publish(m, boot_text(b->target));
	return 0;
}

static void boot_mount(const struct boot_mount *b)
{
	const char *target = boot_text(b->target), *type = boot_text(b->type);
	int r;

	if (!strcmp(type, "host"))
		r = list_host_mount(b);
	else if (!strcmp(type, "bind"))
		r = mount_bind_handle(target, b->handle, b->flags);
	else if (!strcmp(type, "masked"))
		r = mount_mask(target);
	else if (!strcmp(type, "readonly"))
		r = mount_readonly(target);
	else
		r = mount_add(target, type, type, b->flags, boot_text(b->options));
	if (r == -ENODEV) /* a type this kernel lacks: an empty directory, so that nothing else
			     shows through */
		r = mount_add(target, "tmpfs", type, b->flags | MS_RDONLY, "mode=0555");
	if (r && r != -ENOENT && r != -ENOTDIR && (!strcmp(type, "masked") || !strcmp(type, "readonly")))
		panic("linux.%sPaths: %s: error %d", type, target, -r); /* it would be open to the container */
	if (r && r != -ENOENT)
		printk(LOG_WARN, "cannot mount %s on %s: %d", type, target, r);
}

static void open_stdio(const struct boot_info *b)
{
	struct tty *t = NULL;

	for (int fd = 0; fd < 3; fd++) {
		struct file *f;

		if (!b->stdio[fd])
			continue;
		f = hostfs_stdio(b->stdio[fd], fd);
		if (IS_ERR(f))
			panic("cannot open descriptor %d: %ld", fd, PTR_ERR(f));
		if (b->process.terminal)
			dev_tty_adopt(f, &t, 0, b->process.uid);
		fd_install_at(fd, f, false, true);
	}
	if (t)
		tty_put(t);
}

int vfs_take_descriptors(u32 event, u32 first, u32 n, const struct boot_process *want)
{
	struct tty *t = NULL;
	int r = 0;

	for (u32 i = first; i < n && !r; i++) {
		struct file *f = hostfs_take(event, i);

		if (PTR_ERR(f) == -EBADF)
			continue;
		if (IS_ERR(f)) {
			r = (int)PTR_ERR(f);
			break;
		}
		if (want->terminal && i < 3)
			dev_tty_adopt(f, &t, event, want->uid);
		r = min(fd_install_at((int)i, f, false, true), 0);
	}
	if (t)
		tty_put(t);
	return r;
}

struct fs_ctx *fs_ctx_root(u32 umask)
{
	struct fs_ctx *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	fs->umask = umask;
	fs->mnt_ns = mnt_ns_get(&boot_ns);
	if (!mnt_ns_top(&boot_ns, &fs->root)) {
		path_copy(&fs->cwd, &fs->root);
		return fs;
	}
	fs_ctx_put(fs);
	return NULL;
}

static void register_types(void)
{
	fs_register(&overlay_type); /* which the host's files are shown as, too */
	fs_register(&tmpfs_type);
	fs_register(&ramfs_type);
	fs_register(&devtmpfs_type);
	fs_register(&devpts_type);
	fs_register(&mqueue_type);
	dev_mem_init();
	dev_tty_init();
	pty_init();
	proc_init();
	sysfs_init();
}

void vfs_boot(void)
{
	const struct boot_info *b = mc_boot_info();
	const struct boot_mount *m = (const void *)((const char *)b + b->mounts);
	struct fs_ctx *fs;

	register_types();
	mount_root();
	fs = fs_ctx_root(0);
	if (!fs)
		panic("no memory for the first process");
	current->fs = fs;
	if (!current->files)
		current->files = fdtable_new();
	for (u32 i = 0; i < b->nmounts; i++)
		boot_mount(&m[i]);
	hostdev_boot();
	fs->umask = b->process.umask;
	open_stdio(b);
	if (vfs_take_descriptors(0, 3, b->process.nfds, &b->process))
		panic("cannot take the descriptors of the first process");
}
