/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of unix sockets. A path is known by the identity of its node in the file system,
 * an abstract name by its bytes. One table has both.
 */
#include "cred.h"
#include "fs.h"
#include "task.h"
#include "unix.h"
#include "user_ns.h"

#define BUCKETS 64u

struct mutex unix_table_lock;
struct list_head unix_all = LIST_HEAD_INIT(unix_all);
static struct list_head table[BUCKETS];

static struct list_head *bucket(u64 hash)
{
	struct list_head *b = &table[hash % BUCKETS];

	if (!b->next) /* first use */
		list_init(b);
	return b;
}

static struct list_head *path_bucket(u64 dev, u64 ino)
{
	return bucket(hash_u64(dev * 31 + ino));
}

static struct list_head *abstract_bucket(const struct unix_addr *a)
{
	return bucket(hash_bytes(a->un.sun_path, a->len - UNIX_HEADER));
}

/* ---- addresses ---- */

struct unix_addr *unix_addr_new(const void *un, u32 len)
{
	struct unix_addr *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	ref_init(&a->ref);
	memcpy(&a->un, un, len);
	a->len = len;
	return a;
}

struct unix_addr *unix_addr_get(struct unix_addr *a)
{
	if (a)
		ref_get(&a->ref);
	return a;
}

void unix_addr_put(struct unix_addr *a)
{
	if (a && ref_put(&a->ref))
		kfree(a);
}

static int check_addr(const struct sockaddr_un *un, u32 len)
{
	if (len <= UNIX_HEADER || len > sizeof(*un))
		return -EINVAL;
	return un->sun_family == AF_UNIX ? 0 : -EINVAL;
}

static bool is_abstract(const struct sockaddr_un *un)
{
	return un->sun_path[0] == 0;
}

/* ---- the lists ---- */

void unix_list_add(struct unix_sock *u)
{
	guard(&unix_table_lock);
	list_add_tail(&u->all_node, &unix_all);
}

void unix_list_del(struct unix_sock *u)
{
	guard(&unix_table_lock);
	list_del(&u->all_node);
	list_del(&u->hash_node);
}

/* ---- finding ---- */

/* The type must fit: for a wrong one Linux says EPROTOTYPE. */
static struct unix_sock *take(struct unix_sock *u, int type)
{
	if (u->sk.type != type)
		return ERR_PTR(-EPROTOTYPE);
	return ref_get_unless_zero(&u->ref) ? u : ERR_PTR(-ECONNREFUSED);
}

/*
 * A connection needs write permission on the node (unix(7)); the way to it vfs_stat() has
 * checked.
 */
static bool may_connect(const struct statx *st)
{
	const struct cred *c = current->cred;

	if (st->stx_uid == c->fsuid)
		return (st->stx_mode & 0200) || capable_owner(st->stx_uid, st->stx_gid, CAP_DAC_OVERRIDE);
	if (cred_in_group(c, st->stx_gid))
		return (st->stx_mode & 0020) || capable_owner(st->stx_uid, st->stx_gid, CAP_DAC_OVERRIDE);
	return (st->stx_mode & 0002) || capable_owner(st->stx_uid, st->stx_gid, CAP_DAC_OVERRIDE);
}

static struct unix_sock *find_path(const struct sockaddr_un *un, u32 len, int type)
{
	char path[sizeof(un->sun_path) + 1];
	struct unix_sock *u;
	struct statx st;
	u64 dev;
	int err;

	memcpy(path, un->sun_path, len - UNIX_HEADER);
	path[len - UNIX_HEADER] = 0;
	err = vfs_stat(AT_FDCWD, path, 0, &st);
	if (err)
		return ERR_PTR(err);
	if (!S_ISSOCK(st.stx_mode))
		return ERR_PTR(-ECONNREFUSED);
	if (!may_connect(&st))
		return ERR_PTR(-EACCES);
	dev = (u64)st.stx_dev_major << 32 | st.stx_dev_minor;
	guard(&unix_table_lock);
	list_for_each(u, path_bucket(dev, st.stx_ino), hash_node)
		if (u->ino == st.stx_ino && u->dev == dev)
			return take(u, type);
	return ERR_PTR(-ECONNREFUSED);
}

static struct unix_sock *lookup_abstract(const struct unix_addr *a, const struct net_ns *net)
{
	struct unix_sock *u;

	list_for_each(u, abstract_bucket(a), hash_node)
		if (!u->ino && u->net == net && u->addr->len == a->len && !memcmp(&u->addr->un, &a->un, a->len))
			return u;
	return NULL;
}

static struct unix_sock *find_abstract(const struct sockaddr_un *un, u32 len, int type)
{
	struct unix_addr *a = unix_addr_new(un, len);
	struct unix_sock *u;

	if (!a)
		return ERR_PTR(-ENOMEM);
	{
		guard(&unix_table_lock);
		u = lookup_abstract(a, current_net_ns());
		u = u ? take(u, type) : ERR_PTR(-ECONNREFUSED);
	}
	kfree(a);
	return u;
}

struct unix_sock *unix_find(const struct sockaddr_un *un, u32 len, int type)
{
	int err = check_addr(un, len);

	if (err)
		return ERR_PTR(err);
	return is_abstract(un) ? find_abstract(un, len, type) : find_path(un, len, type);
}

/* ---- bind ---- */

/* Takes a over on success. */
static int install_abstract(struct unix_sock *u, struct unix_addr *a)
{
	guard(&unix_table_lock);
	if (u->addr)
		return -EINVAL;
	if (lookup_abstract(a, u->net))
		return -EADDRINUSE;
	list_add(&u->hash_node, abstract_bucket(a));
	u->addr = a;
	return 0;
}

int unix_autobind(struct unix_sock *u)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int err = u->addr ? 0 : -EADDRINUSE;

	for (int tries = 0; err == -EADDRINUSE && tries < 1000; tries++) {
		struct unix_addr *a;

		snprintf(un.sun_path + 1, 6, "%05x", (u32)random_u64() & 0xfffff);
		a = unix_addr_new(&un, UNIX_HEADER + 6);
		if (!a)
			return -ENOMEM;
		err = install_abstract(u, a);
		if (err)
			kfree(a);
	}
	return err == -EINVAL ? 0 : err; /* EINVAL: another thread was first */
}

static int bind_abstract(struct unix_sock *u, const struct sockaddr_un *un, u32 len)
{
	struct unix_addr *a = unix_addr_new(un, len);
	int err = a ? install_abstract(u, a) : -ENOMEM;

	if (err)
		kfree(a);
	return err;
}

/* Of a socket that is the host's: nobody looks for it here. */
static int install_name(struct unix_sock *u, struct unix_addr *a)
{
	guard(&unix_table_lock);
	u->addr = a;
	return 0;
}

static int bind_path(struct unix_sock *u, const struct sockaddr_un *un, u32 len)
{
	struct unix_addr *a = unix_addr_new(un, len);
	struct statx st;
	int err;

	if (!a)
		return -ENOMEM;
	a->len = UNIX_HEADER + strlen(a->un.sun_path) + 1; /* terminated: unix_addr_new() zeroes */
	err = unix_host_bind(u, a->un.sun_path);
	if (!err)
		return install_name(u, a);
	if (err == -EOPNOTSUPP)
		err = vfs_mknod(AT_FDCWD, a->un.sun_path, S_IFSOCK | 0777, 0);
	if (!err)
		err = vfs_stat(AT_FDCWD, a->un.sun_path, AT_SYMLINK_NOFOLLOW, &st);
	if (err) {
		kfree(a);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	guard(&unix_table_lock);
	if (u->addr) { /* lost a race against another bind of the same socket */
		kfree(a);
		return -EINVAL;
	}
	u->dev = (u64)st.stx_dev_major << 32 | st.stx_dev_minor;
	u->ino = st.stx_ino;
	u->addr = a;
	list_add(&u->hash_node, path_bucket(u->dev, u->ino));
	return 0;
}

int unix_bind(struct socket *s, const void *addr, u32 len)
{
	struct unix_sock *u = unix_of(s);
	const struct sockaddr_un *un = addr;
	int err;

	if (len == UNIX_HEADER && un->sun_family == AF_UNIX)
		return unix_autobind(u);
	err = check_addr(un, len);
	if (err)
		return err;
	if (u->addr)
		return -EINVAL;
	return is_abstract(un) ? bind_abstract(u, un, len) : bind_path(u, un, len);
}

int unix_getname(struct socket *s, void *addr, bool peer)
{
	struct unix_sock *u = unix_of(s), *other = NULL;
	struct sockaddr_un *un = addr;
	int len = UNIX_HEADER;

	if (peer) {
		other = unix_peer_get(u);
		if (!other)
			return -ENOTCONN;
		u = other;
	}
	un->sun_family = AF_UNIX;
	{
		guard(&unix_table_lock);
		if (u->addr) {
			len = u->addr->len;
			memcpy(un, &u->addr->un, len);
		}
	}
	unix_put(other);
	return len;
}
