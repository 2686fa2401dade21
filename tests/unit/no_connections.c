// SPDX-License-Identifier: Apache-2.0
/* The control socket's commands on connections, for tests without a PV call server. */
#include "vm/connections.h"

#include <errno.h>

void connections_list(struct connection_log *log, struct control_client *client, json_t *request)
{
	control_fail(client, ENOTSUP, "no server");
}

void connections_watch(struct connection_log *log, struct control_client *client)
{
	control_fail(client, ENOTSUP, "no server");
}
