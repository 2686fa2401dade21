/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs and their interpreters stay open after the second exec of the same name with the same credentials: of the container, not of
 * a process as kept files are (fs/kept.c). The next exec asks for the name's attributes instead of opening it, and for nothing within
 * a millisecond if no names have changed (names.h). A file of that number that has the same ctime is the one that is open here: its
 * number can't be another's meanwhile. What the machine keeps of an open file stays, too: on kvm its pages.
 *
 * A process may lack what the machine needs for the file: then it is opened if the name is to be asked for anyway, and its parent
 * brings it before its next fork (programs_bring).
 *
 * For absolute names whose way does not leave the container's root mount: the open of one that is to be kept says so (RESOLVE_NO_XDEV).
 */
#include "kept_programs.h"

#include <linux/openat2.h>
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
static u64 opened_once[SEEN]; /* names and credentials, hashed; ~: of a name that leads out of the root mount */

bool programs_fit(const struct name *n)
{
	return *n->text == '/' && !n->dir && !n->all_powers && current->proc && !kept_stopped() && !n->tree &&
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

static bool same_file(const struct pv_file *a, const struct pv_file *b)
{
	return a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->ctime_sec == b->ctime_sec && a->ctime_nsec == b->ctime_nsec;
}

/* What same_file() compares. */
static struct pv_file described(const struct statx *st)
{
	return (struct pv_file){
		.ino = st->stx_ino,
		.dev_major = st->stx_dev_major,
		.dev_minor = st->stx_dev_minor,
		.mode = st->stx_mode,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		.ctime_sec = st->stx_ctime.tv_sec,
		.ctime_nsec = st->stx_ctime.tv_nsec,
	};
}

/* The caller's process lacks it: those that its parent forks next will not. */
static void want(u32 number)
{
	guard(&tasklist_lock);
	if (current->proc->parent)
		__atomic_fetch_or(&current->proc->parent->programs_wanted, 1u << number, __ATOMIC_RELAXED);
}

void programs_bring(void)
{
	u32 wanted = READ_ONCE(current->proc->programs_wanted);

	if (likely(!wanted))
		return;
	wanted = __atomic_exchange_n(&current->proc->programs_wanted, 0, __ATOMIC_RELAXED);
	for (u32 i = 0; i < PROGRAMS; i++) {
		struct inode *inode = NULL;

		if (!(wanted >> i & 1))
			continue;
		mutex_lock(&lock);
		if (programs[i].name)
			inode = inode_get(programs[i].inode);
		mutex_unlock(&lock);
		if (!inode)
			continue;
		mc_handle_bring(inode->handle);
		inode_put(inode);
	}
}

/* Its number; negative: none. */
static int copy_out(const char *name, u32 cred, struct program_found *out, struct names_moment *seen)
{
	struct program_kept *p;

	guard(&lock);
	p = find(name, cred);
	if (!p)
		return -ENOENT;
	p->used = ++uses;
	*seen = p->seen;
	*out = (struct program_found){.pf = p->pf, .inode = inode_get(p->inode), .path = p->path ? kstrdup(p->path) : NULL};
	return (int)(p - programs);
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
	struct pv_file there;
	struct statx st;
	int number = copy_out(name, cred, out, &seen);
	s64 r = -EAGAIN;
	bool here;

	if (number < 0)
		return -EAGAIN;
	here = mc_handle_here(out->inode->handle);
	if (!here)
		want((u32)number);
	if (!(out->pf.mode & (S_ISUID | S_ISGID)) && names_found_hold(&seen)) /* a write takes those, and changes no name */
		return 0;
	if (here) {
		now = names_moment();
		r = hostfs_stat(n, &st);
		there = r ? (struct pv_file){0} : described(&st);
		if (!r && same_file(&there, &out->pf)) {
			settle(name, cred, out->inode, &now);
			return 0;
		}
		if (r != PV_CROSS)
			settle(name, cred, out->inode, NULL);
	}
	inode_put(out->inode);
	kfree(out->path);
	return r == PV_CROSS ? r : -EAGAIN;
}

static u64 hash_of(const struct name *n) { return hash_bytes(n->text, strlen(n->text)) ^ hash_u64(cred_pv_id()); }

bool programs_worth(const struct name *n)
{
	u64 hash = hash_of(n), *at = &opened_once[hash % SEEN], was = READ_ONCE(*at);

	if (was != hash && was != ~hash)
		WRITE_ONCE(*at, hash);
	return was == hash;
}

void programs_leave(const struct name *n)
{
	u64 hash = hash_of(n);

	WRITE_ONCE(opened_once[hash % SEEN], ~hash);
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
	struct program_kept made = {.pf = *pf, .seen = *since, .cred = cred_pv_id()}, old = {0}, *p;

	if (!pf->opened || !f->inode->in_root || !S_ISREG(pf->mode))
		return;
	made.name = kstrdup(n->text);
	if (!made.name)
		return;
	made.path = f->name ? kstrdup(f->name) : NULL;
	made.inode = inode_get(f->inode);
	mutex_lock(&lock);
	p = find(made.name, made.cred);
	if (p && same_file(&p->pf, pf)) {
		p->seen = *since;
		old = made;
	} else {
		p = p ? p : oldest();
		old = empty(p);
		made.used = ++uses;
		*p = made;
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
