/* SPDX-License-Identifier: Apache-2.0 */
/* Scoped clean-up: a variable so marked is released on every way out of its block. */
#ifndef CALLGATE_RUNTIME_LIB_CLEANUP_H
#define CALLGATE_RUNTIME_LIB_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))
#define cleanup_free cleanup(cleanup_freep)
#define cleanup_close cleanup(cleanup_closep)
#define cleanup_file cleanup(cleanup_filep)
#define cleanup_dir cleanup(cleanup_dirp)

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_filep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Hands the value on: the scope that held it will not release it. */
static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

static inline void *steal_pointer(void *p)
{
	void **slot = p;
	void *value = *slot;

	*slot = NULL;
	return value;
}

#endif
