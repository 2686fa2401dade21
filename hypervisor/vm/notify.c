// SPDX-License-Identifier: Apache-2.0
/*
 * Of what a container says, one thing reaches the host, as under runc: the first READY=. All else (MAINPID=, FDSTORE=
 * ...) would let it speak for its service.
 */
#include "vm/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN 64

static const char *ready_line(const char *text)
{
	while (text && strncmp(text, "READY=", 6)) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text;
}

int notify_message(struct notify *n, const char *text)
{
	const char *ready = ready_line(text);
	char out[LINE_MAX_LEN + 40];
	size_t end;
	int len;

	if (!ready || n->fd <= 0 || __atomic_exchange_n(&n->told, true, __ATOMIC_RELAXED))
		return 0;
	end = strcspn(ready, "\n");
	len = snprintf(out, sizeof(out), "%.*s\n", (int)(end < LINE_MAX_LEN ? end : LINE_MAX_LEN), ready);
	if (n->main)
		len += snprintf(out + len, sizeof(out) - (size_t)len, "MAINPID=%d\n", n->main);
	return write(n->fd, out, (size_t)len) < 0 ? -errno : 0;
}
