/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host files that stay open. A process that opens a name for the second time keeps the file's descriptor after the
 * last close, and those of the directories on the way to it (O_PATH); further opens of the same name take the file
 * back if fstat says that nothing has changed: three or four host calls in place of a PV call and a donation.
 *
 * Why that is an open: a name without links leads elsewhere, or is forbidden, only after a change that sets the
 * ctime of one of these directories or, for its own mode, of the file. A time that lay further back than the
 * granularity of the host's times when it was recorded, before anything was looked up, can't be that of a later
 * change. The directories are looked at from the root downwards, as a walk does. The hypervisor donates no directory
 * whose file system does not keep times so, or onto which the host may yet mount (PV_DONATE). Names with links,
 * "..", a root directory of the caller's own or mounts made inside are not kept; nor is anything while somebody
 * in here watches files.
 *
 * In the container's root mount, which nobody outside is to change, one look serves for a millisecond, if nothing in here has
 * changed names meanwhile (names.h).
 *
 * What is kept is one process's, of one set of credentials, and little: an unlinked file that is kept is not freed.
 */
#include "kept_impl.h"

#include "cred.h"
#include "hostfs.h"
#include "task.h"
#include "vfs_impl.h"

struct mutex kept_lock; /* all but the contents of stamps and inodes; not held over calls of the machine */
static u32 nidle;
static bool stopped;

/* NULL: a process that keeps nothing yet, or a kernel thread. */
static struct kept_set *own_set(void)
{
	return current->proc ? READ_ONCE(current->proc->kept) : NULL;
}

/* ---- ends: what is to be closed is collected under the lock ---- */

static void unlist(struct kept *k, u32 *count)
{
	if (!k->set)
		return;
	list_del(&k->node);
	k->set = NULL;
	(*count)--;
}

void kept_dir_put(struct kept *d, struct list_head *gone)
{
	while (d && !--d->users && !d->set) {
		list_add(&d->node, gone);
		d = d->above;
	}
}

void kept_dir_dead(struct kept *d, struct list_head *gone)
{
	if (!d->set)
		return;
	unlist(d, &d->set->ndirs);
	d->users++;
	kept_dir_put(d, gone);
}

void kept_file_dead(struct kept *k, struct list_head *gone)
{
	if (k->set)
		unlist(k, &k->set->nfiles);
	if (!k->idle)
		return;
	k->idle = false;
	nidle--;
	list_add(&k->node, gone);
	kept_dir_put(k->above, gone);
}

void kept_close(struct list_head *gone)
{
	struct kept *k, *tmp;

	list_for_each_safe(k, tmp, gone, node) {
		list_del(&k->node);
		if (S_ISDIR(k->inode->mode)) {
			if (!k->above)
				inode_put(k->base);
			inode_put(k->inode);
		} else {
			mc_handle_release(k->inode->handle);
			kfree(k->inode);
		}
		kfree(k);
	}
}

/* Idle files, and all directories: of those that open files are in, with their last use. */
void kept_drop_set(struct kept_set *set, struct list_head *gone)
{
	struct kept *k, *tmp;

	list_for_each_safe(k, tmp, &set->files, node)
		if (k->idle)
			kept_file_dead(k, gone);
	list_for_each_safe(k, tmp, &set->dirs, node)
		kept_dir_dead(k, gone);
}

void kept_drop(void)
{
	struct list_head gone = LIST_HEAD_INIT(gone);

	if (likely(!own_set()))
		return;
	mutex_lock(&kept_lock);
	kept_drop_set(own_set(), &gone);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
}

void kept_exit(struct process *p)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct kept_set *set = p->kept;
	struct kept *k, *tmp;

	if (likely(!set))
		return;
	mutex_lock(&kept_lock);
	p->kept = NULL;
	kept_drop_set(set, &gone);
	list_for_each_safe(k, tmp, &set->files, node)
		kept_file_dead(k, &gone);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	cred_put(set->cred);
	kfree(set);
}

bool kept_stopped(void) { return READ_ONCE(stopped); }

void kept_stop(void)
{
	WRITE_ONCE(stopped, true);
	kept_drop();
}

/* ---- has it changed? ---- */

#define TICKS 20000000u /* ns: two of a host with 100 of them a second */

/* Could a change after `now` leave this time as it is? Times without fractions may be of whole seconds. */
bool stamp_too_young(const struct stamp *s, u64 now)
{
	u64 age = s->nsec ? TICKS : 2 * NSEC_PER_SEC;

	return s->sec * NSEC_PER_SEC + s->nsec + age >= now;
}

bool stamp_get(const struct inode *i, struct stamp *s)
{
	struct stat st;

	if (mc_fstat(i->handle, &st))
		return false;
	*s = (struct stamp){.dev = st.st_dev, .sec = st.st_ctime, .nsec = st.st_ctime_nsec};
	return true;
}

bool kept_unchanged(const struct kept *k)
{
	struct stamp s;

	return stamp_get(k->inode, &s) && s.sec == k->stamp.sec && s.nsec == k->stamp.nsec;
}

/* NULL: nothing has changed; else what has. */
static struct kept *changed(struct kept *file)
{
	struct kept *way[MAX_DEPTH + 1], *k;
	struct names_moment now;
	bool in_root = true;
	int n = 0;

	if (names_found_hold(&file->seen))
		return NULL;
	now = names_moment();
	for (k = file; k; k = k->above) {
		in_root = in_root && k->inode->in_root;
		way[n++] = k;
	}
	while (n--)
		if (!kept_unchanged(way[n]))
			return way[n];
	if (in_root)
		file->seen = now;
	return NULL;
}

/* ---- names ---- */

/* Components but "." and "..", one slash between them. Their number; 0: another name. */
int kept_depth(const char *text)
{
	int depth = 0;

	if (*text == '/')
		text++;
	for (;;) {
		const char *end = text;

		while (*end && *end != '/')
			end++;
		if (end == text || end - text > NAME_MAX || ++depth > MAX_DEPTH)
			return 0;
		if (text[0] == '.' && (end - text == 1 || (end - text == 2 && text[1] == '.')))
			return 0;
		if (!*end)
			return depth;
		text = end + 1;
	}
}

bool kept_fits(const struct name *n, const struct open_args *a)
{
	u32 plain = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE_64;

	if ((a->flags & ~plain) || a->resolve || a->exec || n->all_powers || !current->proc || READ_ONCE(stopped))
		return false;
	if (n->tree || n->hops || n->absolute || path_is_set(&n->root) || !*n->text)
		return false;
	return *n->text == '/' ? !n->dir : n->base.inode && n->dir == n->base.inode->handle;
}

struct inode *kept_base(const struct name *n)
{
	return *n->text == '/' ? NULL : n->base.inode;
}

u64 kept_hash(const struct name *n)
{
	return hash_bytes(n->text, strlen(n->text));
}

/* ---- taking and giving ---- */

static struct kept *find_idle(const struct name *n, u32 cred)
{
	struct kept_set *set = own_set();
	struct inode *base = kept_base(n);
	u64 hash = kept_hash(n);
	struct kept *k;

	if (!set || set->cred->pv_id != cred)
		return NULL;
	list_for_each(k, &set->files, node)
		if (k->idle && k->hash == hash && k->base == base && !strcmp(k->name, n->text))
			return k;
	return NULL;
}

static bool rewound(struct kept *k)
{
	if (k->moved && mc_seek(k->inode->handle, 0, SEEK_SET))
		return false;
	k->moved = false;
	return true;
}

struct inode *kept_take(const struct name *n)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	u32 gen = hostfs_owner_gen(), cred;
	struct kept *k, *bad;

	if (!own_set())
		return NULL;
	cred = cred_pv_id();
	mutex_lock(&kept_lock);
	k = find_idle(n, cred);
	if (k) {
		k->idle = false;
		nidle--;
	}
	mutex_unlock(&kept_lock);
	if (!k)
		return NULL;
	ref_init(&k->inode->ref);
	bad = changed(k);
	if (!bad && rewound(k)) {
		k->inode->owner_gen = gen; /* a change of owner is one of ctime */
		return k->inode;
	}
	mutex_lock(&kept_lock);
	kept_file_dead(k, &gone);
	if (bad && bad != k)
		kept_dir_dead(bad, &gone);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	inode_put(k->inode);
	return NULL;
}

/* The idle file that was not used for longest. False: there is none. */
bool kept_drop_oldest(struct kept_set *set, struct list_head *gone)
{
	struct kept *k, *last = NULL;

	list_for_each(k, &set->files, node)
		if (k->idle)
			last = k;
	if (last)
		kept_file_dead(last, gone);
	return last;
}

bool kept_give(struct inode *i)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct kept *k = i->kept;
	bool keep;

	if (likely(!k))
		return false;
	mutex_lock(&kept_lock);
	keep = k->set && k->set == own_set() && !stopped;
	if (keep) {
		k->idle = true;
		nidle++;
		list_del(&k->node);
		list_add(&k->node, &k->set->files);
		if (nidle > MAX_IDLE)
			kept_drop_oldest(k->set, &gone);
	} else {
		kept_file_dead(k, &gone);
		kept_dir_put(k->above, &gone);
	}
	mutex_unlock(&kept_lock);
	kept_close(&gone);
	if (!keep)
		kfree(k);
	return keep;
}

/* With the last use of the file: nobody takes it before it is given. */
void kept_moved(struct inode *i)
{
	if (i && i->kept)
		i->kept->moved = true;
}

void kept_spoil(struct inode *i)
{
	struct list_head gone = LIST_HEAD_INIT(gone);

	if (!i || !i->kept)
		return;
	guard(&kept_lock);
	kept_file_dead(i->kept, &gone); /* it is open, so nothing is to be closed */
}

bool kept_ends_in(const char *path, const char *name, size_t len)
{
	size_t n = strlen(path);

	return n >= len && !memcmp(path + n - len, name, len) && (n == len || path[n - len - 1] == '/');
}

void kept_forget(const char *text, size_t len)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct kept *k, *tmp;
	size_t start = len;

	if (likely(!own_set()))
		return;
	while (start && text[start - 1] != '/')
		start--;
	mutex_lock(&kept_lock);
	list_for_each_safe(k, tmp, &own_set()->files, node)
		if (kept_ends_in(k->name, text + start, len - start))
			kept_file_dead(k, &gone);
	mutex_unlock(&kept_lock);
	kept_close(&gone);
}
