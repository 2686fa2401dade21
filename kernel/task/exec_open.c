/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out what a file to be executed is: script, program, and the program's interpreter. */
#include <linux/fcntl.h>

#include "exec.h"

#define HEADER_SIZE 4096u
#define MAX_SCRIPTS 5

/* The beginning of a file. */
struct header {
	char *buf; /* HEADER_SIZE, and a NUL */
	size_t len;
};

static int header_read(struct header *h, struct file *f)
{
	s64 n = vfs_read_mapped(f, h->buf, HEADER_SIZE, 0);

	h->len = n < 0 ? 0 : (size_t)n;
	h->buf[h->len] = 0;
	return n < 0 ? (int)n : 0;
}

static int read_exactly(struct file *f, void *buf, size_t len, u64 off)
{
	s64 n = vfs_read_mapped(f, buf, len, (s64)off);

	return n < 0 ? (int)n : (size_t)n == len ? 0 : -ENOEXEC;
}

static int parse_elf(struct exec_file *f, const struct header *h)
{
	int ret = elf_parse(h->buf, h->len, &f->elf);
	size_t n = f->elf.phnum * ELF_PHENT;
	void *phdrs __kfree = NULL;

	if (ret != -ERANGE)
		return ret;
	phdrs = kmalloc(n);
	if (!phdrs)
		return -ENOMEM;
	ret = read_exactly(f->file, phdrs, n, f->elf.phoff);
	return ret ? ret : elf_segments(phdrs, &f->elf);
}

/* The interpreter's path, kmalloc'ed, or ERR_PTR. */
static char *interp_path(const struct exec_file *f, const struct header *h)
{
	u32 len = f->elf.interp_len;
	u64 off = f->elf.interp_off;
	char *path = kmalloc(len);
	int ret = 0;

	if (!path)
		return ERR_PTR(-ENOMEM);
	if (off <= h->len && len <= h->len - off)
		memcpy(path, h->buf + off, len);
	else
		ret = read_exactly(f->file, path, len, off);
	if (!ret && path[len - 1])
		ret = -ENOEXEC;
	if (!ret)
		return path;
	kfree(path);
	return ERR_PTR(ret);
}

static int open_interp(struct exec *x, struct header *h)
{
	char *path = interp_path(&x->prog, h);
	struct file *f;
	int ret;

	if (IS_ERR(path))
		return (int)PTR_ERR(path);
	f = vfs_open_exec(AT_FDCWD, path, 0);
	kfree(path);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	x->interp.file = f;
	ret = header_read(h, f);
	if (!ret)
		ret = parse_elf(&x->interp, h);
	return ret == -ENOEXEC ? -ELIBBAD : ret;
}

/* A script: its interpreter takes its place. */
static int open_script(struct exec *x, struct header *h)
{
	char *interp, *arg;
	struct file *f;
	int ret = script_parse(h->buf, h->len, &interp, &arg);

	if (ret)
		return ret;
	f = vfs_open_exec(AT_FDCWD, interp, 0);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	ret = strings_script(&x->strings, interp, arg, x->script ? x->script : x->filename);
	if (!ret) {
		kfree(x->script);
		x->script = kstrdup(interp);
		ret = x->script ? 0 : -ENOMEM;
	}
	if (x->script_file)
		file_put(x->prog.file);
	else
		x->script_file = x->prog.file;
	x->prog.file = f;
	return ret;
}

static int open_all(struct exec *x, struct header *h)
{
	for (int scripts = 0; scripts <= MAX_SCRIPTS; scripts++) {
		int ret = header_read(h, x->prog.file);

		if (!ret)
			ret = parse_elf(&x->prog, h);
		if (!ret)
			return x->prog.elf.interp_len ? open_interp(x, h) : 0;
		if (ret == -ENOEXEC)
			ret = open_script(x, h);
		if (ret)
			return ret;
	}
	return -ELOOP;
}

int exec_open(struct exec *x)
{
	struct header h = {.buf = kmalloc(HEADER_SIZE + 1)};
	int ret = h.buf ? open_all(x, &h) : -ENOMEM;

	kfree(h.buf);
	return ret;
}
