// SPDX-License-Identifier: Apache-2.0
/* What a build without a machine says. */
#include <errno.h>

#include "vm/vm.h"

int __attribute__((weak)) hypervisor_main(const struct vm_config *cfg, struct error *err)
{
	return error_set(err, ENOSYS, "this build has no machine to run %s on", cfg->id);
}
