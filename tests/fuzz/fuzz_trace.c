/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `callgate trace` shows of the records that a guest wrote: whatever they are, one line each, without any byte that a
 * terminal could take for a command. The records come in pieces of the size that the first byte says.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "trace/reader.h"

static struct trace_reader reader;
static int ends[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		abort();
	return 0;
}

static bool feed(const uint8_t *data, size_t size)
{
	struct error err = { 0 };

	if (write(ends[1], data, size) != (ssize_t)size)
		abort();
	return trace_read(&reader, &err) > 0;
}

static void check(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			abort();
}

static void forget_sleepers(void)
{
	for (size_t i = 0; i < reader.sleepers_used; i++)
		free(reader.sleepers[i].record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] * 16 + 1 : 1, shown = 0;
	char *text = NULL;

	memset(&reader, 0, sizeof(reader));
	reader.fd = ends[0];
	reader.style = (struct trace_style){ .stamps = size & 1, .times = size & 2 };
	reader.out = open_memstream(&text, &shown);
	if (!reader.out)
		abort();
	for (size_t at = 1; at < size; at += piece) {
		size_t left = size - at;

		if (!feed(data + at, left < piece ? left : piece))
			break;
		if (data[0] & 1)
			trace_show_sleepers(&reader, true);
	}
	trace_show_sleepers(&reader, true);
	fclose(reader.out);
	check(text, shown);
	free(text);
	forget_sleepers();
	return 0;
}
