/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup file system. A cgroup is its directory's inode. tasklist_lock protects the tree, who is where, and the
 * lists of files; a directory's lock is taken before it.
 */
#ifndef CGROUP_IMPL_H
#define CGROUP_IMPL_H

#include "../pseudo.h"
#include "cgroup.h"
#include "task.h"

enum { CG_CPU = 1u, CG_MEMORY = 2u, CG_PIDS = 4u, CG_ALL = 7u };
#define CG_NO_LIMIT (~0ULL)

struct cgroup {
	struct inode i; /* first */
	struct cgroup *parent; /* counted; NULL: the container's own */
	int level;
	struct list_head children, sibling;
	s64 cookie, next_cookie; /* its place in the parent's listing; the next child's here */
	struct list_head files;  /* inodes that were looked up: they keep owners, modes and watches */
	u32 made_uid, made_gid;  /* whose files they are at first */
	bool dead;               /* was removed */
	u32 enabled;             /* subtree_control: CG_* of its children */
	u32 here, populated;     /* live processes in it; with those below. Not counted for the container's own */
	u32 changes;             /* of populated and frozen */
	bool freeze, frozen;     /* asked for here; what was told last */
	struct list_head told;   /* its change is to be told; with a reference */
	struct waitq wait;
	u64 max_depth, max_descendants;
	u64 pids_max, pids_refused;
	u64 utime, stime; /* of processes that have ended here, ns */
	u32 weight;
	char name[];
};

/* A file of a cgroup: what its entry shows. */
struct cgroup_entry {
	struct pseudo_entry e; /* first */
	u32 controller;        /* that has to be enabled for it; 0: it is always there */
};

struct cgroup_file {
	struct inode i; /* first */
	struct list_head node; /* in cgroup.files */
	struct cgroup *c; /* counted */
	const struct cgroup_entry *entry;
};

extern struct cgroup *cgroup_top; /* NULL: never mounted, so there are no others either */
extern const struct cgroup_entry cgroup_top_entries[], cgroup_entries[];

static inline struct cgroup *cgroup_of_inode(struct inode *i) { return (struct cgroup *)i; }
static inline struct cgroup *cgroup_get(struct cgroup *c)
{
	inode_get(&c->i);
	return c;
}
bool cgroup_is_dir(const struct inode *i);

/* dir.c */
struct inode *cgroup_file_inode(struct cgroup *c, const struct cgroup_entry *e); /* with a reference; NULL: no memory */
u32 cgroup_controllers(const struct cgroup *c); /* CG_* that it has */

/* tree.c; tasklist_lock is held */
struct cgroup *cgroup_of(const struct process *p);
bool cgroup_is_below(const struct cgroup *c, const struct cgroup *top); /* or top itself */
struct cgroup *cgroup_ns_root(void); /* current's; NULL before the first mount */
int cgroup_move(struct process *p, struct cgroup *to);
int cgroup_for_each(struct cgroup *c, int (*fn)(struct process *p, void *arg), void *arg); /* in it and below */
u32 cgroup_tasks(struct cgroup *c); /* threads, and processes nobody has waited for */
u32 cgroup_descendants(struct cgroup *c);
struct cgroup *cgroup_next(const struct cgroup *top, struct cgroup *c); /* all below top in turn, from top itself on; NULL: no more */
void cgroup_changed(struct cgroup *c); /* its events */

/* freeze.c; tasklist_lock is held */
bool cgroup_is_frozen(struct cgroup *c); /* it is to be, and so are all in it */
void cgroup_look_frozen(struct cgroup *c); /* somebody in it has come to rest, or goes */
int cgroup_freeze_process(struct process *p, void *arg); /* or thaw it, as where it is now demands */

/* control.c, freeze.c, resource.c: what files show and take */
char *cg_strip(char *text); /* without blanks around it */
#define CG_SHOW(name) int name(struct seq *m, const struct pseudo_ctx *ctx)
#define CG_STORE(name) s64 name(const struct pseudo_ctx *ctx, char *text, size_t len)
CG_SHOW(cg_controllers);
CG_SHOW(cg_events);
u32 cg_events_poll(const struct pseudo_ctx *ctx, struct file *f, struct poll_table *pt, u32 *seen);
CG_STORE(cg_kill);
CG_SHOW(cg_max_depth);
CG_STORE(cg_max_depth_store);
CG_SHOW(cg_max_descendants);
CG_STORE(cg_max_descendants_store);
CG_SHOW(cg_procs);
CG_STORE(cg_procs_store);
CG_SHOW(cg_stat);
CG_SHOW(cg_subtree);
CG_STORE(cg_subtree_store);
CG_SHOW(cg_threads);
CG_STORE(cg_threads_store);
CG_SHOW(cg_freeze);
CG_STORE(cg_freeze_store);
CG_STORE(cg_top_freeze_store);
CG_STORE(cg_type_store);
CG_SHOW(cg_cpu_stat);
CG_SHOW(cg_cpu_weight);
CG_STORE(cg_cpu_weight_store);
CG_SHOW(cg_memory_current);
CG_SHOW(cg_memory_stat);
CG_STORE(cg_no_limit_store);   /* "max" is all that can be had */
CG_STORE(cg_no_cpu_max_store);
CG_STORE(cg_zero_store);       /* 0 is */
CG_SHOW(cg_pids_current);
CG_SHOW(cg_pids_max);
CG_STORE(cg_pids_max_store);
CG_SHOW(cg_pids_events);

#endif
