/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers read: the error's text on stderr, and one line for it in the file of --log.
 * Nothing else goes to that file: engines parse all of it.
 */
#ifndef CALLGATE_RUNTIME_LIB_LOG_H
#define CALLGATE_RUNTIME_LIB_LOG_H

#include <stdbool.h>

#include "lib/error.h"

struct log_config {
	const char *path; /* NULL: stderr only */
	bool json;
	bool debug;
};

void log_setup(const struct log_config *config);

/* The file of --log, opened for appending; or -1. */
int log_open(void);

/* For a process that is about to lose sight of the host's paths. */
void log_keep_open(void);

void log_error(const char *text);

/* For people: stderr only. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
