/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included before everything else when the kernel and its tests are compiled for the stub machine:
 * the kernel's own string functions keep out of the way of the C library's, which the sanitizers
 * and the test framework use.
 */
#ifndef STUB_RENAME_H
#define STUB_RENAME_H

#define memcpy	  kernel_memcpy
#define memmove	  kernel_memmove
#define memset	  kernel_memset
#define memcmp	  kernel_memcmp
#define memchr	  kernel_memchr
#define strlen	  kernel_strlen
#define strnlen	  kernel_strnlen
#define strcmp	  kernel_strcmp
#define strncmp	  kernel_strncmp
#define strchr	  kernel_strchr
#define strrchr	  kernel_strrchr
#define strstr	  kernel_strstr
#define strlcpy	  kernel_strlcpy
#define snprintf  kernel_snprintf
#define vsnprintf kernel_vsnprintf

#endif
