/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs and their interpreters stay open after the second exec of the same name with the same credentials: of the container, not of
 * a process as kept files are (fs/kept.c). The next exec asks for the name's attributes instead of opening it, and for nothing within
 * a millisecond if no names have changed (names.h). A file of that number that has the same ctime is the one that is open here: its
 * number can't be another's meanwhile. What the machine keeps of an open file stays, too: on kvm its pages.
 *
 * For machines on which an open file is every process's, and for absolute names in the container's root mount.
 */
#include "kept_programs.h"

#include <linux/stat.h>

#include "cred.h"
#include "hostfs.h"
#include "kept.h"
#include "sync.h"
#include "task.h"
#include "vfs_impl.h"

#define PROGRAMS 16u
#define SEEN 64u

struct program_kept {
	char *name;	     /* NULL: unused */
	struct inode *inode; /* a reference */
	char *path;
	struct pv_file pf;
	struct names_moment seen;
	u64 used;
	u32 cred;
};

static struct mutex lock; /* not held over calls of the machine */
static struct program_kept programs[PROGRAMS];
static u32 nprograms;
static u64 uses;
static u64 opened_once[SEEN]; /* names and credentials, hashed */

bool programs_fit(const struct name *n)
{
	return mc_files_shared() && *n->text == '/' && !n->dir && !n->all_powers && current->proc && !kept_stopped() && !n->tree &&
	       !n->hops && !n->absolute && !n->mnt && !path_is_set(&n->root) && !(n->flags & NAME_NOFOLLOW);
}

/* Lock held. */
static struct program_kept *find(const char *name, u32 cred)
{
	for (u32 i = 0; nprograms && i < PROGRAMS; i++)
		if (programs[i].name && programs[i].cred == cred && !strcmp(programs[i].name, name))
			return &programs[i];
	return NULL;
}

/* Out of the table: the caller drops what it had. Lock held. */
static struct program_kept empty(struct program_kept *p)
{
	struct program_kept old = *p;

	if (p->name)
		nprograms--;
	*p = (struct program_kept){0};
	return old;
}

static void drop(struct program_kept *old)
{
	if (!old->name)
		return;
	inode_put(old->inode);
	kfree(old->path);
	kfree(old->name);
}

static bool same(const struct statx *st, const struct pv_file *pf)
{
	return st->stx_ino == pf->ino && st->stx_dev_major == pf->dev_major && st->stx_dev_minor == pf->dev_minor &&
	       st->stx_mode == pf->mode && st->stx_uid == pf->uid && st->stx_gid == pf->gid &&
	       st->stx_ctime.tv_sec == pf->ctime_sec && st->stx_ctime.tv_nsec == pf->ctime_nsec;
}

static bool copy_out(const char *name, u32 cred, struct program_found *out, struct names_moment *seen)
{
	struct program_kept *p;

	guard(&lock);
	p = find(name, cred);
	if (!p)
		return false;
	p->used = ++uses;
	*seen = p->seen;
	*out = (struct program_found){.pf = p->pf, .inode = inode_get(p->inode), .path = p->path ? kstrdup(p->path) : NULL};
	return true;
}

/* It was looked for: it is there, or something else is. */
static void settle(const char *name, u32 cred, const struct inode *i, const struct names_moment *seen)
{
	struct program_kept *p, old = {0};

	mutex_lock(&lock);
	p = find(name, cred);
	if (p && p->inode == i && seen)
		p->seen = *seen;
	else if (p && p->inode == i)
		old = empty(p);
	mutex_unlock(&lock);
	drop(&old);
}

s64 programs_take(struct name *n, struct program_found *out)
{
	u32 cred = cred_pv_id();
	struct names_moment seen, now;
	const char *name = n->text;
	struct statx st;
	s64 r = 0;

	if (!copy_out(name, cred, out, &seen))
		return -EAGAIN;
	if (!(out->pf.mode & (S_ISUID | S_ISGID)) && names_hold(&seen)) /* a write takes those, and changes no name */
		return 0;
	now = names_moment();
	r = hostfs_stat(n, &st);
	if (!r && same(&st, &out->pf)) {
		settle(name, cred, out->inode, &now);
		return 0;
	}
	if (r != PV_CROSS)
		settle(name, cred, out->inode, NULL);
	inode_put(out->inode);
	kfree(out->path);
	return r == PV_CROSS ? r : -EAGAIN;
}

static bool second_time(const char *name, u32 cred)
{
	u64 hash = hash_bytes(name, strlen(name)) ^ hash_u64(cred), *at = &opened_once[hash % SEEN];

	if (READ_ONCE(*at) == hash)
		return true;
	WRITE_ONCE(*at, hash);
	return false;
}

/* An unused one, or that which was not used for longest. */
static struct program_kept *oldest(void)
{
	struct program_kept *p = programs;

	for (u32 i = 0; i < PROGRAMS && p->name; i++)
		if (!programs[i].name || programs[i].used < p->used)
			p = &programs[i];
	return p;
}

void programs_add(const struct name *n, const struct names_moment *since, const struct pv_file *pf, struct file *f)
{
	struct program_kept made = {.pf = *pf, .seen = *since, .cred = cred_pv_id()}, old = {0};

	if (!pf->opened || !f->inode->in_root || !S_ISREG(pf->mode) || !second_time(n->text, made.cred))
		return;
	made.name = kstrdup(n->text);
	if (!made.name)
		return;
	made.path = f->name ? kstrdup(f->name) : NULL;
	made.inode = inode_get(f->inode);
	mutex_lock(&lock);
	if (find(made.name, made.cred)) { /* by somebody else, meanwhile */
		old = made;
	} else {
		old = empty(oldest());
		made.used = ++uses;
		*oldest() = made;
		nprograms++;
	}
	mutex_unlock(&lock);
	drop(&old);
}

void programs_forget(const char *text, size_t len)
{
	size_t start = len;

	if (likely(!READ_ONCE(nprograms)))
		return;
	while (start && text[start - 1] != '/')
		start--;
	for (u32 i = 0; i < PROGRAMS; i++) {
		struct program_kept old = {0};

		mutex_lock(&lock);
		if (programs[i].name && kept_ends_in(programs[i].name, text + start, len - start))
			old = empty(&programs[i]);
		mutex_unlock(&lock);
		drop(&old);
	}
}
