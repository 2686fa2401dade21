/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that stay open for the next exec of the same name (fs/kept_programs.c). */
#ifndef KEPT_PROGRAMS_H
#define KEPT_PROGRAMS_H

#include "name.h"
#include "names.h"
#include "pvcall.h"

/* A program as its open found it. */
struct program_found {
	struct pv_file pf;
	struct inode *inode; /* a reference for the caller */
	char *path;	     /* kmalloc'ed, or NULL */
};
/* May the answer to this exec be a program that is open, or one that is to stay so? */
bool programs_fit(const struct name *n);
/* 0: an open would find *out. PV_CROSS: as from hostfs_stat(). -EAGAIN: open it. */
s64 programs_take(struct name *n, struct program_found *out);
/* It was opened before with these credentials: the open that is to come is made with RESOLVE_NO_XDEV, and told to programs_add(). */
bool programs_worth(const struct name *n);
void programs_leave(const struct name *n); /* it was in vain */
/* It was opened so; `since`: names_moment() before. */
void programs_add(const struct name *n, const struct names_moment *since, const struct pv_file *pf, struct file *f);
void programs_bring(void); /* before a fork: what its children did not have */
void programs_forget(const char *text, size_t len); /* the name is going away, or will be another file's */

#endif
