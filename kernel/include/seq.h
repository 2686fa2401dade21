/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text buffer: what a generated file is written into before it is read. */
#ifndef SEQ_H
#define SEQ_H

#include "kernel.h"

struct seq {
	char *buf;
	size_t len, room;
	bool failed; /* no memory: the text is cut short */
};

void seq_printf(struct seq *m, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *m, const char *text);
void seq_putc(struct seq *m, char c);
void seq_write(struct seq *m, const void *data, size_t len);
/* A path or name as /proc/mounts and maps have it: characters in `esc` and backslashes as \ooo. */
void seq_escape(struct seq *m, const char *text, const char *esc);
/* Spaces until the line that began at offset `start` has `width` characters. */
void seq_pad(struct seq *m, size_t start, size_t width);
void seq_free(struct seq *m);

#endif
