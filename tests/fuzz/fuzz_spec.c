/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, and its linux.seccomp as BPF. What is refused has a reason that names a property. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "oci/spec.h"
#include "vm/seccomp.h"

static void must_say(const struct error *err)
{
	if (!err->text[0] || !memchr(err->text, '\0', sizeof(err->text)))
		abort();
}

static void compile(const struct oci_seccomp *seccomp)
{
	struct seccomp_program program = { 0 };
	struct error err = { 0 };

	if (seccomp_compile(seccomp, &program, &err))
		must_say(&err);
	else
		free(program.insns);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1); /* of its exact size, for ASan */
	struct oci_spec *spec = NULL;
	struct error err = { 0 };

	memcpy(text, data, size);
	if (spec_parse(text, size, "/bundle", &spec, &err)) {
		must_say(&err);
	} else {
		if (spec_check_applicable(spec, &err))
			must_say(&err);
		if (spec->linux_.seccomp)
			compile(spec->linux_.seccomp);
	}
	spec_free(spec);
	free(text);
	return 0;
}
