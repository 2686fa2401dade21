// SPDX-License-Identifier: Apache-2.0
/* Writing the core file: through a buffer, up to RLIMIT_CORE, pages of zeros as holes. */
#include "impl.h"

#include "../signal/sig.h"

#define BUFFER (128u << 10)
#define OPEN_FLAGS (O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW)

/* What is there is replaced, not written over: it might have another name, or be open. */
int core_file_open(struct core_file *o, struct core *c)
{
	char *name __kfree = core_name(c->sig);

	*o = (struct core_file){ .core = c, .limit = rlimit(RLIMIT_CORE) };
	if (!name)
		return -ENOMEM;
	work_clear(current, ~0u);
	vfs_unlink(name);
	o->f = vfs_open(AT_FDCWD, name, OPEN_FLAGS, 0600);
	if (IS_ERR(o->f)) {
		printk(LOG_DEBUG, "no core file %s: error %ld\n", name, PTR_ERR(o->f));
		return (int)PTR_ERR(o->f);
	}
	o->buf = kmalloc(BUFFER);
	if (!o->buf)
		file_put(o->f);
	return o->buf ? 0 : -ENOMEM;
}

static s64 write_some(struct core_file *o, size_t done)
{
	s64 n;

	do {
		work_clear(current, ~0u);
		n = vfs_write_kernel(o->f, o->buf + done, o->used - done, (s64)(o->pos - o->used + done));
	} while ((n == -EINTR || n == -ERESTARTSYS) && !READ_ONCE(o->core->aborted));
	return n;
}

static void flush(struct core_file *o)
{
	size_t done = 0;

	while (done < o->used && !o->failed) {
		s64 n = READ_ONCE(o->core->aborted) ? -EINTR : write_some(o, done);

		if (n <= 0)
			o->failed = true;
		else
			done += (size_t)n;
	}
	o->used = 0;
}

/* What is left of the limit; beyond, the file is cut and the dump has failed. */
static size_t allowed(struct core_file *o, size_t n)
{
	if (n <= o->limit - o->written)
		return n;
	o->failed = true;
	return 0;
}

void core_emit(struct core_file *o, const void *data, size_t n)
{
	while (n && !o->failed) {
		size_t part = allowed(o, min(n, (size_t)BUFFER - o->used));

		memcpy(o->buf + o->used, data, part);
		o->used += part;
		o->pos += part;
		o->written += part;
		o->hole = false;
		data = (const u8 *)data + part;
		n -= part;
		if (o->used == BUFFER)
			flush(o);
	}
}

void core_skip(struct core_file *o, u64 n)
{
	if (!n || o->failed)
		return;
	flush(o);
	o->pos += n;
	o->hole = true;
}

static bool is_zero(const u64 *page)
{
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*page); i++)
		if (page[i])
			return false;
	return true;
}

/* What cannot be read is a hole: the rest of a file that was cut short, or memory without any access. */
void core_emit_memory(struct core_file *o, const struct core_segment *s)
{
	u8 *page __kfree = kmalloc(PAGE_SIZE);

	if (!page)
		o->failed = true;
	for (u64 at = 0; at < s->size && !o->failed; at += PAGE_SIZE) {
		if (s->vdso)
			memcpy(page, (const void *)(mc_vdso() + at), PAGE_SIZE);
		else if (mc_copy_from_user(page, s->start + at, PAGE_SIZE))
			memset(page, 0, PAGE_SIZE);
		if (is_zero((u64 *)page))
			core_skip(o, PAGE_SIZE);
		else
			core_emit(o, page, PAGE_SIZE);
	}
}

bool core_file_close(struct core_file *o)
{
	flush(o);
	if (o->hole && !o->failed && (!o->f->ops->truncate || o->f->ops->truncate(o->f, o->pos)))
		o->failed = true;
	file_put(o->f);
	kfree(o->buf);
	return !o->failed;
}
