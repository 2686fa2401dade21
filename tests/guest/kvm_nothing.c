/* SPDX-License-Identifier: Apache-2.0 */
/* A program that does nothing: no library, whose start asks the CPU what it is, which is an exit each time. */
__attribute__((noreturn)) void _start(void);

void _start(void)
{
	__asm__ volatile("syscall" ::"a"(231), "D"(0));
	__builtin_unreachable();
}
