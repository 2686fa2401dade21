/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLGATE_RUNTIME_CMD_UPDATE_H
#define CALLGATE_RUNTIME_CMD_UPDATE_H

#include <jansson.h>

#include "lib/error.h"

/* The options of `update` as a linux.resources; or what --resources reads. NULL with err set. */
json_t *update_parse(int argc, char **argv, struct error *err);

#endif
