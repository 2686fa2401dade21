// SPDX-License-Identifier: Apache-2.0
/* Treaps: a node with a higher priority is above. Nodes of one key are ordered by their addresses. */
#include "tree.h"

static u32 next_priority(void)
{
	static u64 state = 0x9e3779b97f4a7c15;
	u64 x = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	return (u32)(x >> 32);
}

static bool before(const struct tree_node *a, const struct tree_node *b)
{
	return a->key != b->key ? a->key < b->key : a < b;
}

/* The nodes before n to *low, those behind it to *high. */
static void split(struct tree_node *t, const struct tree_node *n, struct tree_node **low, struct tree_node **high)
{
	while (t) {
		if (before(t, n)) {
			*low = t;
			low = &t->child[1];
			t = t->child[1];
		} else {
			*high = t;
			high = &t->child[0];
			t = t->child[0];
		}
	}
	*low = *high = 0;
}

void tree_insert(struct tree_node **root, struct tree_node *n)
{
	n->priority = next_priority();
	n->linked = true;
	while (*root && (*root)->priority >= n->priority)
		root = &(*root)->child[before(*root, n)];
	split(*root, n, &n->child[0], &n->child[1]);
	*root = n;
}

void tree_remove(struct tree_node **root, struct tree_node *n)
{
	struct tree_node *a = n->child[0], *b = n->child[1];

	while (*root != n)
		root = &(*root)->child[before(*root, n)];
	n->linked = false;
	while (a && b) {
		if (a->priority >= b->priority) {
			*root = a;
			root = &a->child[1];
			a = a->child[1];
		} else {
			*root = b;
			root = &b->child[0];
			b = b->child[0];
		}
	}
	*root = a ? a : b;
}

struct tree_node *tree_first(struct tree_node *root)
{
	while (root && root->child[0])
		root = root->child[0];
	return root;
}

struct tree_node *tree_last_up_to(struct tree_node *root, u64 key)
{
	struct tree_node *found = 0;

	while (root) {
		if (root->key <= key)
			found = root;
		root = root->child[root->key <= key];
	}
	return found;
}

struct tree_node *tree_first_from(struct tree_node *root, u64 key)
{
	struct tree_node *found = 0;

	while (root) {
		if (root->key >= key)
			found = root;
		root = root->child[root->key < key];
	}
	return found;
}
