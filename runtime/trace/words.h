/* SPDX-License-Identifier: Apache-2.0 */
/* Names of constants, for callgate trace. */
#ifndef CALLGATE_RUNTIME_TRACE_WORDS_H
#define CALLGATE_RUNTIME_TRACE_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Writes value as argument kind (enum trace_arg) has it; false: it is no kind of words. */
bool trace_words(FILE *out, int kind, uint64_t value);
void trace_poll_words(FILE *out, uint64_t events);
/* "SIGINT" */
void trace_signal_name(FILE *out, uint64_t sig);
/* A string as C has it: whatever the guest put there, nothing but printable characters come out. */
void trace_quote(FILE *out, const void *bytes, size_t n, bool cut);

#endif
