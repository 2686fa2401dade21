// SPDX-License-Identifier: Apache-2.0
/* Cgroups made inside: who is where, paths, namespaces. */
#include <linux/poll.h>

#include "fsnotify.h"
#include "impl.h"
#include "pid_ns.h"

struct cgroup_ns {
	struct ns ns; /* first */
	struct cgroup *root; /* counted; NULL: the container's own */
};

struct cgroup *cgroup_top;
static struct list_head to_tell = LIST_HEAD_INIT(to_tell); /* tasklist_lock */

void cgroup_put(struct cgroup *c)
{
	if (c)
		inode_put(&c->i);
}

struct cgroup *cgroup_of(const struct process *p)
{
	return p->cgroup ? p->cgroup : cgroup_top;
}

bool cgroup_is_below(const struct cgroup *c, const struct cgroup *top)
{
	while (c && c->level > top->level)
		c = c->parent;
	return c == top;
}

/* ---- those who are in it ---- */

void cgroup_changed(struct cgroup *c)
{
	c->changes++;
	if (!list_empty(&c->told))
		return;
	cgroup_get(c);
	list_add_tail(&c->told, &to_tell);
}

static void count(struct cgroup *c, bool comes)
{
	if (!c)
		return;
	c->here += comes ? 1 : -1u;
	for (; c->parent; c = c->parent) {
		c->populated += comes ? 1 : -1u;
		if (c->populated == (comes ? 1 : 0))
			cgroup_changed(c);
	}
}

void cgroup_fork(struct process *child, const struct process *parent, struct cgroup *into)
{
	if (!into && parent)
		into = parent->cgroup;
	else if (!into && cgroup_top && cgroup_top->enabled) /* where no process may be: as runc does it */
		into = init_process->cgroup;
	if (!into || !into->parent)
		return;
	child->cgroup = cgroup_get(into);
	count(into, true);
}

void cgroup_exit(struct process *p)
{
	if (!p->cgroup)
		return;
	p->cgroup->utime += p->utime;
	p->cgroup->stime += p->stime;
	count(p->cgroup, false);
	cgroup_look_frozen(p->cgroup);
}

void cgroup_free(struct process *p)
{
	cgroup_put(p->cgroup);
}

int cgroup_move(struct process *p, struct cgroup *to)
{
	struct cgroup *from = p->cgroup;

	if (!p->nthreads) /* on its way out */
		return 0;
	p->cgroup = to->parent ? cgroup_get(to) : NULL;
	count(p->cgroup, true);
	count(from, false);
	cgroup_freeze_process(p, NULL);
	if (from)
		cgroup_look_frozen(from);
	if (p->cgroup)
		cgroup_look_frozen(p->cgroup);
	cgroup_put(from);
	return 0;
}

struct subtree {
	struct cgroup *c;
	int (*fn)(struct process *p, void *arg);
	void *arg;
};

static int if_below(struct process *p, void *arg)
{
	struct subtree *s = arg;

	return cgroup_is_below(cgroup_of(p), s->c) ? s->fn(p, s->arg) : 0;
}

int cgroup_for_each(struct cgroup *c, int (*fn)(struct process *p, void *arg), void *arg)
{
	struct subtree s = { c, fn, arg };

	return for_each_process(if_below, &s);
}

static int add_tasks(struct process *p, void *sum)
{
	*(u32 *)sum += p->nthreads ? (u32)p->nthreads : 1;
	return 0;
}

u32 cgroup_tasks(struct cgroup *c)
{
	u32 sum = 0;

	cgroup_for_each(c, add_tasks, &sum);
	return sum;
}

/* Without recursion: depth is the user's to choose. */
struct cgroup *cgroup_next(const struct cgroup *top, struct cgroup *c)
{
	if (!list_empty(&c->children))
		return list_first(&c->children, struct cgroup, sibling);
	while (c != top && c->sibling.next == &c->parent->children)
		c = c->parent;
	return c == top ? NULL : list_entry(c->sibling.next, struct cgroup, sibling);
}

u32 cgroup_descendants(struct cgroup *top)
{
	u32 n = 0;

	for (struct cgroup *c = top; (c = cgroup_next(top, c));)
		n++;
	return n;
}

int cgroup_may_fork(const struct process *parent, struct cgroup *into)
{
	for (struct cgroup *c = into ? into : parent->cgroup; c; c = c->parent) {
		if (c->pids_max == CG_NO_LIMIT || cgroup_tasks(c) < c->pids_max)
			continue;
		c->pids_refused++;
		return -EAGAIN;
	}
	return 0;
}

/* ---- those who watch ---- */

static struct inode *watched_file(struct cgroup *c)
{
	struct cgroup_file *f;

	list_for_each(f, &c->files, node)
		if (f->entry->e.poll)
			return inode_get(&f->i);
	return NULL;
}

static struct cgroup *next_to_tell(struct inode **file)
{
	struct cgroup *c;

	guard(&tasklist_lock);
	if (list_empty(&to_tell))
		return NULL;
	c = list_first(&to_tell, struct cgroup, told);
	list_del(&c->told);
	list_init(&c->told);
	*file = watched_file(c);
	return c;
}

void cgroup_tell(void)
{
	struct inode *file;
	struct cgroup *c;

	if (likely(READ_ONCE(to_tell.next) == &to_tell))
		return;
	while ((c = next_to_tell(&file))) {
		waitq_wake_all(&c->wait, POLLPRI | POLLERR);
		if (file)
			fsnotify_inode(file, IN_MODIFY);
		inode_put(file);
		cgroup_put(c);
	}
}

/* ---- namespaces and paths ---- */

struct ns *cgroup_ns_new(struct user_ns *user)
{
	struct cgroup_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_CGROUP, user);
	guard(&tasklist_lock);
	if (current->proc->cgroup)
		ns->root = cgroup_get(current->proc->cgroup);
	return &ns->ns;
}

void cgroup_ns_free(struct ns *ns)
{
	struct cgroup_ns *c = (struct cgroup_ns *)ns;

	cgroup_put(c->root);
	kfree(c);
}

struct cgroup *cgroup_ns_root(void)
{
	struct ns *ns = current_ns(NS_CGROUP);
	struct cgroup *root = ns == &init_cgroup_ns ? NULL : ((struct cgroup_ns *)ns)->root;

	return root ? root : cgroup_top;
}

static const struct cgroup *above(const struct cgroup *c, int level)
{
	while (c->level > level)
		c = c->parent;
	return c;
}

void cgroup_path(struct seq *m, struct process *p)
{
	const struct cgroup *c = cgroup_of(p), *root = cgroup_ns_root();
	int level;

	if (c == root) {
		seq_puts(m, "/");
		return;
	}
	level = min(c->level, root->level);
	while (above(c, level) != above(root, level))
		level--;
	for (int i = level; i < root->level; i++)
		seq_puts(m, "/..");
	while (level < c->level)
		seq_printf(m, "/%s", above(c, ++level)->name);
	if (c->dead)
		seq_puts(m, " (deleted)");
}
