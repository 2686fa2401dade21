// SPDX-License-Identifier: Apache-2.0
#include "seq.h"

#define FIRST_ROOM 512
#define MAX_ROOM (64ULL << 20)

static bool make_room(struct seq *m, size_t more)
{
	size_t room = m->room ? m->room : FIRST_ROOM;
	char *buf;

	if (m->failed)
		return false;
	while (room < m->len + more)
		room *= 2;
	if (room == m->room)
		return true;
	buf = room <= MAX_ROOM ? krealloc(m->buf, room) : NULL;
	if (!buf) {
		m->failed = true;
		return false;
	}
	m->buf = buf;
	m->room = room;
	return true;
}

void seq_printf(struct seq *m, const char *fmt, ...)
{
	__builtin_va_list ap;
	int n;

	if (!make_room(m, 64))
		return;
	__builtin_va_start(ap, fmt);
	n = vsnprintf(m->buf + m->len, m->room - m->len, fmt, ap);
	__builtin_va_end(ap);
	if ((size_t)n >= m->room - m->len) {
		if (!make_room(m, (size_t)n + 1))
			return;
		__builtin_va_start(ap, fmt);
		vsnprintf(m->buf + m->len, m->room - m->len, fmt, ap);
		__builtin_va_end(ap);
	}
	m->len += (size_t)n;
}

void seq_write(struct seq *m, const void *data, size_t len)
{
	if (!len || !make_room(m, len))
		return;
	memcpy(m->buf + m->len, data, len);
	m->len += len;
}

void seq_puts(struct seq *m, const char *text)
{
	seq_write(m, text, strlen(text));
}

void seq_putc(struct seq *m, char c)
{
	seq_write(m, &c, 1);
}

void seq_escape(struct seq *m, const char *text, const char *esc)
{
	for (; *text; text++) {
		if (strchr(esc, *text) || *text == '\\')
			seq_printf(m, "\\%03o", (u8)*text);
		else
			seq_putc(m, *text);
	}
}

void seq_pad(struct seq *m, size_t start, size_t width)
{
	while (!m->failed && m->len < start + width)
		seq_putc(m, ' ');
}

void seq_free(struct seq *m)
{
	kfree(m->buf);
	memset(m, 0, sizeof(*m));
}
