// SPDX-License-Identifier: Apache-2.0
/*
 * Generated files. The text is made when it is read from the start, and what that open file
 * reads further on is of the same text: a reader in pieces sees one consistent state.
 */
#include <linux/fs.h>

#include "cred.h"
#include "pseudo_impl.h"
#include "task.h"

#define MAX_WRITE (64 * 1024)

struct pseudo_file {
	struct mutex lock;
	struct pseudo_ctx ctx;
	struct seq text;
	bool valid;
	u32 seen; /* of a file that can be polled: what its reader was told last */
};

static int generate(struct pseudo_file *pf)
{
	int err;

	pf->text.len = 0;
	pf->text.failed = false;
	err = pf->ctx.e->show(&pf->text, &pf->ctx);
	if (!err && pf->text.failed)
		err = -ENOMEM;
	pf->valid = !err;
	return err;
}

static s64 pseudo_read(struct file *f, struct uio *u, s64 *pos)
{
	struct pseudo_file *pf = f->priv;
	s64 n;

	if (!pf->ctx.e->show)
		return -EINVAL;
	guard(&pf->lock);
	if (!*pos || !pf->valid) {
		int err = generate(pf);

		if (err)
			return err;
	}
	if (*pos < 0 || (u64)*pos >= pf->text.len)
		return 0;
	n = uio_put(u, pf->text.buf + *pos, min(pf->text.len - (size_t)*pos, u->resid));
	if (n > 0)
		*pos += n;
	return n;
}

static s64 pseudo_write(struct file *f, struct uio *u, s64 *pos)
{
	struct pseudo_file *pf = f->priv;
	size_t len = min(u->resid, (size_t)MAX_WRITE);
	char *text __kfree = NULL;
	s64 n;

	if (!pf->ctx.e->store)
		return -EACCES;
	text = kmalloc(len + 1);
	if (!text)
		return -ENOMEM;
	n = uio_get(u, text, len);
	if (n < 0)
		return n;
	text[n] = '\0';
	n = pf->ctx.e->store(&pf->ctx, text, (size_t)n);
	if (n > 0 && pos)
		*pos += n;
	return n;
}

static u32 pseudo_poll(struct file *f, struct poll_table *pt)
{
	struct pseudo_file *pf = f->priv;

	return pf->ctx.e->poll(&pf->ctx, f, pt, &pf->seen);
}

static s64 pseudo_seek(struct file *f, s64 off, int whence)
{
	s64 to = off;

	if (whence == SEEK_CUR)
		to = f->pos + off;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

static void pseudo_file_release(struct file *f)
{
	struct pseudo_file *pf = f->priv;

	seq_free(&pf->text);
	cred_put(pf->ctx.by);
	kfree(pf);
}

static const struct file_ops pseudo_file_ops = {
	.read = pseudo_read,
	.write = pseudo_write,
	.seek = pseudo_seek,
	.release = pseudo_file_release,
};

static const struct file_ops polled_file_ops = {
	.read = pseudo_read,
	.write = pseudo_write,
	.seek = pseudo_seek,
	.poll = pseudo_poll,
	.release = pseudo_file_release,
};

int pseudo_open(struct inode *i, struct file *f)
{
	struct pseudo_node *node = i->priv;

	return pseudo_open_as(&node->ctx, f);
}

int pseudo_open_as(const struct pseudo_ctx *c, struct file *f)
{
	struct pseudo_file *pf;
	int err;

	if (c->e->open)
		return c->e->open(c, f);
	if ((f->mode & FMODE_WRITE) && !c->e->store)
		return -EACCES;
	err = c->e->may_open && (f->mode & FMODE_READ) ? c->e->may_open(c) : 0;
	if (err)
		return err;
	pf = kzalloc(sizeof(*pf));
	if (!pf)
		return -ENOMEM;
	pf->ctx = *c;
	pf->ctx.by = cred_get(current->cred);
	f->ops = pf->ctx.e->poll ? &polled_file_ops : &pseudo_file_ops;
	f->priv = pf;
	if (pf->ctx.e->poll)
		pf->ctx.e->poll(&pf->ctx, f, NULL, &pf->seen);
	return 0;
}
