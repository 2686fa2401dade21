// SPDX-License-Identifier: Apache-2.0
/* The tree of sysfs: there are no devices, but software looks for CPUs, interfaces and switches here. */
#include "sysfs.h"

#define SYSFS_MAGIC 0x62656572

static const struct pseudo_entry thp_entries[] = {
	PSEUDO_TEXT("defrag", "always defer defer+madvise [madvise] never\n"),
	PSEUDO_TEXT("enabled", "always [madvise] never\n"),
	PSEUDO_TEXT("hpage_pmd_size", "2097152\n"),
	PSEUDO_TEXT("shmem_enabled", "always within_size advise [never] deny force\n"),
	PSEUDO_TEXT("use_zero_page", "1\n"),
	{ 0 },
};

static const struct pseudo_entry mm_entries[] = {
	PSEUDO_DIR("hugepages"),
	PSEUDO_DIR("transparent_hugepage", .children = thp_entries),
	{ 0 },
};

static const struct pseudo_entry kernel_entries[] = {
	PSEUDO_DIR("debug"),
	PSEUDO_DIR("mm", .children = mm_entries),
	PSEUDO_TEXT("profiling", "0\n"),
	PSEUDO_DIR("security"),
	PSEUDO_TEXT("uevent_seqnum", "1\n"),
	{ 0 },
};

static const struct pseudo_entry system_entries[] = {
	PSEUDO_DIR("cpu", .children = sysfs_cpu_entries, .dir = &sysfs_cpu_dir),
	PSEUDO_DIR("memory"),
	PSEUDO_DIR("node", .children = sysfs_node_entries),
	{ 0 },
};

static const struct pseudo_entry virtual_entries[] = {
	PSEUDO_DIR("net", .dir = &sysfs_net_dir),
	{ 0 },
};

static const struct pseudo_entry devices_entries[] = {
	PSEUDO_DIR("system", .children = system_entries),
	PSEUDO_DIR("virtual", .children = virtual_entries),
	{ 0 },
};

static const struct pseudo_entry class_entries[] = {
	PSEUDO_DIR("block"), PSEUDO_DIR("mem"),
	PSEUDO_DIR("net", .dir = &sysfs_net_link_dir),
	PSEUDO_DIR("tty"), { 0 },
};

static const struct pseudo_entry dev_entries[] = {
	PSEUDO_DIR("block"), PSEUDO_DIR("char"), { 0 },
};

static const struct pseudo_entry fs_entries[] = {
	PSEUDO_DIR("cgroup"), /* mounted over where the container asks for one */
	{ 0 },
};

static const struct pseudo_entry root_entries[] = {
	PSEUDO_DIR("block"),
	PSEUDO_DIR("bus"),
	PSEUDO_DIR("class", .children = class_entries),
	PSEUDO_DIR("dev", .children = dev_entries),
	PSEUDO_DIR("devices", .children = devices_entries),
	PSEUDO_DIR("firmware"),
	PSEUDO_DIR("fs", .children = fs_entries),
	PSEUDO_DIR("kernel", .children = kernel_entries),
	PSEUDO_DIR("module"),
	PSEUDO_DIR("power"),
	{ 0 },
};

static const struct pseudo_entry root = PSEUDO_DIR("sys", .children = root_entries);
static const struct pseudo_fs sysfs_desc = { .root = &root };

static int sysfs_mount(struct mount *m, const char *options, struct inode **out)
{
	return pseudo_mount(m, &sysfs_desc, out);
}

static struct fs_type sysfs_type = { .name = "sysfs", .magic = SYSFS_MAGIC, .mount = sysfs_mount };

void sysfs_init(void)
{
	fs_register(&sysfs_type);
	cgroup_init();
}
