// SPDX-License-Identifier: Apache-2.0
#include "lib/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

static struct log_config log_config;
static int kept_fd = -1;

void log_setup(const struct log_config *config)
{
	log_config = *config;
}

void log_keep_open(void)
{
	kept_fd = log_open();
}

int log_open(void)
{
	if (kept_fd >= 0)
		return fcntl(kept_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (!log_config.path)
		return -1;
	return open(log_config.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static char *format_line(const char *text)
{
	time_t now = time(NULL);
	json_t *line;
	char when[32];
	struct tm tm;
	char *out;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	line = json_pack("{ssssss}", "level", "error", "msg", text, "time", when);
	if (!line)
		/* the text is not UTF-8 */
		line = json_pack("{ssssss}", "level", "error", "msg", "unprintable error", "time",
				 when);
	if (log_config.json) {
		out = json_dumps(line, JSON_COMPACT);
	} else {
		char *quoted = json_dumps(json_object_get(line, "msg"), JSON_ENCODE_ANY);

		if (asprintf(&out, "time=\"%s\" level=error msg=%s", when, quoted) < 0)
			out = NULL;
		free(quoted);
	}
	json_decref(line);
	return out;
}

void log_error(const char *text)
{
	cleanup_close int fd = log_open();
	cleanup_free char *line = NULL;
	size_t n;

	fprintf(stderr, "callgate: %s\n", text);
	if (fd < 0)
		return;
	line = format_line(text);
	if (!line)
		return;
	n = strlen(line);
	line[n++] = '\n'; /* in the place of the NUL: one write, one line */
	if (fs_write_all(fd, line, n))
		fprintf(stderr, "callgate: cannot write to %s\n", log_config.path);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("callgate: warning: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!log_config.debug)
		return;
	va_start(ap, fmt);
	fputs("callgate: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}
