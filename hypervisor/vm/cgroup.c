// SPDX-License-Identifier: Apache-2.0
#include "vm/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
/* Dying processes leave their cgroup when the kernel gets to it: 5 s are a lot of mercy. */
#define REMOVE_TRIES 1000
#define REMOVE_PAUSE 5000000 /* ns */
/* Made and removed along with the containers in it. */
#define DEFAULT_PARENT "callgate"

static int add_hierarchy(struct cgroup_tree *tree, const char *dir, const char *controllers)
{
	struct cgroup_hierarchy *h = &tree->h[tree->n];
	struct stat st;

	if (tree->n == CGROUP_HIERARCHIES_MAX || strlen(dir) >= sizeof(h->dir))
		return -E2BIG;
	if (fstatat(tree->fd, dir, &st, 0))
		return -errno;
	strcpy(h->dir, dir);
	snprintf(h->controllers, sizeof(h->controllers), "%s", controllers);
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
		(void)add_hierarchy(tree, "unified", "");
	else if (!strncmp(controllers, "name=", 5))
		(void)add_hierarchy(tree, controllers + 5, "");
	else
		(void)add_hierarchy(tree, controllers, controllers);
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

	tree->n = 0;
	if (detached)
		tree->fd = open_tree(AT_FDCWD, CGROUP_MOUNT,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	else
		tree->fd = open(CGROUP_MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree->fd < 0 || fstatfs(tree->fd, &fs))
		return error_errno(err, errno, CGROUP_MOUNT);
	tree->unified = fs.f_type == CGROUP2_SUPER_MAGIC;
	if (tree->unified)
		ret = add_hierarchy(tree, ".", "") ? error_errno(err, errno, CGROUP_MOUNT) : 0;
	else
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
}

static bool has_controller(const struct cgroup_hierarchy *h, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = h->controllers; (p = strstr(p, name)); p += n) {
		if ((p == h->controllers || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

static int write_at(int dir, const char *path, const char *value)
{
	cleanup_close int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

static int read_at(int dir, const char *path, char *buf, size_t size)
{
	cleanup_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

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
		int ret = read_at(dir, files[i], value, sizeof(value));

		if (!ret && value[0])
			continue;
		if (!ret)
			ret = read_at(parent, files[i], value, sizeof(value));
		if (!ret)
			ret = write_at(dir, files[i], value);
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
	static const char *const wanted[] = { "+memory", "+pids", "+cpu", "+cpuset", "+io" };
	char have[256];

	if (read_at(dir, "cgroup.subtree_control", have, sizeof(have)))
		have[0] = '\0';
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!strstr(have, wanted[i] + 1))
			(void)!write_at(dir, "cgroup.subtree_control", wanted[i]);
	}
}

/* Makes path below the hierarchy, level by level. Returns an fd of the last or -errno. */
static int make_levels(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
		       const char *path)
{
	cleanup_close int dir = openat(tree->fd, h->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL;
	char levels[PATH_MAX];

	if (dir < 0)
		return -errno;
	snprintf(levels, sizeof(levels), "%s", path);
	for (char *name = strtok_r(levels, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		cleanup_close int parent = steal_fd(&dir);
		int ret;

		if (tree->unified)
			enable_controllers(parent);
		if (mkdirat(parent, name, 0755) && errno != EEXIST)
			return -errno;
		dir = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return -errno;
		ret = has_controller(h, "cpuset") ? inherit_cpuset(parent, dir) : 0;
		if (ret)
			return ret;
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

static int apply_settings(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
			  int dir, struct cgroup_settings *settings, struct error *err)
{
	for (unsigned int i = 0; i < settings->n; i++) {
		struct cgroup_setting *s = &settings->v[i];
		int ret;

		if (s->done || (!tree->unified && !has_controller(h, s->controller)))
			continue;
		ret = write_at(dir, s->file, s->value);
		if (ret)
			return error_errno(err, -ret, "%s: cannot write '%s' to %s", s->property,
					   s->value, s->file);
		s->done = true;
	}
	return 0;
}

static int enter_hierarchy(const struct cgroup_tree *tree, const struct cgroup_hierarchy *h,
			   const char *path, struct cgroup_settings *settings,
			   struct error *err)
{
	cleanup_close int dir = make_cgroup(tree, h, path);
	int ret;

	if (dir < 0)
		return error_errno(err, -dir, "cannot create cgroup " CGROUP_MOUNT "/%s/%s",
				   h->dir, path);
	ret = apply_settings(tree, h, dir, settings, err);
	if (ret)
		return ret;
	ret = write_at(dir, "cgroup.procs", "0");
	if (ret)
		return error_errno(err, -ret, "cannot enter cgroup " CGROUP_MOUNT "/%s/%s",
				   h->dir, path);
	return 0;
}

/* It is joined to fixed names and must not climb out of the hierarchy. */
static int check_path(const char *path, struct error *err)
{
	const char *p = path;

	if (strlen(path) >= PATH_MAX - 256 || !path[strspn(path, "/")])
		return error_set(err, EINVAL, "linux.cgroupsPath: '%s' is not usable", path);
	while ((p = strstr(p, ".."))) {
		if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return error_set(err, EINVAL, "linux.cgroupsPath: '%s' contains \"..\"",
					 path);
		p += 2;
	}
	return 0;
}

int cgroup_enter(const struct cgroup_tree *tree, const char *path,
		 const struct oci_resources *res, struct error *err)
{
	struct cgroup_settings settings;
	int ret = check_path(path, err);

	if (!ret)
		ret = cgroup_settings(res, tree->unified, &settings, err);
	for (unsigned int i = 0; !ret && i < tree->n; i++)
		ret = enter_hierarchy(tree, &tree->h[i], path, &settings, err);
	for (unsigned int i = 0; !ret && !tree->unified && i < settings.n; i++) {
		if (!settings.v[i].done)
			ret = error_set(err, ENOTSUP, "%s: this host has no %s controller",
					settings.v[i].property, settings.v[i].controller);
	}
	return ret;
}

/* Where path is in that hierarchy, relative to the tree. */
static void full_path(const struct cgroup_hierarchy *h, const char *path, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", h->dir, path + strspn(path, "/"));
}

int cgroup_dir(const struct cgroup_tree *tree, const char *path, const char *controller)
{
	char dir[PATH_MAX];

	for (unsigned int i = 0; i < tree->n; i++) {
		if (!tree->unified && !has_controller(&tree->h[i], controller))
			continue;
		full_path(&tree->h[i], path, dir, sizeof(dir));
		return openat(tree->fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

unsigned long cgroup_oom_kills(const struct cgroup_tree *tree, const char *path)
{
	cleanup_close int dir = cgroup_dir(tree, path, "memory");
	unsigned long kills = 0;
	char text[1024];
	const char *p;

	if (dir < 0 || read_at(dir, tree->unified ? "memory.events" : "memory.oom_control", text,
			       sizeof(text)))
		return 0;
	p = strstr(text, "oom_kill ");
	if (p)
		sscanf(p, "oom_kill %lu", &kills);
	return kills;
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
static void remove_parent(const struct cgroup_tree *tree, const char *path)
{
	char parent[PATH_MAX];

	path += strspn(path, "/");
	if (strncmp(path, DEFAULT_PARENT "/", sizeof(DEFAULT_PARENT)))
		return;
	for (unsigned int i = 0; i < tree->n; i++) {
		full_path(&tree->h[i], DEFAULT_PARENT, parent, sizeof(parent));
		unlinkat(tree->fd, parent, AT_REMOVEDIR);
	}
}

int cgroup_destroy(const struct cgroup_tree *tree, const char *path, struct error *err)
{
	char dir[PATH_MAX];
	int ret = check_path(path, err);
	int failed = 0;

	if (ret)
		return ret;
	for (unsigned int i = 0; i < tree->n; i++) {
		full_path(&tree->h[i], path, dir, sizeof(dir));
		ret = remove_one(tree->fd, dir);
		if (ret)
			failed = error_errno(err, -ret, "cannot remove cgroup " CGROUP_MOUNT "/%s",
					     dir);
	}
	remove_parent(tree, path);
	return failed;
}

int cgroup_leave(const struct cgroup_tree *tree, const char *path, struct error *err)
{
	char procs[PATH_MAX];

	for (unsigned int i = 0; i < tree->n; i++) {
		int ret;

		full_path(&tree->h[i], "cgroup.procs", procs, sizeof(procs));
		ret = write_at(tree->fd, procs, "0");
		if (ret)
			return error_errno(err, -ret, "cannot leave cgroup " CGROUP_MOUNT "/%s",
					   tree->h[i].dir);
	}
	return cgroup_destroy(tree, path, err);
}
