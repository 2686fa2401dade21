/* SPDX-License-Identifier: Apache-2.0 */
/* What an open brought along: attributes, and all that a small file holds (fs/brought.c). */
#ifndef BROUGHT_H
#define BROUGHT_H

#include "fs.h"

struct open_args;
struct brought;

/* PV_WANT_DATA and PV_WILL_READ, where what they bring can be used; else 0. *now: for brought_take(). */
u32 brought_wanted(const struct open_args *a, u64 *now);
/* From the answer to that open, made at `now` or later. NULL: nothing, or no memory; else for brought_give() or kfree(). */
struct brought *brought_take(const struct pv_file *pf, const u8 *data, u64 now);
void brought_give(struct file *f, struct brought *b); /* f is the file; b may be NULL */
void brought_free(struct file *f);
void brought_mapped(struct file *f); /* what it holds is wanted from its descriptor */

/* The answers that the host would give now; -EAGAIN: ask. */
int brought_stat(struct file *f, struct stat *st);
s64 brought_read(struct file *f, const struct mc_iovec *iov, s64 off); /* off -1: f's position */
s64 brought_seek(struct file *f, s64 off, int whence);
bool brought_advice(const struct file *f, int advice); /* nothing to do */

/* The position of an FMODE_BROUGHT file is f->pos, not its description's at the host. From now on it is that: before any other use. */
void brought_settle(struct file *f);
s64 host_position(const struct file *f); /* of an FMODE_HOST file that has one; -errno */

struct vma;
/* Of a shared mapping: may what others do reach the process by it? */
bool mapping_tells(const struct vma *v);

/* The running call brings no news to its caller: what was brought before it is as good after it. */
void brought_pass(void);
/* ... nor one on numbers of descriptors, unless others have them, too. */
void brought_pass_fd(void);

#endif
