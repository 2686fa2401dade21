// SPDX-License-Identifier: Apache-2.0
/* HOME of the first process, where the configuration has none: from the container's /etc/passwd, as runc does. */
#include <linux/fcntl.h>

#include "fs.h"
#include "internal.h"

#define PASSWD_MAX (256 * 1024)

/* Up to the character, or the end of the line. */
static size_t until(const char *text, char stop)
{
	size_t n = 0;

	while (text[n] && text[n] != stop && text[n] != '\n')
		n++;
	return n;
}

/* Field n (from 0) of a line of /etc/passwd; NULL: it has not so many. */
static const char *field(const char *line, int n)
{
	while (n-- && line) {
		line += until(line, ':');
		line = *line == ':' ? line + 1 : NULL;
	}
	return line;
}

static char *find_home(const char *text, u32 uid)
{
	while (*text) {
		const char *id = field(text, 2), *home = field(text, 5), *end;
		u64 value;

		if (id && home && parse_u64(id, &end, 10, &value) && *end == ':' && value == uid)
			return kstrndup(home, until(home, ':'));
		text += until(text, '\n');
		text += *text == '\n';
	}
	return NULL;
}

static char *read_passwd(void)
{
	struct file *f = vfs_open(AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	char *text;
	s64 n;

	if (IS_ERR(f))
		return NULL;
	text = kmalloc(PASSWD_MAX + 1);
	n = text ? vfs_read_kernel(f, text, PASSWD_MAX, 0) : 0;
	file_put(f);
	if (text)
		text[max(n, (s64)0)] = '\0';
	return text;
}

char *boot_home(u32 uid)
{
	char *passwd = read_passwd(), *home = passwd ? find_home(passwd, uid) : NULL, *variable;

	variable = kasprintf("HOME=%s", home && *home ? home : "/");
	kfree(home);
	kfree(passwd);
	return variable;
}
