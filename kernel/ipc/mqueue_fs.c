// SPDX-License-Identifier: Apache-2.0
/* The directory of POSIX message queues: there is one, with or without a mount. */
#include <linux/mqueue.h>

#include "cred.h"
#include "ipc_limits.h"
#include "mounts.h"
#include "mqueue.h"
#include "task.h"

#define MQUEUE_MAGIC 0x19800202
#define STATUS_SIZE 80 /* what stat(2) says of every queue */
#define FIRST_COOKIE 2

#define PRIORITIES 32768
#define MESSAGE_HEAD 48 /* what Linux charges for the head of a message, and for a priority in use */

static const struct inode_ops root_ops, queue_ops;
static struct list_head queues = LIST_HEAD_INIT(queues); /* the directory's lock */
static u32 n_queues;
static struct inode *root;
static struct mutex root_lock;

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
static bool over_limit(u64 charge)
{
	u64 sum = charge, limit = rlimit(RLIMIT_MSGQUEUE);
	struct mqueue *q;

	list_for_each(q, &queues, node)
		if (q->i.uid == current->cred->fsuid)
			sum += q->charged;
	return sum > limit;
}

static struct mqueue *queue_new(const char *name, size_t len, u32 mode, const struct mq_attr *a)
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
	inode_init(&q->i, &queue_ops, root->mnt, S_IFREG | (mode & 07777));
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

	if (n_queues >= READ_ONCE(l->mq_queues_max) && !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	r = check_attr(&a);
	if (r)
		return r;
	if (over_limit(charge_of(&a)))
		return -EMFILE;
	q = queue_new(name, len, mode, &a);
	if (!q)
		return -ENOMEM;
	list_add_tail(&q->node, &queues); /* with the first reference */
	n_queues++;
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

static struct mqueue *find(const char *name, size_t len)
{
	struct mqueue *q;

	list_for_each(q, &queues, node)
		if (strlen(q->name) == len && !memcmp(q->name, name, len))
			return q;
	return NULL;
}

static int root_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct mqueue *q = find(name, len);

	if (!q)
		return -ENOENT;
	*out = inode_get(&q->i);
	return 0;
}

static int root_create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
	if (!name || !S_ISREG(mode))
		return name ? -EPERM : -EOPNOTSUPP;
	if (find(name, len))
		return -EEXIST;
	return mqueue_make(dir, name, len, mode, NULL, out);
}

static int root_unlink(struct inode *dir, const char *name, size_t len, bool rmdir)
{
	struct mqueue *q = find(name, len);

	if (!q)
		return -ENOENT;
	if (rmdir)
		return -ENOTDIR;
	list_del(&q->node);
	n_queues--;
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
	list_for_each(q, &queues, node) {
		if (cookie++ < ctx->pos)
			continue;
		if (!ctx->emit(ctx, q->name, strlen(q->name), q->i.ino, 8 /* DT_REG */))
			return 0;
		ctx->pos = cookie;
	}
	return 0;
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.readdir = root_readdir,
	.create = root_create,
	.unlink = root_unlink,
};

/* ---- mounting ---- */

/* m: the mount that it is made for; NULL: for none. */
static struct inode *get_root(struct mount *m)
{
	guard(&root_lock);
	if (!root) {
		if (!m)
			m = mount_new(&mqueue_type, "/dev/mqueue", "mqueue", 0, "");
		root = m ? inode_new(&root_ops, m, S_IFDIR | 01777) : NULL;
	}
	return root ? inode_get(root) : NULL;
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
