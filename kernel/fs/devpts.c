/* SPDX-License-Identifier: Apache-2.0 */
#include "dev.h"
#include "pty.h"
#include "tmpfs.h"
#include "vfs_impl.h"

int pty_open_controlling(struct file *f)
{
	return -ENXIO;
}

void pty_init(void)
{
}

struct fs_type devpts_type = {
	.name = "devpts",
	.magic = 0x1cd1,
	.mount = tmpfs_mount,
	.show_options = tmpfs_show_options,
};
