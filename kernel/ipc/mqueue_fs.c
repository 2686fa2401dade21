// SPDX-License-Identifier: Apache-2.0
/* The directory of POSIX message queues: each ipc namespace has one, with or without a mount. */
#include <linux/mqueue.h>

#include "cred.h"
#include "ipc_limits.h"
#include "ipc_ns.h"
#include "mounts.h"
#include "mqueue.h"
#include "task.h"

#define MQUEUE_MAGIC 0x19800202
#define STATUS_SIZE 80 /* what stat(2) says of every queue */
#define FIRST_COOKIE 2

#define PRIORITIES 32768
#define MESSAGE_HEAD 48 /* what Linux charges for the head of a message, and for a priority in use */

static const struct inode_ops root_ops, queue_ops;
static struct mutex root_lock; /* ipc_ns.mqueue_root */

struct mq_dir {
	struct inode i; /* its lock protects the rest */
	struct list_head queues;
	u32 n;
};

static struct mq_dir *dir_of(struct inode *i)
{
	return (struct mq_dir *)i;
}

static struct mqueue *mqueue_of(struct inode *i)
{
	return (struct mqueue *)i;
}

/* ---- queues ---- */

static int check_attr(const struct mq_attr *a)
{
	bool may = capable(CAP_SYS_RESOURCE);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
		return -EINVAL;
	if (a->mq_maxmsg > (may ? MQ_COUNT_HARD : READ_ONCE(ipc_limits.mq_count_max)) ||
	    a->mq_msgsize > (may ? MQ_SIZE_HARD : READ_ONCE(ipc_limits.mq_size_max)))
		return -EINVAL;
	return 0;
}

static u64 charge_of(const struct mq_attr *a)
{
	u64 heads = (u64)a->mq_maxmsg + (u64)min(a->mq_maxmsg, (long)PRIORITIES);

	return (u64)a->mq_maxmsg * (u64)a->mq_msgsize + heads * MESSAGE_HEAD;
}

/* Would another queue of this charge be more than the caller may have? */
static bool over_limit(struct mq_dir *d, u64 charge)
{
	u64 sum = charge, limit = rlimit(RLIMIT_MSGQUEUE);
	struct mqueue *q;

	list_for_each(q, &d->queues, node)
		if (q->i.uid == current->cred->fsuid)
			sum += q->charged;
	return sum > limit;
}

static struct mqueue *queue_new(struct inode *dir, const char *name, size_t len, u32 mode, const struct mq_attr *a)
{
	struct mqueue *q = kzalloc(sizeof(*q));

	if (!q)
		return NULL;
	q->name = kmalloc(len + 1);
	if (!q->name) {
		kfree(q);
		return NULL;
	}
	memcpy(q->name, name, len);
	q->name[len] = '\0';
	inode_init(&q->i, &queue_ops, dir->mnt, S_IFREG | (mode & 07777));
	inode_own(&q->i);
	q->i.size = STATUS_SIZE;
	list_init(&q->messages);
	list_init(&q->senders);
	list_init(&q->receivers);
	waitq_init(&q->wait);
	q->max_count = (u32)a->mq_maxmsg;
	q->max_size = (u32)a->mq_msgsize;
	q->charged = charge_of(a);
	return q;
}

int mqueue_make(struct inode *dir, const char *name, size_t len, u32 mode, const struct mq_attr *attr,
		struct inode **out)
{
	const struct ipc_limits *l = &ipc_limits;
	const struct mq_attr a = attr ? *attr : (struct mq_attr){
		.mq_maxmsg = min(READ_ONCE(l->mq_count_default), READ_ONCE(l->mq_count_max)),
		.mq_msgsize = min(READ_ONCE(l->mq_size_default), READ_ONCE(l->mq_size_max)),
	};
	struct mqueue *q;
	int r;

	if (dir_of(dir)->n >= READ_ONCE(l->mq_queues_max) && !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	r = check_attr(&a);
	if (r)
		return r;
	if (over_limit(dir_of(dir), charge_of(&a)))
		return -EMFILE;
	q = queue_new(dir, name, len, mode, &a);
	if (!q)
		return -ENOMEM;
	list_add_tail(&q->node, &dir_of(dir)->queues); /* with the first reference */
	dir_of(dir)->n++;
	dir->size += 20;
	if (out)
		*out = inode_get(&q->i);
	return 0;
}

static void queue_release(struct inode *i)
{
	struct mqueue *q = mqueue_of(i);

	mqueue_empty(q);
	kfree(q->name);
	kfree(q);
}

static int queue_open(struct inode *i, struct file *f)
{
	f->ops = &mqueue_file_ops;
	f->priv = i; /* which the file holds */
	return 0;
}

static const struct inode_ops queue_ops = {
	.open = queue_open,
	.release = queue_release,
};

/* ---- the directory; its lock is held ---- */

static struct mqueue *find(struct inode *dir, const char *name, size_t len)
{
	struct mqueue *q;

	list_for_each(q, &dir_of(dir)->queues, node)
		if (strlen(q->name) == len && !memcmp(q->name, name, len))
			return q;
	return NULL;
}

static int root_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct mqueue *q = find(dir, name, len);

	if (!q)
		return -ENOENT;
	*out = inode_get(&q->i);
	return 0;
}

static int root_create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
	if (!name || !S_ISREG(mode))
		return name ? -EPERM : -EOPNOTSUPP;
	if (find(dir, name, len))
		return -EEXIST;
	return mqueue_make(dir, name, len, mode, NULL, out);
}

static int root_unlink(struct inode *dir, const char *name, size_t len, bool rmdir)
{
	struct mqueue *q = find(dir, name, len);

	if (!q)
		return -ENOENT;
	if (rmdir)
		return -ENOTDIR;
	list_del(&q->node);
	dir_of(dir)->n--;
	dir->size -= 20;
	q->i.nlink = 0;
	inode_put(&q->i);
	return 0;
}

static int root_readdir(struct inode *dir, struct dir_context *ctx)
{
	s64 cookie = FIRST_COOKIE;
	struct mqueue *q;

	if (!dir_emit_dots(ctx, dir))
		return 0;
	guard(&dir->lock);
	list_for_each(q, &dir_of(dir)->queues, node) {
		if (cookie++ < ctx->pos)
			continue;
		if (!ctx->emit(ctx, q->name, strlen(q->name), q->i.ino, 8 /* DT_REG */))
			return 0;
		ctx->pos = cookie;
	}
	return 0;
}

/* The namespace has ended: queues that are open live on without a name. */
static void root_release(struct inode *i)
{
	struct mq_dir *d = dir_of(i);
	struct mqueue *q, *next;

	list_for_each_safe(q, next, &d->queues, node) {
		list_del(&q->node);
		q->i.nlink = 0;
		inode_put(&q->i);
	}
	kfree(d);
}

static const struct inode_ops root_ops = {
	.release = root_release,
	.lookup = root_lookup,
	.readdir = root_readdir,
	.create = root_create,
	.unlink = root_unlink,
};

/* ---- mounting ---- */

static struct inode *root_new(struct mount *m)
{
	struct mq_dir *d = m ? kzalloc(sizeof(*d)) : NULL;

	if (!d)
		return NULL;
	inode_init(&d->i, &root_ops, m, S_IFDIR | 01777);
	list_init(&d->queues);
	return &d->i;
}

/* m: the mount that it is made for; NULL: for none. */
static struct inode *get_root(struct mount *m)
{
	struct ipc_ns *ns = current_ipc_ns();

	guard(&root_lock);
	if (!ns->mqueue_root) {
		if (m)
			mount_hold(m); /* as long as the queues are there: they belong to it */
		else
			m = mount_new(&mqueue_type, "mqueue", 0, "");
		ns->mqueue_root = root_new(m);
	}
	return ns->mqueue_root ? inode_get(ns->mqueue_root) : NULL;
}

struct inode *mqueue_dir(void)
{
	return get_root(NULL);
}

static int mqueue_mount(struct mount *m, const char *options, struct inode **out)
{
	*out = get_root(m);
	return *out ? 0 : -ENOMEM;
}

struct fs_type mqueue_type = {
	.name = "mqueue",
	.magic = MQUEUE_MAGIC,
	.mount = mqueue_mount,
};
