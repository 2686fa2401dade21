/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throw-away writable layers: an overlay whose changes go to one tmpfs and die with the
 * container's mount namespace.
 */
#ifndef CALLGATE_VM_THROWAWAY_H
#define CALLGATE_VM_THROWAWAY_H

#include "lib/error.h"

/*
 * Makes the tmpfs, on THROWAWAY_BASE of a mount namespace that the caller is about
 * to leave by pivot_root().
 */
int must_check throwaway_init(struct error *err);

/* An overlay over lower; number: a different one per overlay. Returns an fd or -errno. */
int must_check throwaway_overlay(const char *lower, unsigned int number, struct error *err);

#define THROWAWAY_BASE "/proc"

#endif
