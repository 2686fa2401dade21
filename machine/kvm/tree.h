/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered tree (treap) of nodes that lie in their owners. Equal keys are allowed. The caller locks. */
#ifndef KVM_TREE_H
#define KVM_TREE_H

#include "types.h"

struct tree_node {
	u64 key;
	struct tree_node *child[2];
	u32 priority;
	bool linked;
};

void tree_insert(struct tree_node **root, struct tree_node *n);
void tree_remove(struct tree_node **root, struct tree_node *n);
struct tree_node *tree_first(struct tree_node *root);
struct tree_node *tree_last_up_to(struct tree_node *root, u64 key); /* the greatest key <= key */
struct tree_node *tree_first_from(struct tree_node *root, u64 key); /* the smallest key >= key */

#endif
