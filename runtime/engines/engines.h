/* SPDX-License-Identifier: Apache-2.0 */
/* Registration with container engines: what callgate install and uninstall change, and where. */
#ifndef CALLGATE_RUNTIME_ENGINES_ENGINES_H
#define CALLGATE_RUNTIME_ENGINES_ENGINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/arena.h"
#include "lib/error.h"

struct registration {
	const char *name;    /* what engines call the runtime; letters, digits, - and _ */
	const char *program; /* absolute */
	const char **args;   /* the engine puts them in front of its own */
	size_t nargs;
	const char *destdir; /* in front of every path; "": this machine */
	bool remove;
	bool dry_run;
	struct arena *arena; /* for texts */
};

struct engine {
	const char *name;
	const char *file;    /* the one that is changed; %s is the registration's name */
	const char *program; /* the engine is here if this one is */
	const char *apply;   /* what makes the engine read the file, or NULL */
	const char *use;     /* an example; %s is the registration's name */
	/*
	 * The file's new text, given its text (NULL: there is none). *new becomes NULL if the
	 * file is not to exist, or old itself if there is nothing to change.
	 */
	int (*edit)(const struct registration *reg, const char *path, const char *old,
		    const char **new, struct error *err);
	/* May be NULL: looks at the new file before it takes the old one's place; not below destdir. */
	int (*verify)(const char *path, struct error *err);
	bool whole_file; /* all of it is ours: no backup is needed */
};

extern const struct engine engines[]; /* ends with a NULL name */

/* Does the engine seem to be installed below destdir? */
bool engine_present(const struct engine *engine, const char *destdir);

/* Is the name registered? 1, 0, or -errno if the file cannot be understood. */
int engine_registered(const struct engine *engine, const struct registration *reg,
		      struct error *err);

/* Adds or removes the registration, and says so on stdout. *changed tells whether it did. */
int must_check engine_change(const struct engine *engine, const struct registration *reg,
			     bool *changed, struct error *err);

/* engine->file below destdir, in the arena */
const char *engine_file(const struct engine *engine, const struct registration *reg);

/* Each engine's edit() and verify(). */
int docker_edit(const struct registration *reg, const char *path, const char *old,
		const char **new, struct error *err);
int podman_edit(const struct registration *reg, const char *path, const char *old,
		const char **new, struct error *err);
int crio_edit(const struct registration *reg, const char *path, const char *old,
	      const char **new, struct error *err);
int containerd_edit(const struct registration *reg, const char *path, const char *old,
		    const char **new, struct error *err);
int containerd_verify(const char *path, struct error *err);

#endif
