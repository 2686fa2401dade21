/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-width types shared by the guest kernel, the machines and the hypervisor. */
#ifndef CALLGATE_TYPES_H
#define CALLGATE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* An address in a guest process. An integer, so that nobody dereferences it by mistake. */
typedef u64 uaddr_t;

#endif
