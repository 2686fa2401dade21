// SPDX-License-Identifier: Apache-2.0
#include "vm/machine.h"

#include <stdio.h>
#include <unistd.h>

#include "vm/guest.h"

const char *machine_name(enum machine m)
{
	static const char *const names[] = { [MACHINE_PV] = "pv", [MACHINE_KVM] = "kvm", [MACHINE_AUTO] = "auto" };

	return names[m];
}

enum machine machine_choose(enum machine wanted, char *reason, size_t size)
{
	struct error err = { 0 };
	struct guest g;
	int ret;

	if (wanted != MACHINE_AUTO) {
		snprintf(reason, size, "asked for");
		return wanted;
	}
	ret = guest_open_image(&g, MACHINE_KVM, &err);
	if (g.image_fd >= 0)
		close(g.image_fd);
	if (g.kvm_fd >= 0)
		close(g.kvm_fd);
	snprintf(reason, size, "%s", ret ? err.text : "/dev/kvm has all that is needed");
	return ret ? MACHINE_PV : MACHINE_KVM;
}
