/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h: what a fuzz target is, for libFuzzer and for replay.c alike. */
#ifndef CALLGATE_FUZZ_H
#define CALLGATE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
