/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of namespaces, and for those that mount: namespaces in which they may. */
#ifndef TESTS_GUEST_OWN_NS_H
#define TESTS_GUEST_OWN_NS_H

#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static inline void put(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	OK(close(fd));
}

/* Root of a user namespace, whose user is root outside, too: with all privileges over the other namespaces (CLONE_*) made with it. */
static inline void become_root(int namespaces)
{
	OK(unshare(CLONE_NEWUSER | CLONE_NEWNS | namespaces));
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", "0 0 1");
	put("/proc/self/gid_map", "0 0 1");
	OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* By which a namespace of the caller's is told from others. */
static inline ino_t namespace_number(const char *kind)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	OK(stat(path, &st));
	return st.st_ino;
}

#endif
