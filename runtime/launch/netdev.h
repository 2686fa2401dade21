/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLGATE_RUNTIME_LAUNCH_NETDEV_H
#define CALLGATE_RUNTIME_LAUNCH_NETDEV_H

#include <sys/types.h>

#include "oci/spec.h"

/*
 * linux.netDevices: moves interfaces of our network namespace into that of process pid, under their new
 * names, with their permanent addresses of global scope, and sets them up.
 */
int must_check netdev_move_all(const struct oci_linux *l, pid_t pid, struct error *err);

#endif
