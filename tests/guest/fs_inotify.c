/* SPDX-License-Identifier: Apache-2.0 */
/* inotify. */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static char buf[8192];
static size_t have, at;
static int fd;

static struct inotify_event *next(void)
{
	struct inotify_event *event;

	if (at == have) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		CHECK(poll(&p, 1, 5000) == 1);
		have = OK(read(fd, buf, sizeof(buf)));
		at = 0;
	}
	event = (void *)(buf + at);
	at += sizeof(*event) + event->len;
	return event;
}

static void expect(int wd, uint32_t mask, const char *name)
{
	struct inotify_event *event = next();

	CHECK(event->wd == wd && event->mask == mask);
	CHECK(name ? event->len && !strcmp(event->name, name) : !event->len);
}

int main(void)
{
	char dir[] = "watch.XXXXXX", name[64];
	uint32_t cookie;
	int wd, file, second;

	CHECK(mkdtemp(dir));
	fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	FAILS(EAGAIN, read(fd, buf, sizeof(buf)));
	FAILS(ENOENT, inotify_add_watch(fd, "none", IN_CREATE));
	wd = OK(inotify_add_watch(fd, dir, IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVE | IN_ATTRIB));
	snprintf(name, sizeof(name), "%s/f", dir);
	file = OK(open(name, O_WRONLY | O_CREAT, 0600));
	CHECK(write(file, "x", 1) == 1);
	close(file);
	expect(wd, IN_CREATE, "f");
	expect(wd, IN_MODIFY, "f");
	expect(wd, IN_CLOSE_WRITE, "f");
	OK(chmod(name, 0640));
	expect(wd, IN_ATTRIB, "f");
	OK(chdir(dir));
	OK(rename("f", "g"));
	cookie = next()->cookie;
	CHECK(cookie && next()->cookie == cookie);
	second = OK(inotify_add_watch(fd, "g", IN_DELETE_SELF | IN_MODIFY));
	CHECK(second != wd);
	OK(truncate("g", 0));
	next();
	next();
	OK(mkdir("d", 0700));
	expect(wd, IN_CREATE | IN_ISDIR, "d");
	OK(rmdir("d"));
	expect(wd, IN_DELETE | IN_ISDIR, "d");
	OK(inotify_rm_watch(fd, second));
	expect(second, IN_IGNORED, NULL);
	OK(unlink("g"));
	expect(wd, IN_DELETE, "g");
	FAILS(EINVAL, inotify_rm_watch(fd, 999));
	OK(chdir(".."));
	OK(rmdir(dir));
	expect(wd, IN_IGNORED, NULL);
	return 0;
}
