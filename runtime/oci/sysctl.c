// SPDX-License-Identifier: Apache-2.0
/*
 * The container's own are, as under runc, those that belong to a namespace. The network's are in the container's
 * namespace on the host. Those of ipc and uts namespaces are the guest kernel's, which keeps these
 * things; the host's namespace has the domain name, too, for hooks.
 */
#include "oci/sysctl.h"

#include <string.h>

const char *oci_sysctl_dotted(const char *key, char buf[SYSCTL_NAME_MAX])
{
	size_t n = strlen(key);
	size_t dot = strcspn(key, "./");

	if (n >= SYSCTL_NAME_MAX)
		return NULL;
	memcpy(buf, key, n + 1);
	if (key[dot] == '/') {
		for (char *p = buf; *p; p++)
			*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
	}
	return buf;
}

static bool is_ipc(const char *name)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return !strncmp(name, "fs.mqueue.", 10);
}

static bool is_net(const char *name)
{
	return !strncmp(name, "net.", 4);
}

static bool is_domainname(const char *name)
{
	return !strcmp(name, "kernel.domainname");
}

const char *oci_sysctl_refusal(const struct oci_linux *l, const char *key)
{
	char buf[SYSCTL_NAME_MAX];
	const char *name = oci_sysctl_dotted(key, buf);
	bool uts = l->namespaces[OCI_NS_UTS].present;

	if (!name || strstr(name, "..") || strstr(name, "//")) /* as a file: nothing, and ".." */
		return "not the name of one";
	if (is_net(name))
		return l->namespaces[OCI_NS_NETWORK].present ? NULL : "not allowed in the host's network namespace";
	if (is_ipc(name))
		return l->namespaces[OCI_NS_IPC].present ? NULL : "not allowed in the host's ipc namespace";
	if (uts && is_domainname(name))
		return NULL;
	if (uts && !strcmp(name, "kernel.hostname"))
		return "set by the field hostname";
	return "not in a separate kernel namespace";
}

bool oci_sysctl_of_host(const char *key)
{
	char buf[SYSCTL_NAME_MAX];
	const char *name = oci_sysctl_dotted(key, buf);

	return name && (is_net(name) || is_domainname(name));
}

bool oci_sysctl_of_guest(const char *key)
{
	char buf[SYSCTL_NAME_MAX];
	const char *name = oci_sysctl_dotted(key, buf);

	return name && (is_ipc(name) || is_domainname(name));
}
