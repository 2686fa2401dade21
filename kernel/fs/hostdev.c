/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.devices: nodes in /dev, and devices that are the host's. Those are opened by the
 * hypervisor, which knows them by number in the configuration, and read and written as donated descriptors.
 */
#include "dev.h"
#include "hostfs.h"
#include "mounts.h"
#include "ring.h"
#include "vfs_impl.h"

static const struct boot_device *table(u32 *n)
{
	const struct boot_info *b = mc_boot_info();

	*n = b->ndevices;
	return (const void *)((const char *)b + b->devices);
}

static bool is_it(const struct boot_device *d, const struct inode *i)
{
	return d->from_host && (d->mode & S_IFMT) == (i->mode & S_IFMT) && RDEV(d->major, d->minor) == i->rdev;
}

static void device_release(struct file *f)
{
	mc_handle_release(f->handle);
}

static s64 device_seek(struct file *f, s64 off, int whence)
{
	return mc_seek(f->handle, off, whence);
}

static int device_mmap(struct file *f, struct vma *v)
{
	return 0;
}

static int device_fsync(struct file *f, bool data_only)
{
	return host_handle_call(PV_FSYNC, f->handle, data_only ? 1 : 0, 0, 0);
}

static const struct file_ops device_ops = {
	.release = device_release,
	.seek = device_seek,
	.ioctl = hostfs_ioctl,
	.mmap = device_mmap,
	.fsync = device_fsync,
};

static int open_number(u32 number, struct file *f)
{
	u32 handle = host_handle_get();
	s64 r;

	if (!handle)
		return -ENFILE;
	r = host_handle_call(PV_DEVICE, handle, f->flags, number, 0);
	if (r < 0) {
		host_handle_unused(handle);
		return (int)r;
	}
	f->handle = handle;
	f->ops = &device_ops;
	f->mode |= FMODE_HOST;
	return 0;
}

int hostdev_open(struct inode *i, struct file *f)
{
	const struct boot_device *d;
	u32 n;
	int r;

	d = table(&n);
	for (u32 k = 0; k < n; k++) {
		if (!is_it(&d[k], i))
			continue;
		r = open_number(k, f);
		if (!r && S_ISCHR(i->mode))
			f->mode |= FMODE_STREAM | FMODE_HOSTPOLL;
		return r;
	}
	return -ENXIO;
}

/* ---- the nodes ---- */

static void make_parents(const char *path)
{
	char *part = kstrdup(path);

	for (char *c = part ? part + 1 : NULL; c && *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		vfs_mkdir_kernel(part, 0755);
		*c = '/';
	}
	kfree(part);
}

/* As runc: what is mounted there stays; of /dev's own nodes the configuration's mode and owner hold. */
void hostdev_boot(void)
{
	const struct boot_info *b = mc_boot_info();
	const struct boot_device *d;
	u32 n;

	d = table(&n);
	for (u32 k = 0; k < n; k++) {
		const char *path = (const char *)b + d[k].path;
		int r;

		make_parents(path);
		r = vfs_mknod_kernel(path, d[k].mode, RDEV(d[k].major, d[k].minor), d[k].uid, d[k].gid);
		if (r)
			printk(LOG_WARN, "cannot make the device %s: %d", path, r);
	}
}
