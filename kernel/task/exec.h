/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the files that make up execve. */
#ifndef EXEC_H
#define EXEC_H

#include "cred.h"
#include "elf.h"
#include "fs.h"
#include "mm.h"
#include "task.h"

/*
 * The strings of the new program, as they will lie on its stack: arguments, environment, file
 * name, each with its NUL, without gaps.
 */
struct exec_strings {
	char *block;
	size_t len, room;
	size_t limit;	 /* E2BIG above: strings and pointers */
	size_t env_off;	 /* where the environment begins */
	size_t name_off; /* and the file name */
	u32 argc, envc;
};
void strings_init(struct exec_strings *s);
int strings_add(struct exec_strings *s, const char *text); /* 0, -E2BIG, -ENOMEM */
int strings_copy_user(struct exec_strings *s, uaddr_t argv, uaddr_t envp);
int strings_finish(struct exec_strings *s,
		   const char *filename); /* adds the file name; argc is at least 1 */
/* Put interpreter, its argument (may be NULL) and the script's name in place of argv[0]. Before
 * strings_finish. */
int strings_script(struct exec_strings *s, const char *interp, const char *arg, const char *script);
void strings_free(struct exec_strings *s);

/* A program or its interpreter: the open file and what it asks for. */
struct exec_file {
	struct file *file;
	u64 base; /* added to its addresses */
	struct elf_image elf;
};

/* All that the new image is made of. In the heap: the old address space, stack included, goes away.
 */
struct exec {
	struct exec_strings strings;
	struct exec_file prog, interp; /* interp.file NULL: none */
	struct mm *mm;
	struct cred *cred; /* of the new program */
	char *filename;
	struct exec_id *exec_id; /* of the new program */
	struct file *script_file; /* the file that was to be executed, if that was a script */
	char *script; /* name of the interpreter that a #! line gave last; NULL: none */
	int old_tid; /* of the caller, who gets the process's number; for its tracer */
	bool secure;
	bool randomize;
	u8 random[16]; /* AT_RANDOM */
	uaddr_t sp;
};

/* exec_load.c: into the current, empty space, whose policy is x->mm. */
int exec_load(struct exec *x);
/* exec_open.c: from x->prog.file to the program and its interpreter, through #! lines. Nothing is
 * changed yet. */
int exec_open(struct exec *x);
/* exec_stack.c: first the stack's memory, which decides where mappings go; when all is loaded, what
 * is on it. Sets x->sp. */
int exec_stack_map(struct exec *x);
int exec_stack(struct exec *x);

#endif
