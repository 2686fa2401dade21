/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator tells AddressSanitizer what is allocated. */
#ifndef POISON_H
#define POISON_H

void __asan_poison_memory_region(const volatile void *p, unsigned long n);
void __asan_unpoison_memory_region(const volatile void *p, unsigned long n);

#define poison_allocated(p, size, room)                                                            \
	(__asan_unpoison_memory_region((p), (room)),                                               \
	 __asan_poison_memory_region((const char *)(p) + (size), (room) - (size)))
#define poison_freed(p, room) __asan_poison_memory_region((p), (room))
#define poison_none(p, room)  __asan_unpoison_memory_region((p), (room))

#endif
