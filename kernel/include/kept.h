/* SPDX-License-Identifier: Apache-2.0 */
/* Host files that stay open after their last close, for the next open of the same name (fs/kept.c). */
#ifndef KEPT_H
#define KEPT_H

#include "name.h"

struct process;
struct open_args;

/* May the answer to this open be a kept file, or one to keep? */
bool kept_fits(const struct name *n, const struct open_args *a);
/* An open of the name would find this file, and be allowed. At position 0; a reference for the caller. NULL: not kept. */
struct inode *kept_take(const struct name *n);

/* For opens that are likely to come again: the directory that the name's last component is in, checked and held. */
struct kept_place {
	struct kept *dir; /* NULL: open as usual */
	const char *last;
	u64 now; /* before anything was looked up in it */
};
void kept_find_place(const struct name *n, struct kept_place *place);
u32 kept_place_handle(const struct kept_place *place);
/* f (NULL: no such file) was opened there: it is kept from its last close on. Ends place. */
void kept_add(const struct name *n, struct kept_place *place, struct file *f);

bool kept_give(struct inode *i); /* nobody has it open any more. False: the caller's to release */
void kept_moved(struct inode *i); /* the position is another than 0, perhaps */
void kept_spoil(struct inode *i); /* its description at the host is not as after an open any more */
void kept_forget(const char *text, size_t len); /* the name is going away, or will be another file's */
bool kept_ends_in(const char *path, const char *name, size_t len); /* as its last components */
void kept_drop(void); /* all that current's process does not use now */
void kept_exit(struct process *p);
bool kept_stopped(void);
void kept_stop(void); /* somebody watches opens and closes: from now on they are all the host's */

#endif
