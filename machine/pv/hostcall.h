/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host calls, all of them: typed wrappers around the sites in entry.S. What may
 * be called with which arguments is abi/hypercalls.def, which the filter is made of.
 */
#ifndef HOSTCALL_H
#define HOSTCALL_H

#include <asm/unistd.h>

#include "pv.h"

#define HOSTCALL(site)                                                                             \
	static inline long site##6(long nr, long a, long b, long c, long d, long e, long f)        \
	{                                                                                          \
		register long r10 __asm__("r10") = d;                                              \
		register long r8 __asm__("r8") = e;                                                \
		register long r9 __asm__("r9") = f;                                                \
		long ret;                                                                          \
                                                                                                   \
		pv_self()->nhostcalls++;                                                           \
		__asm__ volatile("call " #site                                                     \
				 : "=a"(ret)                                                       \
				 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)     \
				 : "rcx", "r11", "memory");                                        \
		return ret;                                                                        \
	}
HOSTCALL(hostcall_site_plain)
HOSTCALL(hostcall_site_intr)
HOSTCALL(hostcall_site_wait)

#define HC_N(_1, _2, _3, _4, _5, _6, n, ...) n
#define HC1(s, nr, a) s##6(nr, (long)(a), 0, 0, 0, 0, 0)
#define HC2(s, nr, a, b) s##6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define HC3(s, nr, a, b, c) s##6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define HC4(s, nr, a, b, c, d) s##6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define HC5(s, nr, a, b, c, d, e) s##6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define HC6(s, nr, a, b, c, d, e, f) s##6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define HC_PICK(s, nr, ...) HC_N(__VA_ARGS__, HC6, HC5, HC4, HC3, HC2, HC1)(s, nr, __VA_ARGS__)
/* hostcall(name, args...): to the end, though a signal may give -EINTR where the call can */
#define hostcall(name, ...) HC_PICK(hostcall_site_plain, __NR_##name, __VA_ARGS__)
/* ends with -EINTR when work is pending */
#define hostcall_intr(name, ...) HC_PICK(hostcall_site_intr, __NR_##name, __VA_ARGS__)
/* ends with -EINTR when work is pending or the task is unparked; see pv_wait_begin */
#define hostcall_wait(name, ...) HC_PICK(hostcall_site_wait, __NR_##name, __VA_ARGS__)

#endif
