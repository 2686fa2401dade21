/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of config.json's sections, for spec.c; names of numbers, for who writes one. */
#ifndef CALLGATE_RUNTIME_OCI_PARTS_H
#define CALLGATE_RUNTIME_OCI_PARTS_H

#include "oci/json.h"
#include "oci/spec.h"

extern const struct json_field oci_process_fields[]; /* struct oci_process */
extern const struct json_field oci_mount_fields[];   /* struct oci_mount */
extern const struct json_field oci_hooks_fields[];   /* struct oci_hooks */
extern const struct json_field oci_linux_fields[];   /* struct oci_linux */
extern const struct json_field oci_resources_fields[];
extern const struct json_field oci_seccomp_fields[];
extern const struct json_field oci_id_map_fields[];

/* linux.resources alone, from a document that stays the caller's. */
int must_check oci_resources_parse(json_t *doc, struct arena *arena, struct oci_resources *out,
				   struct error *err);

/* "CAP_CHOWN" -> 0; -1: no such capability */
int oci_capability_number(const char *name);
/* 0 -> "CHOWN"; NULL: no such capability */
const char *oci_capability_name(unsigned int number);
uint64_t oci_all_capabilities(void);

#endif
