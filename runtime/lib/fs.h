/* SPDX-License-Identifier: Apache-2.0 */
/* Small files and folders of the host, with errors that name them. */
#ifndef CALLGATE_RUNTIME_LIB_FS_H
#define CALLGATE_RUNTIME_LIB_FS_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

/* Reads a whole file of at most max bytes; *out is NUL-terminated and to be freed. */
int must_check fs_read_file(const char *path, size_t max, char **out, size_t *size,
			    struct error *err);

/* Writes a new file beside path and renames it: readers see the old one or the new one. */
int must_check fs_write_file(const char *path, const char *text, size_t size, mode_t mode,
			     struct error *err);

/* The same, where path is there and a file of ours, which need not survive a loss of power. */
int must_check fs_rewrite_file(const char *path, const char *text, size_t size, mode_t mode,
			       struct error *err);

/* path must not be there; nobody reads it before this has returned. */
int must_check fs_write_new(const char *path, const char *text, size_t size, mode_t mode,
			    struct error *err);

/* mkdir -p */
int must_check fs_make_dirs(const char *path, mode_t mode, struct error *err);

/* All of it, in spite of signals and short writes. Returns 0 or -errno. */
int must_check fs_write_all(int fd, const void *buf, size_t size);

#endif
