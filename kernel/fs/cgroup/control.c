// SPDX-License-Identifier: Apache-2.0
/* cgroup.*: processes of a cgroup, which controllers its children have, limits on these. */
#include <linux/poll.h>

#include "cred.h"
#include "fs.h"
#include "impl.h"
#include "pid_ns.h"

static const char *const controllers[] = { "cpu", "memory", "pids" };

/* ---- numbers ---- */

char *cg_strip(char *text)
{
	size_t len;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\n'))
		text[--len] = '\0';
	return text;
}

static void show_limit(struct seq *m, u64 n)
{
	if (n == CG_NO_LIMIT)
		seq_puts(m, "max\n");
	else
		seq_printf(m, "%llu\n", (unsigned long long)n);
}

/* "max" or a number of int's range. */
static int parse_limit(char *text, u64 *out)
{
	const char *end;
	u64 n;

	text = cg_strip(text);
	if (!strcmp(text, "max")) {
		*out = CG_NO_LIMIT;
		return 0;
	}
	if (*text == '-')
		return -ERANGE;
	if (!parse_u64(text, &end, 0, &n) || *end)
		return -EINVAL;
	if (n > 0x7fffffff)
		return -ERANGE;
	*out = n;
	return 0;
}

static s64 store_limit(const struct pseudo_ctx *ctx, u64 *where, char *text, size_t len)
{
	u64 n;
	int r = parse_limit(text, &n);

	if (r)
		return r;
	guard(&tasklist_lock);
	if (ctx->cg->dead)
		return -ENODEV;
	*where = n;
	return (s64)len;
}

int cg_max_depth(struct seq *m, const struct pseudo_ctx *ctx)
{
	show_limit(m, ctx->cg->max_depth);
	return 0;
}

s64 cg_max_depth_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	return store_limit(ctx, &ctx->cg->max_depth, text, len);
}

int cg_max_descendants(struct seq *m, const struct pseudo_ctx *ctx)
{
	show_limit(m, ctx->cg->max_descendants);
	return 0;
}

s64 cg_max_descendants_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	return store_limit(ctx, &ctx->cg->max_descendants, text, len);
}

int cg_stat(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	seq_printf(m, "nr_descendants %u\nnr_dying_descendants 0\n", cgroup_descendants(ctx->cg));
	return 0;
}

int cg_pids_max(struct seq *m, const struct pseudo_ctx *ctx)
{
	show_limit(m, ctx->cg->pids_max);
	return 0;
}

s64 cg_pids_max_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	s64 r = store_limit(ctx, &ctx->cg->pids_max, text, len);

	return r == -ERANGE ? -EINVAL : r;
}

/* ---- processes ---- */

int cg_procs(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	for (int pid = next_pid(0); pid; pid = next_pid(pid)) {
		struct process *p = find_process(pid);

		if (p->nthreads && cgroup_of(p) == ctx->cg)
			seq_printf(m, "%d\n", process_nr(p, task_pid_ns(current)));
	}
	return 0;
}

int cg_threads(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	for (int pid = next_pid(0); pid; pid = next_pid(pid)) {
		struct process *p = find_process(pid);
		struct task *t;

		if (cgroup_of(p) != ctx->cg)
			continue;
		list_for_each(t, &p->threads, thread_node)
			seq_printf(m, "%d\n", task_nr(t, task_pid_ns(current)));
	}
	return 0;
}

/* Who moves a process must be able to write where both places have a cgroup in common. */
static int may_move(struct cgroup *from, struct cgroup *to)
{
	struct cgroup *common = to, *root = cgroup_ns_root();
	struct inode *procs;
	int r;

	if (to->dead)
		return -ENODEV;
	if (!cgroup_is_below(from, root) || !cgroup_is_below(to, root))
		return -ENOENT;
	while (!cgroup_is_below(from, common))
		common = common->parent;
	procs = cgroup_file_inode(common, common->parent ? cgroup_entries : cgroup_top_entries);
	if (!procs)
		return -ENOMEM;
	r = inode_permission(procs, MAY_WRITE);
	inode_put(procs);
	if (r)
		return r;
	return to->enabled && from != to ? -EBUSY : 0;
}

static int move_number(struct cgroup *to, int nr)
{
	struct process *p;
	struct task *t;
	int r;

	guard(&tasklist_lock);
	t = nr ? find_vtask(nr) : current;
	p = t ? t->proc : find_vprocess(nr);
	if (!p)
		return -ESRCH;
	r = may_move(cgroup_of(p), to);
	return r ? r : cgroup_move(p, to);
}

static int parse_pid(char *text)
{
	const char *end;
	u64 n;

	text = cg_strip(text);
	if (!parse_u64(text, &end, 10, &n) || *end || n > 0x7fffffff)
		return -EINVAL;
	return (int)n;
}

s64 cg_procs_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	int nr = parse_pid(text), r = nr < 0 ? nr : move_number(ctx->cg, nr);

	cgroup_tell();
	return r ? r : (s64)len;
}

/* Without threaded cgroups a thread is where its process is. */
s64 cg_threads_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	int nr = parse_pid(text);
	struct task *t;

	if (nr < 0)
		return nr;
	guard(&tasklist_lock);
	t = nr ? find_vtask(nr) : current;
	if (!t)
		return -ESRCH;
	return cgroup_of(t->proc) == ctx->cg ? (s64)len : -EOPNOTSUPP;
}

struct cgroup *cgroup_clone_target(int fd)
{
	struct file *f __file = fd_get(fd);
	struct cgroup *c;
	int r;

	if (!f || !f->inode || !cgroup_is_dir(f->inode))
		return ERR_PTR(-EBADF);
	c = cgroup_of_inode(f->inode);
	guard(&tasklist_lock);
	r = may_move(cgroup_of(current->proc), c);
	return r ? ERR_PTR(r) : cgroup_get(c);
}

static int kill_one(struct process *p, void *arg)
{
	send_signal_process_locked(p, SIGKILL, NULL);
	return 0;
}

s64 cg_kill(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	const char *end;
	u64 n;

	text = cg_strip(text);
	if (!parse_u64(text, &end, 0, &n) || *end)
		return -EINVAL;
	if (n != 1)
		return -ERANGE;
	defer_wakes();
	guard(&tasklist_lock);
	if (ctx->cg->dead)
		return -ENODEV;
	cgroup_for_each(ctx->cg, kill_one, NULL);
	return (s64)len;
}

/* ---- events ---- */

int cg_events(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	seq_printf(m, "populated %d\nfrozen %d\n", !ctx->cg->parent || ctx->cg->populated, cgroup_is_frozen(ctx->cg));
	return 0;
}

/* POLLPRI and POLLERR once for each change. */
u32 cg_events_poll(const struct pseudo_ctx *ctx, struct file *f, struct poll_table *pt, u32 *seen)
{
	u32 now;

	poll_wait(pt, f, &ctx->cg->wait);
	now = READ_ONCE(ctx->cg->changes) + 1;
	if (*seen == now)
		return POLLIN | POLLRDNORM;
	*seen = now;
	return POLLIN | POLLRDNORM | POLLPRI | POLLERR;
}

/* ---- controllers ---- */

static void show_mask(struct seq *m, u32 mask)
{
	const char *between = "";

	for (u32 i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (!(mask & 1u << i))
			continue;
		seq_printf(m, "%s%s", between, controllers[i]);
		between = " ";
	}
	if (mask)
		seq_putc(m, '\n');
}

int cg_controllers(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	show_mask(m, cgroup_controllers(ctx->cg));
	return 0;
}

int cg_subtree(struct seq *m, const struct pseudo_ctx *ctx)
{
	guard(&tasklist_lock);
	show_mask(m, ctx->cg->enabled);
	return 0;
}

/* "+cpu -pids": the last word on each counts. */
static int parse_controllers(char *text, u32 *on, u32 *off)
{
	for (char *word = cg_strip(text); *word;) {
		size_t len = 0;
		u32 i;

		while (word[len] && word[len] != ' ' && word[len] != '\t' && word[len] != '\n')
			len++;
		for (i = 0; i < ARRAY_SIZE(controllers); i++)
			if (strlen(controllers[i]) == len - 1 && !memcmp(word + 1, controllers[i], len - 1))
				break;
		if (i == ARRAY_SIZE(controllers) || (*word != '+' && *word != '-'))
			return -EINVAL;
		*on &= ~(1u << i);
		*off &= ~(1u << i);
		*(*word == '+' ? on : off) |= 1u << i;
		word += len;
		while (*word == ' ' || *word == '\t' || *word == '\n')
			word++;
	}
	return 0;
}

static bool has_own_processes(struct cgroup *c)
{
	if (c->parent)
		return c->here;
	for (int pid = next_pid(0); pid; pid = next_pid(pid))
		if (find_process(pid)->nthreads && !find_process(pid)->cgroup)
			return true;
	return false;
}

s64 cg_subtree_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	struct cgroup *c = ctx->cg, *child;
	u32 on = 0, off = 0;
	int r = parse_controllers(text, &on, &off);

	if (r)
		return r;
	guard(&tasklist_lock);
	if (c->dead)
		return -ENODEV;
	if (on & ~cgroup_controllers(c))
		return -ENOENT;
	list_for_each(child, &c->children, sibling)
		if (child->enabled & off)
			return -EBUSY;
	if ((on & ~c->enabled) && has_own_processes(c))
		return -EBUSY;
	c->enabled = (c->enabled | on) & ~off;
	return (s64)len;
}

/* ---- what there is only one answer to ---- */

s64 cg_type_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	return strcmp(cg_strip(text), "threaded") ? -EINVAL : -EOPNOTSUPP;
}

s64 cg_no_limit_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	return strcmp(cg_strip(text), "max") ? -EOPNOTSUPP : (s64)len;
}

s64 cg_no_cpu_max_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	text = cg_strip(text);
	return strcmp(text, "max") && !strstarts(text, "max ") ? -EOPNOTSUPP : (s64)len;
}

s64 cg_zero_store(const struct pseudo_ctx *ctx, char *text, size_t len)
{
	return strcmp(cg_strip(text), "0") ? -EOPNOTSUPP : (s64)len;
}
