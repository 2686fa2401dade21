/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLGATE_RUNTIME_POLICY_LEARN_H
#define CALLGATE_RUNTIME_POLICY_LEARN_H

#include <stdio.h>

#include "lib/error.h"

/*
 * Writes a policy that allows what the log says was done under the policy `name` in mode learn (or audit), and denies
 * all else: a rule for each executable, operation and protocol.
 */
int must_check policy_learn(const char *log, const char *name, FILE *out, struct error *err);

#endif
