/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLGATE_RUNTIME_ENGINES_REPLACE_H
#define CALLGATE_RUNTIME_ENGINES_REPLACE_H

#include "lib/error.h"

/*
 * Gives a file a new text at once, and keeps its mode and owner; its folder is made. A NULL text
 * removes it. backup, unless NULL: a buffer of PATH_MAX bytes: the old file is kept beside the new
 * one, and this is its name. verify may refuse the new file by its temporary name. A symbolic link stays one.
 */
int must_check replace_file(const char *path, const char *text, char *backup,
			    int (*verify)(const char *path, struct error *err), struct error *err);

#endif
