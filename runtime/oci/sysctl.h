/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: which there are, and whose. */
#ifndef OCI_SYSCTL_H
#define OCI_SYSCTL_H

#include "oci/spec.h"

#define SYSCTL_NAME_MAX 512

/* With dots, as sysctl(8) writes it: "net/ipv4/conf/eth0.1/mtu" is "net.ipv4.conf.eth0/1.mtu". NULL: too long. */
const char *oci_sysctl_dotted(const char *key, char buf[SYSCTL_NAME_MAX]);

/* Why a container with these namespaces can't have it, or NULL. */
const char *oci_sysctl_refusal(const struct oci_linux *l, const char *key);

bool oci_sysctl_of_host(const char *key);  /* kept by a namespace of the host that is the container's */
bool oci_sysctl_of_guest(const char *key); /* kept by the guest kernel */

#endif
