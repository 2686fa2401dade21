/* SPDX-License-Identifier: Apache-2.0 */
/* {"cmd":"start"}: startContainer hooks, which are processes of the guest, and then pid 1's program. */
#ifndef CALLGATE_VM_START_H
#define CALLGATE_VM_START_H

#include "vm/commands.h"

/* The answer comes when the program runs: {"result":0}. */
void command_start(struct control_client *client, json_t *request);

/* Milliseconds until a hook has had its time, -1: none is timed. */
int start_time_left(const struct command_ctx *ctx);
/* Kills it then. */
void start_check_time(struct command_ctx *ctx);

#endif
