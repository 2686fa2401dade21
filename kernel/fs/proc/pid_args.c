// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/cmdline, environ, auxv, comm, mem: what is in the process' memory, and its name. */
#include "proc.h"

#include <linux/fs.h>

#define CHUNK PAGE_SIZE
#define MAX_ARGS (2ULL << 20)

/* Appends [start, end) of the memory of the process; false if not all of it could be read. */
static bool append_memory(struct seq *m, const struct pseudo_ctx *c, struct mm *mm, u64 start, u64 end)
{
	u8 *chunk __kfree = kmalloc(CHUNK);

	if (!chunk || end < start)
		return false;
	end = min(end, start + MAX_ARGS);
	while (start < end) {
		size_t want = min(end - start, (u64)CHUNK);
		s64 n = proc_read_memory(c, mm, start, chunk, want);

		if (n <= 0)
			return false;
		seq_write(m, chunk, (size_t)n);
		start += (u64)n;
	}
	return true;
}

/* The copy that exec made: of what does not let itself be read. */
static void append_copy(struct seq *m, const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	struct task *t;
	struct process *p = proc_find(c, &t);

	if (p && p->cmdline)
		seq_write(m, p->cmdline, p->cmdline_len);
}

/*
 * A program that writes over its arguments (setproctitle) may run on into the environment: without the
 * NUL at the end, all is one text of at most a page, up to and with the first NUL. proc(5).
 */
static void append_title(struct seq *m, const struct pseudo_ctx *c, struct mm *mm, size_t start)
{
	if (m->len == start || !m->buf[m->len - 1])
		return;
	m->len = start;
	append_memory(m, c, mm, mm->arg_start, min(mm->arg_start + CHUNK, mm->env_end));
	m->len = min(m->len, start + strnlen(m->buf + start, m->len - start) + 1);
}

int pid_cmdline(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_ANYONE);
	size_t start = m->len;

	if (IS_ERR(mm))
		mm = NULL;
	if (!mm) /* a zombie's is empty; a gone process is gone */
		return proc_find_gone(c);
	if (append_memory(m, c, mm, mm->arg_start, mm->arg_end)) {
		append_title(m, c, mm, start);
	} else {
		m->len = start;
		append_copy(m, c);
	}
	mm_put(mm);
	return 0;
}

int pid_environ(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);

	if (IS_ERR(mm) || !mm)
		return (int)PTR_ERR(mm);
	append_memory(m, c, mm, mm->env_start, mm->env_end);
	mm_put(mm);
	return 0;
}

int pid_auxv(struct seq *m, const struct pseudo_ctx *c)
{
	struct mm *mm = proc_mm(c, PROC_PTRACE);

	if (IS_ERR(mm) || !mm)
		return (int)PTR_ERR(mm);
	seq_write(m, mm->auxv, min((size_t)mm->auxv_len, ARRAY_SIZE(mm->auxv)) * sizeof(u64));
	mm_put(mm);
	return 0;
}

int proc_find_gone(const struct pseudo_ctx *c)
{
	guard(&tasklist_lock);
	struct task *t;

	return proc_find(c, &t) ? 0 : -ESRCH;
}

int pid_comm(struct seq *m, const struct pseudo_ctx *c)
{
	char comm[16];
	struct process *p;
	struct task *t;

	mutex_lock(&tasklist_lock);
	p = proc_find(c, &t);
	if (p)
		memcpy(comm, t ? t->comm : p->zombie_comm, sizeof(comm));
	mutex_unlock(&tasklist_lock);
	if (!p)
		return -ESRCH;
	seq_printf(m, "%s\n", comm);
	return 0;
}

/* A thread may name the others of its process, and nobody else. */
s64 pid_comm_store(const struct pseudo_ctx *c, char *text, size_t len)
{
	guard(&tasklist_lock);
	struct task *t;
	struct process *p = proc_find(c, &t);
	char *end = strchr(text, '\n');

	if (!p || !t)
		return -ESRCH;
	if (p != current->proc)
		return -EINVAL;
	if (end)
		*end = '\0';
	memset(t->comm, 0, sizeof(t->comm));
	strlcpy(t->comm, text, sizeof(t->comm));
	return (s64)len;
}

/* ---- mem ---- */

struct mem_file {
	struct pseudo_ctx ctx;
	struct mm *mm;
};

static s64 mem_read(struct file *f, struct uio *u, s64 *pos)
{
	struct mem_file *mf = f->priv;
	u8 *chunk __kfree = kmalloc(CHUNK);
	s64 done = 0;

	if (!chunk)
		return -ENOMEM;
	while (u->resid) {
		u64 at = (u64)*pos;
		size_t want = min((u64)u->resid, CHUNK - (at & (CHUNK - 1)));
		s64 n = proc_read_memory(&mf->ctx, mf->mm, at, chunk, want);

		if (n <= 0)
			return done ? done : -EIO;
		n = uio_put(u, chunk, (size_t)n);
		if (n <= 0)
			return done ? done : n;
		*pos += n;
		done += n;
	}
	return done;
}

static s64 mem_write(struct file *f, struct uio *u, s64 *pos)
{
	struct mem_file *mf = f->priv;
	u8 *chunk __kfree = kmalloc(CHUNK);
	s64 done = 0, n;

	if (!chunk)
		return -ENOMEM;
	while (u->resid) {
		n = uio_get(u, chunk, min(u->resid, (size_t)CHUNK));
		if (n <= 0)
			return done ? done : n;
		n = proc_write_memory(&mf->ctx, mf->mm, (u64)*pos, chunk, (size_t)n);
		if (n <= 0)
			return done ? done : -EIO;
		*pos += n;
		done += n;
	}
	return done;
}

s64 proc_space_seek(struct file *f, s64 off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	f->pos = off;
	return off;
}

static void mem_release(struct file *f)
{
	struct mem_file *mf = f->priv;

	mm_put(mf->mm);
	kfree(mf);
}

static const struct file_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.seek = proc_space_seek,
	.release = mem_release,
};

int pid_mem_open(const struct pseudo_ctx *c, struct file *f)
{
	struct mem_file *mf = kzalloc(sizeof(*mf));
	struct mm *mm = mf ? proc_mm(c, PROC_ATTACH) : ERR_PTR(-ENOMEM);

	if (IS_ERR(mm) || !mm) {
		kfree(mf);
		return mm ? (int)PTR_ERR(mm) : -ESRCH;
	}
	mf->ctx = *c;
	mf->mm = mm;
	f->ops = &mem_ops;
	f->priv = mf;
	return 0;
}
