/* SPDX-License-Identifier: Apache-2.0 */
/* File systems described piece by piece, before they are made (fsmount, mount_fd.c) or as they are changed. */
#include "fs_context.h"

#include "mount_impl.h"
#include "syscall.h"
#include "vfs_impl.h"

#define OPTIONS_MAX PAGE_SIZE
#define KEY_MAX	    256u

struct fs_context {
	struct mutex lock;
	struct fs_type *type;
	struct path picked; /* fspick: what is to be changed; mnt NULL: a new one is to be made */
	char *source;
	char options[OPTIONS_MAX]; /* as mount(2) takes them */
	u32 flags;		   /* MS_* of the file system */
	bool created;
	struct mount *made; /* until fsmount takes it */
};

static void context_release(struct file *f)
{
	struct fs_context *c = f->priv;

	mount_put(c->made);
	path_put(&c->picked);
	kfree(c->source);
	kfree(c);
}

/* The messages that Linux keeps for who wants to know what was wrong: none here. */
static s64 context_read(struct file *f, struct uio *u, s64 *pos)
{
	return -ENODATA;
}

static const struct file_ops context_ops = {
	.read = context_read,
	.release = context_release,
};

static long context_fd(struct fs_context *c, bool cloexec)
{
	struct file *f = anon_file("fscontext", &context_ops, O_RDWR, FMODE_READ | FMODE_STREAM, 0600, c);

	if (f)
		return fd_install(f, cloexec);
	path_put(&c->picked);
	kfree(c);
	return -ENOMEM;
}

static struct fs_context *context_of(struct file *f)
{
	return f->ops == &context_ops ? f->priv : NULL;
}

long sys_fsopen(u64 uname, u64 flags)
{
	struct fs_context *c;
	struct fs_type *t;
	char *name __name = NULL;

	if (!may_mount())
		return -EPERM;
	if ((u32)flags & ~(u32)FSOPEN_CLOEXEC)
		return -EINVAL;
	name = getname(uname);
	if (IS_ERR(name))
		return PTR_ERR(name) == -ENAMETOOLONG ? -EINVAL : PTR_ERR(name);
	t = fs_find(name);
	if (!t || t->host)
		return -ENODEV;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->type = t;
	return context_fd(c, flags & FSOPEN_CLOEXEC);
}

long sys_fspick(u64 dirfd, u64 upath, u64 flags_arg)
{
	u32 flags = (u32)flags_arg;
	char *path __name = NULL;
	struct fs_context *c;
	int r;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(u32)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
		return -EINVAL;
	path = getname_flags(upath, flags & FSPICK_EMPTY_PATH ? AT_EMPTY_PATH : 0);
	if (IS_ERR(path))
		return PTR_ERR(path);
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	r = mount_lookup_at((int)dirfd, path, (flags & FSPICK_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : 0) |
			    (flags & FSPICK_EMPTY_PATH ? NAME_EMPTY : 0), &c->picked);
	if (!r && !place_is_mount(&c->picked)) {
		path_put(&c->picked);
		r = -EINVAL;
	}
	if (r) {
		kfree(c);
		return r;
	}
	c->flags = c->picked.mnt->flags;
	return context_fd(c, flags & FSPICK_CLOEXEC);
}

/* ---- fsconfig; the context's lock is held ---- */

/* Options of every file system. False: it is none of them. */
static bool common_flag(struct fs_context *c, const char *key)
{
	static const char *const ignored[] = { "async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync", "silent" };

	if (!strcmp(key, "ro"))
		c->flags |= MS_RDONLY;
	else if (!strcmp(key, "rw"))
		c->flags &= ~(u32)MS_RDONLY;
	else
		for (u32 i = 0; i <= ARRAY_SIZE(ignored); i++)
			if (i == ARRAY_SIZE(ignored))
				return false;
			else if (!strcmp(key, ignored[i]))
				break;
	return true;
}

static int add_option(struct fs_context *c, const char *key, const char *value)
{
	char *one __kfree = value ? kasprintf("%s=%s", key, value) : kstrdup(key);
	size_t have = strlen(c->options);
	int r;

	if (!one)
		return -ENOMEM;
	if (strchr(one, ','))
		return -EINVAL;
	r = mount_options_check(c->type ? c->type->name : c->picked.mnt->type->name, one);
	if (r)
		return r;
	if (have + 1 + strlen(one) >= OPTIONS_MAX)
		return -ENOMEM;
	snprintf(c->options + have, OPTIONS_MAX - have, "%s%s", have ? "," : "", one);
	return 0;
}

static int set_string(struct fs_context *c, const char *key, const char *value)
{
	if (strcmp(key, "source"))
		return add_option(c, key, value);
	if (c->source)
		return -EINVAL;
	c->source = kstrdup(value);
	return c->source ? 0 : -ENOMEM;
}

static int create(struct fs_context *c)
{
	struct mount *m;
	int r;

	if (c->picked.mnt || c->created)
		return -EBUSY;
	r = mount_allowed_here(c->type->name, c->flags);
	if (r)
		return r;
	m = mount_make(c->type, c->source, c->flags & MS_RDONLY, c->options);
	if (IS_ERR(m))
		return (int)PTR_ERR(m);
	c->made = m;
	c->created = true;
	return 0;
}

static int reconfigure(struct fs_context *c)
{
	if (!c->picked.mnt)
		return -EBUSY;
	return do_remount(&c->picked, c->flags, false, c->options);
}

static int configure(struct fs_context *c, u32 cmd, const char *key, const char *value)
{
	switch (cmd) {
	case FSCONFIG_CMD_CREATE:
		return create(c);
	case FSCONFIG_CMD_RECONFIGURE:
		return reconfigure(c);
	}
	if (c->created)
		return -EBUSY;
	if (cmd == FSCONFIG_SET_FLAG)
		return common_flag(c, key) ? 0 : add_option(c, key, NULL);
	/* No file system here has an option that is a file. */
	return cmd == FSCONFIG_SET_STRING ? set_string(c, key, value) : -EINVAL;
}

/* Which arguments a command has. */
static int check_args(u32 cmd, u64 key, u64 value, int aux)
{
	bool ok;

	switch (cmd) {
	case FSCONFIG_SET_FLAG:
		ok = key && !value && !aux;
		break;
	case FSCONFIG_SET_STRING:
		ok = key && value && !aux;
		break;
	case FSCONFIG_SET_BINARY:
		ok = key && value && aux > 0 && aux <= 1 << 20;
		break;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		ok = key && value && (aux == AT_FDCWD || aux >= 0);
		break;
	case FSCONFIG_SET_FD:
		ok = key && !value && aux >= 0;
		break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		ok = !key && !value && !aux;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return ok ? 0 : -EINVAL;
}

static char *text_of(u64 from, size_t room)
{
	char *text = from ? getname(from) : NULL;

	if (text == ERR_PTR(-ENAMETOOLONG))
		return ERR_PTR(-EINVAL);
	if (text && !IS_ERR(text) && strlen(text) >= room) {
		kfree(text);
		return ERR_PTR(-EINVAL);
	}
	return text;
}

long sys_fsconfig(u64 fd, u64 cmd, u64 ukey, u64 uvalue, u64 aux)
{
	char *key __name = NULL, *value __name = NULL;
	struct file *f __file = NULL;
	struct fs_context *c;
	int r;

	if ((int)fd < 0)
		return -EINVAL;
	r = check_args((u32)cmd, ukey, uvalue, (int)aux);
	if (r)
		return r;
	f = fd_get_io((int)fd);
	if (!f)
		return -EBADF;
	c = context_of(f);
	if (!c)
		return -EINVAL;
	key = text_of(ukey, KEY_MAX);
	if (IS_ERR(key))
		return PTR_ERR(key);
	value = (u32)cmd == FSCONFIG_SET_STRING ? text_of(uvalue, PATH_MAX) : NULL;
	if (IS_ERR(value))
		return PTR_ERR(value);
	if (!may_mount())
		return -EPERM;
	guard(&c->lock);
	return configure(c, (u32)cmd, key, value);
}

struct mount *fs_context_take(int fd)
{
	struct file *f __file = fd_get_io(fd);
	struct fs_context *c = f ? context_of(f) : NULL;
	struct mount *m;

	if (!c)
		return ERR_PTR(f ? -EINVAL : -EBADF);
	guard(&c->lock);
	m = c->made;
	c->made = NULL;
	return m ? m : ERR_PTR(c->created ? -EBUSY : -EINVAL);
}
