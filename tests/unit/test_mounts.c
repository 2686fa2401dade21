// SPDX-License-Identifier: Apache-2.0
/* Where mounts go in a root file system full of traps, and what their options mean. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/container.h"
#include "vm/mount_options.h"
#include "vm/place.h"

/* A folder with root/ to look for places in, and outside/, where none may be made. */
struct fixture {
	char base[PATH_MAX];
	char prefix[PATH_MAX]; /* what place.path begins with: we have not changed our root */
	struct place_root root;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char template[] = "/tmp/callgate-test.XXXXXX";

	assert_non_null(mkdtemp(template));
	assert_non_null(realpath(template, f->base));
	assert_int_equal(chdir(f->base), 0);
	mkdir("root", 0755);
	mkdir("outside", 0755);
	mkdir("root/etc", 0755);
	mkdir("root/guest", 0755);
	snprintf(f->prefix, sizeof(f->prefix), "%.4000s/root", f->base);
	f->root.rootfd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->root.procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->root.rootfd >= 0 && f->root.procfd >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[PATH_MAX + 16];

	close(f->root.rootfd);
	close(f->root.procfd);
	assert_int_equal(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->base);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void expect_place(struct fixture *f, const char *path, enum place_want want,
			 const char *expected)
{
	char full[2 * PATH_MAX];
	struct place place;
	struct error err;

	if (place_find(&f->root, path, want, &place, &err))
		fail_msg("%s", err.text);
	snprintf(full, sizeof(full), "%s%s", f->prefix, expected);
	assert_string_equal(place.path, full);
	assert_false(place.under_guest);
	close(place.fd);
}

static void expect_empty_outside(void)
{
	assert_int_equal(rmdir("outside"), 0);
	assert_int_equal(mkdir("outside", 0755), 0);
}

static void test_creates(void **state)
{
	struct stat st;

	expect_place(*state, "/a/b/c", PLACE_DIR, "/a/b/c");
	expect_place(*state, "/a/b/c", PLACE_DIR, "/a/b/c");
	expect_place(*state, "a//file", PLACE_FILE, "/a/file");
	assert_int_equal(stat("root/a/file", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	expect_place(*state, "/", PLACE_DIR, "");
}

static void test_dots_stay_inside(void **state)
{
	expect_place(*state, "/../../../x", PLACE_DIR, "/x");
	expect_place(*state, "/etc/../../outside", PLACE_DIR, "/outside");
	expect_place(*state, "/new/../../outside/deep", PLACE_DIR, "/outside/deep");
	expect_empty_outside();
}

static void test_links_stay_inside(void **state)
{
	struct fixture *f = *state;
	char outside[PATH_MAX + 16];

	snprintf(outside, sizeof(outside), "%s/outside", f->base);
	assert_int_equal(symlink(outside, "root/absolute"), 0);
	assert_int_equal(symlink("../../outside", "root/etc/relative"), 0);
	expect_place(f, "/etc/relative/x", PLACE_DIR, "/outside/x");
	/* the same absolute path exists, but is looked for in the root */
	snprintf(outside, sizeof(outside), "%s/outside/x", f->base);
	expect_place(f, "/absolute/x", PLACE_DIR, outside);
	expect_empty_outside();
}

static void test_dangling_link(void **state)
{
	struct stat st;

	assert_int_equal(symlink("../run/resolve/stub.conf", "root/etc/resolv.conf"), 0);
	assert_int_equal(symlink("/nowhere", "root/run2"), 0);
	expect_place(*state, "/etc/resolv.conf", PLACE_FILE, "/run/resolve/stub.conf");
	assert_int_equal(lstat("root/etc/resolv.conf", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	expect_place(*state, "/run2/a", PLACE_DIR, "/nowhere/a");
}

static void expect_error(struct fixture *f, const char *path, enum place_want want, int code)
{
	struct place place;
	struct error err;

	assert_int_equal(place_find(&f->root, path, want, &place, &err), -code);
	assert_int_equal(place.fd, -1);
}

static void test_refusals(void **state)
{
	assert_int_equal(symlink("loop2", "root/loop1"), 0);
	assert_int_equal(symlink("loop1", "root/loop2"), 0);
	expect_error(*state, "/loop1/x", PLACE_DIR, ELOOP);
	expect_error(*state, "/missing", PLACE_EXISTING, ENOENT);
	expect_place(*state, "/file", PLACE_FILE, "/file");
	expect_error(*state, "/file/x", PLACE_DIR, ENOTDIR);
}

/* Links made by the kernel, as in /proc/self/root, lead out of any root. */
static void test_magic_links(void **state)
{
	struct fixture *f = *state;
	struct fixture g = *f;

	g.root.rootfd = f->root.procfd;
	expect_error(&g, "/self/root/etc", PLACE_EXISTING, ELOOP);
}

static dev_t marker;

static bool is_marker(void *arg, dev_t dev)
{
	return dev == marker;
}

/* Any other file system serves as a marker. */
static void test_below_guest_mount(void **state)
{
	struct fixture *f = *state;
	struct place_root root = f->root;
	struct place place;
	struct stat st;
	struct error err;

	root.rootfd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	root.is_marker = is_marker;
	assert_int_equal(stat("/proc", &st), 0);
	marker = st.st_dev;
	assert_int_equal(place_find(&root, "/proc/none/../x", PLACE_DIR, &place, &err), -EINVAL);
	assert_int_equal(place_find(&root, "/tmp/../proc/none/./x", PLACE_FILE, &place, &err), 0);
	assert_true(place.under_guest);
	assert_false(place.on_marker);
	assert_string_equal(place.path, "/proc/none/x");
	assert_int_equal(place_find(&root, "/proc/", PLACE_DIR, &place, &err), 0);
	assert_true(place.on_marker);
	close(place.fd);
	close(root.rootfd);
}

static struct mount_options parse_options(const char **list)
{
	struct oci_strings strings = { .v = (char **)list };
	struct mount_options o;
	struct error err;

	while (list[strings.n])
		strings.n++;
	if (mount_options_parse(&strings, &o, &err))
		fail_msg("%s", err.text);
	return o;
}

#define OPTIONS(...) parse_options((const char *[]){ __VA_ARGS__, NULL })

static void test_options(void **state)
{
	struct mount_options o = OPTIONS("rbind", "ro", "nosuid", "rw", "rprivate", "rnoexec");

	assert_true(o.recursive);
	assert_int_equal(o.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	assert_int_equal(o.clear, MOUNT_ATTR_RDONLY);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOEXEC);
	assert_int_equal(o.propagation, MS_PRIVATE);
	assert_true(o.propagation_rec);
	o = OPTIONS("mode=755", "relatime", "size=64k");
	assert_string_equal(o.data, "mode=755,size=64k");
	o = OPTIONS("ridmap", "tmpcopyup", "remount");
	assert_true(o.idmap && o.idmap_rec && o.copyup && o.remount);
	o = OPTIONS("idmap", "rremount");
	assert_true(o.idmap && !o.idmap_rec && !o.remount);
	assert_string_equal(o.data, "rremount");
	o = OPTIONS("noatime", "strictatime", "rro");
	assert_int_equal(o.set & MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(o.clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
	assert_int_equal(mount_options_flags(&o), CMOUNT_RO | CMOUNT_STRICTATIME);
}

static void test_bad_options(void **state)
{
	char *list[] = { (char *)"idmap=uids=0-1-1", NULL };
	struct oci_strings strings = { .v = list, .n = 1 };
	struct mount_options o;
	struct error err;

	assert_int_equal(mount_options_parse(&strings, &o, &err), -ENOTSUP);
	assert_string_equal(err.text, "option 'idmap=uids=0-1-1': mappings are given by uidMappings and gidMappings");
}

int main(void)
{
#define PLACE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		PLACE_TEST(test_creates),
		PLACE_TEST(test_dots_stay_inside),
		PLACE_TEST(test_links_stay_inside),
		PLACE_TEST(test_dangling_link),
		PLACE_TEST(test_refusals),
		PLACE_TEST(test_magic_links),
		PLACE_TEST(test_below_guest_mount),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
