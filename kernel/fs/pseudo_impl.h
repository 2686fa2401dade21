/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PSEUDO_IMPL_H
#define PSEUDO_IMPL_H

#include "pseudo.h"

/* inode.priv */
struct pseudo_node {
	struct pseudo_ctx ctx;
	const struct pseudo_fs *fs;
};

int pseudo_open(struct inode *i, struct file *f); /* inode_ops.open of regular files */

#endif
