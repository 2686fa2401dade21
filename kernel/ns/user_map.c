// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/uid_map, gid_map, setgroups: user_namespaces(7). */
#include "user_map.h"

#include "idmap.h"
#include "ring.h"
#include "task.h"

static struct mutex maps_lock; /* writes, of all namespaces */

/* Where ids on the outer side are to be understood: the reader's namespace, or, of its own, that one's parent. */
static const struct user_ns *outer_of(const struct user_ns *u)
{
	const struct user_ns *mine = current_user_ns();

	return mine == u && user_ns_parent(mine) ? user_ns_parent(mine) : mine;
}

static void show_boot(struct seq *m, bool group)
{
	struct boot_idmap e;

	for (u32 i = 0; group ? gid_extent(i, &e) : uid_extent(i, &e); i++)
		seq_printf(m, "%10u %10u %10u\n", e.inside, e.outside, e.count);
}

void user_map_show(struct seq *m, const struct user_ns *u, bool group)
{
	const struct id_map *map = group ? &u->gid : &u->uid;
	const struct user_ns *outer = outer_of(u);
	u32 n = __atomic_load_n(&map->n, __ATOMIC_ACQUIRE);

	if (u == &init_user_ns)
		show_boot(m, group);
	for (u32 i = 0; i < n; i++) {
		const struct id_extent *e = &map->e[i];

		seq_printf(m, "%10u %10u %10u\n", e->first,
			   group ? from_kgid(outer, e->kernel) : from_kuid(outer, e->kernel), e->count);
	}
}

/* ---- reading the text ---- */

static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* A number and a blank, or the end of the line after the last. NULL: something else. */
static const char *number(const char *p, bool last, u32 *out)
{
	const char *end;
	u64 n;

	if (!parse_u64(blanks(p), &end, 10, &n) || n > 0xffffffffu)
		return NULL;
	*out = (u32)n;
	if (!last)
		return *end == ' ' || *end == '\t' ? end : NULL;
	end = blanks(end);
	return *end == '\n' || !*end ? end : NULL;
}

static bool overlap(u32 a, u32 b, u32 na, u32 nb)
{
	return a <= b ? b - a < na : a - b < nb;
}

static bool clashes(const struct id_extent *e, const struct id_extent *other, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (overlap(e->first, other[i].first, e->count, other[i].count) ||
		    overlap(e->lower, other[i].lower, e->count, other[i].count))
			return true;
	return false;
}

static bool sane(const struct id_extent *e)
{
	return e->first != NO_ID && e->lower != NO_ID && e->count && e->first + e->count > e->first &&
	       e->lower + e->count > e->lower;
}

/* Extents read, or -EINVAL. */
static int parse(const char *text, struct id_extent *out)
{
	u32 n = 0;

	while (*text) {
		struct id_extent *e = &out[n];

		if (n == ID_MAP_MAX)
			return -EINVAL;
		text = number(text, false, &e->first);
		text = text ? number(text, false, &e->lower) : NULL;
		text = text ? number(text, true, &e->count) : NULL;
		if (!text || !sane(e) || clashes(e, out, n))
			return -EINVAL;
		n++;
		text += *text == '\n';
	}
	return n ? (int)n : -EINVAL;
}

/* ---- writing ---- */

/*
 * Root of the parent may be mapped only by who could give files capabilities there: with
 * the mapping a namespace can, too.
 */
static bool root_map_allowed(const struct user_ns *u, const struct id_extent *e, u32 n)
{
	u32 i = 0;

	while (i < n && e[i].lower)
		i++;
	if (i == n)
		return true;
	if (current_user_ns() == u)
		return u->parent_could_setfcap;
	return ns_capable(user_ns_parent(u), CAP_SETFCAP);
}

/* Anybody may map just its own id; for a group it must have given up setgroups(2) before. */
static bool maps_itself(const struct user_ns *u, const struct id_extent *e, bool group)
{
	const struct cred *c = current->cred;

	if (e->count != 1 || u->owner_uid != c->euid)
		return false;
	if (group)
		return !u->setgroups && make_kgid(user_ns_parent(u), e->lower) == c->egid;
	return make_kuid(user_ns_parent(u), e->lower) == c->euid;
}

static bool map_allowed(const struct user_ns *u, const struct id_extent *e, u32 n, bool group)
{
	if (!group && !root_map_allowed(u, e, n))
		return false;
	if (n == 1 && maps_itself(u, e, group))
		return true;
	return ns_capable(user_ns_parent(u), group ? CAP_SETGID : CAP_SETUID);
}

/* Each extent must lie in one of the parent's. */
static bool to_kernel(const struct user_ns *parent, struct id_extent *e, bool group)
{
	const struct id_map *m = group ? &parent->gid : &parent->uid;

	if (parent == &init_user_ns) {
		e->kernel = group ? make_kgid(parent, e->lower) : make_kuid(parent, e->lower);
		return e->kernel != NO_ID &&
		       (group ? make_kgid(parent, e->lower + e->count - 1) :
				make_kuid(parent, e->lower + e->count - 1)) != NO_ID;
	}
	for (u32 i = 0; i < m->n; i++) {
		const struct id_extent *p = &m->e[i];

		if (e->lower < p->first || e->lower - p->first >= p->count)
			continue;
		e->kernel = p->kernel + (e->lower - p->first);
		return p->count - (e->lower - p->first) >= e->count;
	}
	return false;
}

static int install(struct user_ns *u, struct id_extent *e, u32 n, bool group)
{
	struct id_map *m = group ? &u->gid : &u->uid;
	struct id_extent *copy;

	for (u32 i = 0; i < n; i++)
		if (!to_kernel(user_ns_parent(u), &e[i], group))
			return -EPERM;
	copy = kmalloc(n * sizeof(*e));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, e, n * sizeof(*e));
	m->e = copy;
	__atomic_store_n(&m->n, n, __ATOMIC_RELEASE);
	m->root = group ? make_kgid(u, 0) : make_kuid(u, 0);
	return 0;
}

int user_map_write(struct user_ns *u, const char *text, bool group)
{
	const struct user_ns *mine = current_user_ns();
	struct id_extent *e __kfree = NULL;
	int n;

	if (!user_ns_parent(u) || (mine != u && mine != user_ns_parent(u)))
		return -EPERM;
	e = kmalloc((ID_MAP_MAX + 1) * sizeof(*e));
	if (!e)
		return -ENOMEM;
	guard(&maps_lock);
	if ((group ? &u->gid : &u->uid)->n || !ns_capable(u, CAP_SYS_ADMIN))
		return -EPERM;
	n = parse(text, e);
	if (n < 0)
		return n;
	return map_allowed(u, e, (u32)n, group) ? install(u, e, (u32)n, group) : -EPERM;
}

bool user_map_setgroups(const struct user_ns *u)
{
	return u == &init_user_ns ? setgroups_allowed() : READ_ONCE(u->setgroups);
}

int user_map_set_setgroups(struct user_ns *u, bool allow)
{
	if (!ns_capable(u, CAP_SYS_ADMIN))
		return -EACCES;
	guard(&maps_lock);
	if (allow)
		return user_map_setgroups(u) ? 0 : -EPERM;
	if (u == &init_user_ns || u->gid.n)
		return user_map_setgroups(u) ? -EPERM : 0;
	u->setgroups = false;
	return 0;
}
