/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what the guest kernel is told at boot (struct boot_info in ring.h). */
#ifndef CALLGATE_VM_BOOTINFO_H
#define CALLGATE_VM_BOOTINFO_H

#include "layout.h"
#include "lib/error.h"
#include "ring.h"
#include "vm/container.h"
#include "vm/vm.h"

/* Handles that exist before the guest runs: stdio is 1..3, bind mounts below guest mounts come next. */
#define BOOT_HANDLE_STDIO 1
#define BOOT_HANDLE_BIND 4
#define BOOT_HANDLE_MAX 16

/* What vm0 needs before all else: the hypercall filter. room: bytes at `info`, which are zero. */
int must_check bootinfo_begin(struct boot_info *info, size_t room, struct error *err);
/* The rest, behind that. */
int must_check bootinfo_write(struct boot_info *info, size_t room, const struct vm_config *cfg,
			      const struct container *c, struct error *err);

/* A PV_EV_EXEC: *out is to be freed, (*out)->size bytes are in use. E2BIG if the guest could not take it. */
int must_check bootinfo_event(const struct oci_process *process, uint32_t nfds, struct pv_event **out,
			      struct error *err);

#endif
