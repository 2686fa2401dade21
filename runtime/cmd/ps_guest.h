/* SPDX-License-Identifier: Apache-2.0 */
/* ps of a container whose processes are inside a VM: the guest kernel's list, as `ps -ef` would show it. */
#ifndef CALLGATE_RUNTIME_CMD_PS_GUEST_H
#define CALLGATE_RUNTIME_CMD_PS_GUEST_H

#include "cmd/cmd.h"
#include "oci/state.h"

/* Are the container's processes no processes of the host? */
bool ps_is_inside(const struct container_state *state);
/* options: those for ps, ended by NULL; only the usual ones are known here. */
int ps_inside_table(const struct globals *globals, const struct container_state *state, char **options, struct error *err);

#endif
