// SPDX-License-Identifier: Apache-2.0
/* Cgroups in the file system: found, made, entered, removed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/proc.h"
#include "vm/cgroup_impl.h"

/* Dying processes leave their cgroup when the kernel gets to it: 5 s are a lot of mercy. */
#define REMOVE_TRIES 1000
#define REMOVE_PAUSE 5000000 /* ns */

#define UNIFIED_DIR "unified" /* of a hybrid host */

static int add_hierarchy(struct cgroup_tree *tree, const char *dir, const char *controllers,
			 const char *own)
{
	struct cgroup_hierarchy *h = &tree->h[tree->n];
	struct stat st;

	if (tree->n == CGROUP_HIERARCHIES_MAX || strlen(dir) >= sizeof(h->dir))
		return -E2BIG;
	if (fstatat(tree->fd, dir, &st, 0))
		return -errno;
	strcpy(h->dir, dir);
	snprintf(h->controllers, sizeof(h->controllers), "%s", controllers);
	h->own = arena_strdup(&tree->arena, own);
	tree->n++;
	return 0;
}

/* "4:memory:/user.slice": mounted as "memory"; "0::/": unified; "1:name=systemd:/": systemd */
static void add_line(struct cgroup_tree *tree, char *line)
{
	char *controllers = strchr(line, ':');
	char *end = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!end)
		return;
	*end = '\0';
	controllers++;
	/* a hierarchy that is mounted nowhere is nobody's loss */
	if (!controllers[0])
		(void)add_hierarchy(tree, tree->unified ? "." : UNIFIED_DIR, "", end + 1);
	else if (tree->unified)
		return;
	else if (!strncmp(controllers, "name=", 5))
		(void)add_hierarchy(tree, controllers + 5, "", end + 1);
	else
		(void)add_hierarchy(tree, controllers, controllers, end + 1);
}

static int find_hierarchies(struct cgroup_tree *tree, struct error *err)
{
	cleanup_free char *text = NULL;
	char *save = NULL;
	size_t size;
	int ret = fs_read_file("/proc/self/cgroup", 65536, &text, &size, err);

	if (ret)
		return ret;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_line(tree, line);
	if (!tree->n)
		return error_set(err, ENOENT, "no cgroup hierarchy is mounted in " CGROUP_MOUNT);
	return 0;
}

int cgroup_open(struct cgroup_tree *tree, bool detached, struct error *err)
{
	struct statfs fs;
	int ret;

	*tree = (struct cgroup_tree){ 0 };
	if (detached)
		tree->fd = open_tree(AT_FDCWD, CGROUP_MOUNT,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	tree->borrowed = !detached || (tree->fd < 0 && errno == EPERM); /* an ordinary user: the mount is not ours */
	if (tree->borrowed)
		tree->fd = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree->fd < 0 || fstatfs(tree->fd, &fs))
		return error_errno(err, errno, CGROUP_MOUNT);
	tree->unified = fs.f_type == CGROUP2_SUPER_MAGIC;
	ret = find_hierarchies(tree, err);
	if (ret)
		cgroup_close(tree);
	return ret;
}

void cgroup_close(struct cgroup_tree *tree)
{
	if (tree->fd >= 0)
		close(tree->fd);
	tree->fd = -1;
	tree->n = 0;
	arena_free(&tree->arena);
}

static int clone_mounts(uint64_t attrs)
{
	struct mount_attr attr = { .attr_set = attrs };
	cleanup_close int fd = open_tree(AT_FDCWD, CGROUP_MOUNT, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0 || (attrs && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr))))
		return -errno;
	return steal_fd(&fd);
}

int cgroup_confine(struct cgroup_tree *tree, int *writable, struct error *err)
{
	int read_only = clone_mounts(MOUNT_ATTR_RDONLY);

	*writable = tree->borrowed ? clone_mounts(0) : tree->fd;
	if (read_only < 0 || *writable < 0)
		return error_errno(err, -(read_only < 0 ? read_only : *writable), CGROUP_MOUNT);
	if (tree->borrowed)
		close(tree->fd);
	tree->borrowed = false;
	tree->fd = read_only;
	return 0;
}

bool cgroup_has(const struct cgroup_hierarchy *h, const char *controller)
{
	size_t n = strlen(controller);

	for (const char *p = h->controllers; (p = strstr(p, controller)); p += n) {
		if ((p == h->controllers || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

int cgroup_write(int dir, const char *path, const char *value)
{
	cleanup_close int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

int cgroup_read(int dir, const char *path, char *buf, size_t size)
{
	cleanup_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0 || (n = read(fd, buf, size - 1)) < 0)
		return -errno;
	while (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}

/* A new version 1 cpuset is empty, and refuses processes until it is not. */
static int inherit_cpuset(int parent, int dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char value[4096];

	for (size_t i = 0; i < 2; i++) {
		int ret = cgroup_read(dir, files[i], value, sizeof(value));

		if (!ret && value[0])
			continue;
		if (!ret)
			ret = cgroup_read(parent, files[i], value, sizeof(value));
		if (!ret)
			ret = cgroup_write(dir, files[i], value);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Lets version 2 children use the controllers. One by one, as a controller that can't be
 * enabled must not keep the others off; a limit that needed it will name it.
 */
static void enable_controllers(int dir)
{
	char have[512], want[512], write[64];
	char *save = NULL;

	if (cgroup_read(dir, "cgroup.controllers", want, sizeof(want)) ||
	    cgroup_read(dir, "cgroup.subtree_control", have, sizeof(have)) || !strcmp(have, want))
		return;
	for (char *name = strtok_r(want, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		snprintf(write, sizeof(write), "+%.60s", name);
		(void)!cgroup_write(dir, "cgroup.subtree_control", write);
	}
}

static int next_level(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
		      int parent, const char *name)
{
	cleanup_close int dir = -1;
	int ret;

	if (tree->unified)
		enable_controllers(parent);
	if (mkdirat(parent, name, 0755) && errno != EEXIST)
		return -errno;
	dir = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	ret = cgroup_has(h, "cpuset") ? inherit_cpuset(parent, dir) : 0;
	return ret ? ret : steal_fd(&dir);
}

/* Makes path below the tree, level by level. Returns an fd of the last or -errno. */
static int make_levels(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
		       const char *path)
{
	cleanup_close int dir = openat(tree->fd, h->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL;
	char levels[PATH_MAX];

	if (dir < 0)
		return -errno;
	snprintf(levels, sizeof(levels), "%s", path + strlen(h->dir));
	for (char *name = strtok_r(levels, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		cleanup_close int parent = steal_fd(&dir);

		dir = next_level(tree, h, parent, name);
		if (dir < 0)
			return steal_fd(&dir);
	}
	return steal_fd(&dir);
}

/* Another container's end may remove the common parent under our feet: then once more. */
static int make_cgroup(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
		       const char *path)
{
	int fd = -ENOENT;

	for (int tries = 0; tries < 10 && fd == -ENOENT; tries++)
		fd = make_levels(tree, h, path);
	return fd;
}

static bool no_permission(int error)
{
	return error == -EACCES || error == -EPERM || error == -EROFS;
}

static bool is_unified(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h)
{
	return tree->unified || !strcmp(h->dir, UNIFIED_DIR);
}

/*
 * To move a whole process, with all threads that it may get meanwhile, the kernel waits for an RCU grace period, which
 * takes 10 ms and more. A caller with a single thread need not ask for that, but in version 2.
 */
static const char *members_file(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h)
{
	return is_unified(tree, h) ? "cgroup.procs" : "tasks";
}

static int enter_hierarchy(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
			   const struct cgroup_where *where, struct cgroup_settings *settings,
			   struct error *err)
{
	cleanup_close int dir = -1;
	char path[PATH_MAX];
	int ret;

	if (!cgroup_path_in(h, where, path))
		return 0;
	dir = make_cgroup(tree, h, path);
	if (where->optional && no_permission(dir))
		return 0;
	if (dir < 0)
		return error_errno(err, -dir, "cannot create cgroup " CGROUP_MOUNT "/%s", path);
	ret = cgroup_apply(tree, h, dir, settings, err);
	if (ret)
		return ret;
	ret = cgroup_write(dir, members_file(tree, h), "0");
	if (ret && !(where->optional && no_permission(ret)))
		return error_errno(err, -ret, "cannot enter cgroup " CGROUP_MOUNT "/%s", path);
	return 0;
}

/* A limit that found no place, for lack of a controller or of permission. */
static int check_all_done(const struct cgroup_where *where, const struct cgroup_settings *settings,
			  struct error *err)
{
	for (unsigned int i = 0; i < settings->n; i++) {
		const struct cgroup_setting *s = &settings->v[i];

		if (s->done || s->optional)
			continue;
		if (where->none)
			return error_set(err, ENOTSUP, "%s: the container is to have no cgroup",
					 s->property);
		if (where->optional)
			return error_set(err, EPERM, "%s: no permission to make a cgroup",
					 s->property);
		return error_set(err, ENOTSUP, "%s: this host has no %s controller", s->property,
				 s->controller);
	}
	return 0;
}

/* Makes the cgroup of the unified hierarchy, with its limits if it has any. fd: of its directory; -1: there is none. */
static int make_unified(const struct cgroup_tree *tree, const struct cgroup_where *where,
			struct cgroup_settings *settings, int *fd, struct error *err)
{
	char path[PATH_MAX];

	for (unsigned int i = 0; i < tree->n; i++) {
		const struct cgroup_hierarchy *h = &tree->h[i];
		cleanup_close int dir = -1;
		int ret;

		if (!is_unified(tree, h) || !cgroup_path_in(h, where, path))
			continue;
		dir = make_cgroup(tree, h, path);
		if (dir < 0)
			return error_errno(err, -dir, "cannot create cgroup " CGROUP_MOUNT "/%s", path);
		ret = tree->unified ? cgroup_apply(tree, h, dir, settings, err) : 0;
		if (ret)
			return ret;
		*fd = steal_fd(&dir);
		return tree->unified ? check_all_done(where, settings, err) : 0;
	}
	return 0;
}

int cgroup_prepare(const char *place, const struct oci_resources *res, int *fd, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	cleanup(cgroup_settings_free) struct cgroup_settings settings = { 0 };
	struct cgroup_tree tree;
	int ret;

	*fd = -1;
	/* systemd makes its own, and whoever may have no right to make one finds out inside */
	if (where.none || where.systemd || where.optional)
		return 0;
	ret = cgroup_open(&tree, false, err);
	if (ret)
		return ret;
	ret = cgroup_settings(res, tree.unified, &settings, err);
	if (!ret)
		ret = make_unified(&tree, &where, &settings, fd, err);
	cgroup_close(&tree);
	return ret;
}

int cgroup_enter(const struct cgroup_tree *tree, const char *place,
		 const struct oci_resources *res, bool in_unified, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	cleanup(cgroup_settings_free) struct cgroup_settings settings = { 0 };
	int ret;

	if (in_unified && tree->unified)
		return 0;
	ret = cgroup_settings(res, tree->unified, &settings, err);
	if (!ret && where.systemd)
		ret = cgroup_systemd_start(&where, tree->unified, res, proc_number(getpid()), err);
	for (unsigned int i = 0; !ret && !where.none && i < tree->n; i++) {
		if (!in_unified || !is_unified(tree, &tree->h[i]))
			ret = enter_hierarchy(tree, &tree->h[i], &where, &settings, err);
	}
	return ret ? ret : check_all_done(&where, &settings, err);
}

int cgroup_check_free(const char *place, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	char path[PATH_MAX], members[64];
	struct cgroup_tree tree;
	int ret = where.none ? 0 : cgroup_open(&tree, false, err);

	if (where.none || ret)
		return ret;
	for (unsigned int i = 0; !ret && i < tree.n; i++) {
		cleanup_close int dir = -1;

		if (cgroup_path_in(&tree.h[i], &where, path))
			dir = openat(tree.fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && !cgroup_read(dir, "cgroup.procs", members, sizeof(members)) &&
		    members[0])
			ret = error_set(err, EBUSY,
					"container's cgroup is not empty: " CGROUP_MOUNT "/%s", path);
	}
	cgroup_close(&tree);
	return ret;
}

int cgroup_update(const struct cgroup_tree *tree, const char *place,
		  const struct oci_resources *res, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	cleanup(cgroup_settings_free) struct cgroup_settings settings = { 0 };
	char path[PATH_MAX];
	int ret = cgroup_settings(res, tree->unified, &settings, err);

	if (!ret && where.systemd)
		ret = cgroup_systemd_update(&where, tree->unified, res, err);
	for (unsigned int i = 0; !ret && !where.none && i < tree->n; i++) {
		cleanup_close int dir = -1;

		if (!cgroup_path_in(&tree->h[i], &where, path))
			continue;
		dir = openat(tree->fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0)
			ret = cgroup_apply(tree, &tree->h[i], dir, &settings, err);
	}
	return ret ? ret : check_all_done(&where, &settings, err);
}

int cgroup_dir(const struct cgroup_tree *tree, const char *place, const char *controller)
{
	struct cgroup_where where = cgroup_parse_place(place);
	char path[PATH_MAX];

	for (unsigned int i = 0; i < tree->n; i++) {
		if (!tree->unified && !cgroup_has(&tree->h[i], controller))
			continue;
		if (cgroup_path_in(&tree->h[i], &where, path))
			return openat(tree->fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

static void kill_members(int tree, const char *dir)
{
	cleanup_file FILE *f = NULL;
	char file[PATH_MAX];
	int fd;
	int pid;

	snprintf(file, sizeof(file), "%.4000s/cgroup.procs", dir);
	fd = openat(tree, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	f = fdopen(fd, "r");
	while (f && fscanf(f, "%d", &pid) == 1) {
		if (pid > 0 && pid != getpid())
			kill(pid, SIGKILL);
	}
}

/* systemd would ask them to end and wait for it, which nobody in there heeds. */
static void kill_all(const struct cgroup_tree *tree, const struct cgroup_where *where)
{
	char path[PATH_MAX];

	for (unsigned int i = 0; i < tree->n; i++) {
		if (cgroup_path_in(&tree->h[i], where, path))
			kill_members(tree->fd, path);
	}
}

static int remove_one(int tree, const char *dir)
{
	const struct timespec pause = { .tv_nsec = REMOVE_PAUSE };

	for (int tries = 0; tries < REMOVE_TRIES; tries++) {
		if (!unlinkat(tree, dir, AT_REMOVEDIR) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		kill_members(tree, dir);
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

/* The default parent goes with the last container in it. */
static void remove_parent(const struct cgroup_tree *tree, const struct cgroup_where *where)
{
	char parent[PATH_MAX];

	if (strncmp(where->path, "/" CGROUP_DEFAULT_PARENT "/", sizeof("/" CGROUP_DEFAULT_PARENT)))
		return;
	for (unsigned int i = 0; i < tree->n; i++) {
		snprintf(parent, sizeof(parent), "%s/" CGROUP_DEFAULT_PARENT, tree->h[i].dir);
		unlinkat(tree->fd, parent, AT_REMOVEDIR);
	}
}

int cgroup_destroy(const struct cgroup_tree *tree, const char *place, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	char path[PATH_MAX];
	struct error ignored;
	int ret = 0;

	if (where.none)
		return 0;
	/* what is stopped does not die */
	if (cgroup_frozen(tree, place))
		(void)!cgroup_freeze(tree, place, false, &ignored);
	if (where.systemd) {
		kill_all(tree, &where);
		ret = cgroup_systemd_stop(&where, err);
	}
	for (unsigned int i = 0; i < tree->n; i++) {
		int failed = cgroup_path_in(&tree->h[i], &where, path) ?
				     remove_one(tree->fd, path) : 0;

		if (failed && !(where.optional && no_permission(failed)))
			ret = error_errno(err, -failed, "cannot remove cgroup " CGROUP_MOUNT "/%s",
					  path);
	}
	remove_parent(tree, &where);
	return ret;
}

int cgroup_leave(const struct cgroup_tree *tree, const char *place, int members, struct error *err)
{
	struct cgroup_where where = cgroup_parse_place(place);
	char procs[PATH_MAX];

	/* the scope ends with its last process */
	where.systemd = false;
	for (unsigned int i = 0; !where.none && i < tree->n; i++) {
		int ret;

		snprintf(procs, sizeof(procs), "%s/cgroup.procs", tree->h[i].dir);
		if (members >= 0)
			ret = write(members, "0", 1) < 0 ? -errno : 0;
		else
			ret = cgroup_write(tree->fd, procs, "0");
		if (ret && !where.optional)
			return error_errno(err, -ret, "cannot leave cgroup " CGROUP_MOUNT "/%s",
					   tree->h[i].dir);
	}
	return cgroup_destroy(tree, place, err);
}
