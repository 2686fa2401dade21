/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The #! line, as execve(2) and Linux' binfmt_script.c have it: the interpreter up to the first
 * blank, the rest of the line without blanks around it as one argument. A line longer than what is
 * looked at may lose the end of its argument, but not of the interpreter's name.
 */
#include "elf.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p, const char *end)
{
	while (p < end && blank(*p))
		p++;
	return p;
}

static char *word_end(char *p, const char *end)
{
	while (p < end && *p && !blank(*p))
		p++;
	return p;
}

int script_parse(char *buf, size_t len, char **interp, char **arg)
{
	char *end, *p, *stop;

	*arg = NULL;
	if (len < 3 || buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	len = min(len, (size_t)SCRIPT_LINE - 1);
	end = memchr(buf, '\n', len);
	stop = end ? end : buf + len;
	p = skip_blanks(buf + 2, stop);
	*interp = p;
	p = word_end(p, stop);
	/* Nothing there, or perhaps only the beginning of a longer name. */
	if (p == *interp || (!end && p == stop && len == SCRIPT_LINE - 1))
		return -ENOEXEC;
	while (stop > p && blank(stop[-1]))
		stop--;
	*stop = 0;
	if (p == stop)
		return 0;
	*p++ = 0;
	p = skip_blanks(p, stop);
	if (p < stop && *p)
		*arg = p;
	return 0;
}
