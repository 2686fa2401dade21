/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLGATE_RUNTIME_LIB_SYSCALL_NAMES_H
#define CALLGATE_RUNTIME_LIB_SYSCALL_NAMES_H

/* "openat"; "syscall 4711" in a static buffer if that number has no name. */
const char *syscall_name(int nr);

#endif
