/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sysvipc: a line for each object. */
#ifndef IPC_SHOW_H
#define IPC_SHOW_H

#include "seq.h"

void ipc_show_msg(struct seq *m);
void ipc_show_sem(struct seq *m);
void ipc_show_shm(struct seq *m);

#endif
