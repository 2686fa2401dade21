/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes. */
#include "check.h"
#include <fcntl.h>
#include <sys/xattr.h>

int main(void)
{
	char buf[256];
	int fd = OK(open("xattr-file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	ssize_t n;

	OK(setxattr("xattr-file", "user.one", "value", 5, 0));
	CHECK(getxattr("xattr-file", "user.one", buf, sizeof(buf)) == 5 && !memcmp(buf, "value", 5));
	CHECK(getxattr("xattr-file", "user.one", NULL, 0) == 5);
	FAILS(ERANGE, getxattr("xattr-file", "user.one", buf, 2));
	FAILS(ENODATA, getxattr("xattr-file", "user.none", buf, 9));
	FAILS(EEXIST, setxattr("xattr-file", "user.one", "x", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("xattr-file", "user.two", "x", 1, XATTR_REPLACE));
	OK(fsetxattr(fd, "user.two", "", 0, 0));
	CHECK(fgetxattr(fd, "user.two", buf, 9) == 0);
	n = OK(listxattr("xattr-file", buf, sizeof(buf)));
	CHECK(memmem(buf, n, "user.one", 9) && memmem(buf, n, "user.two", 9));
	OK(removexattr("xattr-file", "user.one"));
	FAILS(ENODATA, fgetxattr(fd, "user.one", buf, 9));
	FAILS(ENOENT, getxattr("none", "user.one", buf, 9));
	FAILS(EOPNOTSUPP, setxattr("xattr-file", "nonsense", "x", 1, 0));
	OK(unlink("xattr-file"));
	return 0;
}
