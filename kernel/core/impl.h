/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of kernel/core. */
#ifndef CORE_IMPL_H
#define CORE_IMPL_H

#include <linux/elf.h>

#include "core.h"
#include "fs.h"
#include "mm.h"
#include "task.h"

/* One thread's state when the dump began; linked by the thread itself, which then waits. */
struct core_thread {
	struct core_thread *next;
	struct task *task;
	u64 fsbase;
	u8 *fpu; /* mc_fpu_get(); NULL: no memory */
	void *fpu_room;
};

struct core {
	refcount_t ref;
	struct task *dumper;
	int missing; /* threads that are still on their way to their exit */
	bool done, aborted;
	struct core_thread *threads; /* the dumper's first */
	int sig;
	siginfo_t info;
};

/* A part of the address space, and how much of its contents is written. */
struct core_segment {
	uaddr_t start, end;
	u64 size, off;
	u32 prot;
	struct file *file; /* reference */
	bool vdso;
};
struct core_segments {
	struct core_segment *seg;
	u32 n, room;
};
/* What the filter of current's process wants. 0 or -ENOMEM. */
int segments_take(struct core_segments *s);
void segments_free(struct core_segments *s);

/* ---- file.c: output, with holes for zeros ---- */
struct core_file {
	struct core *core;
	struct file *f;
	u8 *buf;
	size_t used;
	u64 pos; /* of the end of buf */
	u64 written, limit; /* holes do not count */
	bool hole; /* the file ends before pos */
	bool failed;
};
int core_file_open(struct core_file *o, struct core *c); /* 0 or -errno */
bool core_file_close(struct core_file *o);		 /* was everything written? */
void core_emit(struct core_file *o, const void *data, size_t n);
void core_skip(struct core_file *o, u64 n);
void core_emit_memory(struct core_file *o, const struct core_segment *s);

/* ---- notes.c ---- */
void notes_make(struct seq *m, const struct core *c, const struct core_segments *s);

/* ---- name.c ---- */
char *core_name(int sig); /* of the file, by core_pattern; NULL: no memory */

#endif
