/* SPDX-License-Identifier: Apache-2.0 */
/* A file system that is being described: fsopen, fsconfig, fspick. */
#ifndef FS_CONTEXT_H
#define FS_CONTEXT_H

struct mount;

/* What FSCONFIG_CMD_CREATE made, with the reference, or ERR_PTR: -EBADF, -EINVAL. */
struct mount *fs_context_take(int fd);

#endif
