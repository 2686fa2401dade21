/* SPDX-License-Identifier: Apache-2.0 */
/* tmpcopyup: a new tmpfs begins with a copy of the folder that it is put on. */
#ifndef CALLGATE_VM_COPYUP_H
#define CALLGATE_VM_COPYUP_H

#include "lib/error.h"

/*
 * from: O_PATH of a folder that is not to be trusted: no link in it is followed. Files, folders and links
 * with mode, owner and times; what else there is stays behind. 0 or -errno.
 */
int must_check copyup_dir(int from, int to);

#endif
