/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into and out of the guest kernel on the pv machine.
 *
 * gs base is the current task block (pv_asm.h) whenever kernel code runs, and
 * while user code runs. Nothing here pushes on a user stack: there may be a red zone.
 */
#include "pv_asm.h"

/*
 * The hostcall sites: the only `syscall` instructions of the guest. All lie in this one
 * 256-byte block, which is how the filter recognises them (hypervisor/vm/filter.c).
 * rax = host call number, arguments in rdi, rsi, rdx, r10, r8, r9 as the host wants them.
 * rcx and r11 are lost.
 */
	.section .hostcall, "ax", @progbits
	.balign 256
	.globl hostcall_block
hostcall_block:

/* Not interruptible: the caller handles -EINTR itself. */
	.globl hostcall_site_plain
	.type hostcall_site_plain, @function
hostcall_site_plain:
	syscall
	ret

/*
 * Interruptible: -EINTR if work is pending. A kick whose signal finds rip
 * between pv_intr_start and pv_intr_syscall moves it to pv_eintr (signal.c), so
 * that work set after the check is not slept over.
 */
	.globl hostcall_site_intr, pv_intr_start, pv_intr_syscall
	.type hostcall_site_intr, @function
hostcall_site_intr:
pv_intr_start:
	cmpl $0, %gs:T_WORK
	jne pv_eintr
pv_intr_syscall:
	syscall
	ret

/* As above, for waits that an unpark ends too: -EINTR unless the token is still TOKEN_HOST. */
	.globl hostcall_site_wait, pv_wait_start, pv_wait_syscall
	.type hostcall_site_wait, @function
hostcall_site_wait:
pv_wait_start:
	cmpl $0, %gs:T_WORK
	jne pv_eintr
	cmpl $TOKEN_HOST, %gs:T_TOKEN
	jne pv_eintr
pv_wait_syscall:
	syscall
	ret

	.globl pv_eintr
pv_eintr:
	mov $-4, %rax /* -EINTR */
	ret

/* Return from a host signal handler: sa_restorer. rt_sigreturn */
	.globl hostcall_site_sigreturn
	.type hostcall_site_sigreturn, @function
hostcall_site_sigreturn:
	mov $15, %eax
	syscall
	hlt

/*
 * Host clone. rdi = flags, rsi = child's stack (its saved registers), rdx = where the child's
 * tid goes, r12 = child's block; other registers as for hostcall_site_plain.
 * Parent: returns. Child: starts at pv_child on its own kernel stack.
 */
	.globl hostcall_site_clone
	.type hostcall_site_clone, @function
hostcall_site_clone:
	mov $56, %eax
	syscall
	test %rax, %rax
	jz pv_child
	ret

/*
 * The last instructions of a thread. rax = exit, rdi = status. The
 * store gives the task block, with this stack, back to the allocator (thread.c). The decrement
 * tells the last thread of the process that this one holds no lock and needs `live` no more.
 */
	.globl hostcall_site_exit
	.type hostcall_site_exit, @function
hostcall_site_exit:
	mov %gs:T_HP, %rcx
	movl $1, %gs:T_DEAD
	lock decl (%rcx)
	syscall
	hlt

	.globl hostcall_block_end
hostcall_block_end:

	.section .text.entry, "ax", @progbits

/*
 * Start of the image: executed by the hypervisor as vm0, and by a guest process that leaves
 * a space it shared (mc_space_renew). rsp = argc, argv, envp, auxv on the host's stack.
 */
	.globl _start
_start:
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call pv_start
	hlt

pv_child:
	wrgsbase %r12
	mov %r12, %rdi
	mov %gs:T_REGS, %rsp
	xor %ebp, %ebp
	call pv_child_main
	jmp pv_leave_full

/*
 * System call. From a patched site or bounced from SIGSYS by the signal handler:
 *   rax = number, rcx = address to return to, r11 = scratch, all others the user's.
 * pv_trap_entry: the same, after SIGSYS: the site may be worth patching.
 */
	.globl pv_trap_entry
pv_trap_entry:
	mov $1, %r11d
	jmp 1f
	.globl pv_syscall_entry
	.balign 64
pv_syscall_entry:
	xor %r11d, %r11d
1:
	mov %rsp, %gs:T_SCRATCH
	mov %gs:T_REGS, %rsp
	add $168, %rsp
	push $USER_SS
	push %gs:T_SCRATCH
	pushfq
	push $USER_CS
	push %rcx
	push %rax
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push $-38 /* -ENOSYS */
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	testl $EFLAGS_AC, R_FLAGS(%rsp)
	jnz pv_align_check_off
pv_syscall_go:
	xor %ebp, %ebp
	mov %rsp, %rdi
	test %r11d, %r11d
	jnz pv_trapped
	call kernel_syscall
pv_syscall_done:
	mov %rax, R_RAX(%rsp)

/*
 * Leave to user mode after a system call. A kick that interrupts between pv_leave and pv_leave_end starts again
 * at pv_leave with rsp at the saved registers: they are still there, and work is seen.
 */
	.globl pv_leave, pv_leave_end
pv_leave:
	cmpl $0, %gs:T_WORK
	jne pv_leave_work
	mov R_RBP(%rsp), %rbp
	mov R_R10(%rsp), %r10
	mov R_R9(%rsp), %r9
	mov R_R8(%rsp), %r8
	mov R_RDI(%rsp), %rdi
	mov R_RSI(%rsp), %rsi
	mov R_RDX(%rsp), %rdx
	mov R_RAX(%rsp), %rax
	mov R_RIP(%rsp), %rcx
	mov R_RSP(%rsp), %rsp
	jmp *%rcx
pv_leave_end:

/* User code has alignment checks on, which are not for the kernel: it gets them back with all its registers. */
pv_align_check_off:
	pushfq
	andl $~EFLAGS_AC, (%rsp)
	popfq
	lock orl $WORK_FULL, %gs:T_WORK /* others set bits of it at any time */
	jmp pv_syscall_go

pv_trapped:
	call pv_trapped_syscall
	jmp pv_syscall_done

pv_leave_work:
	mov %rsp, %rdi
	call pv_user_work
	jmp pv_leave_check

/* Leave with every register as saved: after kicks, faults, sigreturn, exec, and in new threads. */
	.globl pv_leave_full, pv_leave_full_end
pv_leave_full:
	lock orl $WORK_FULL, %gs:T_WORK /* others set bits of it at any time */
	jmp pv_leave_work
pv_leave_check:
	cmpl $0, %gs:T_WORK
	jne pv_leave_work
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	add $8, %rsp
	.globl pv_iret
pv_iret:
	iretq
pv_leave_full_end:

	.globl pv_leave_check

/*
 * In place of cpuid (text_image.c): eax and ecx as it takes them, rdx = where to go on, rbx free; all other registers and the flags stay.
 */
	.globl pv_cpuid_entry
pv_cpuid_entry:
	mov %rsp, %gs:T_SCRATCH
	mov %gs:T_REGS, %rsp
	lea 168(%rsp), %rsp
	push $USER_SS
	push %gs:T_SCRATCH
	pushfq
	push $USER_CS
	push %rdx
	push $-1
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	testl $EFLAGS_AC, R_FLAGS(%rsp)
	jz 1f
	pushfq
	andl $~EFLAGS_AC, (%rsp)
	popfq
1:
	xor %ebp, %ebp
	mov %rsp, %rdi
	call pv_cpuid
	jmp pv_leave_full

/* What the host calls for a signal: rdi, rsi, rdx are the handler's. The flags are those of the interrupted code. */
	.globl pv_signal_entry
pv_signal_entry:
	pushfq
	andl $~EFLAGS_AC, (%rsp)
	popfq
	jmp pv_signal_handler

/* User code was interrupted by a kick or a fault: the signal handler saved its registers and set rsp to them. */
	.globl pv_bounce_entry
pv_bounce_entry:
	cld
	xor %ebp, %ebp
	mov %rsp, %rdi
	call pv_bounced
	jmp pv_leave_full

/* mc_space_renew: rdi = function, rsi = argument; on an empty kernel stack, then to user mode. */
	.globl pv_run_on_empty_stack
pv_run_on_empty_stack:
	mov %gs:T_REGS, %rsp
	xor %ebp, %ebp
	mov %rdi, %rax
	mov %rsi, %rdi
	call *%rax
	jmp pv_leave_full

/* First code of a kernel thread and of the first process: never returns to user mode by this path. */
	.globl pv_call_on_stack
pv_call_on_stack: /* rdi = new rsp, rsi = function, rdx = argument */
	mov %rdi, %rsp
	and $-16, %rsp
	mov %rdx, %rdi
	xor %ebp, %ebp
	call *%rsi
	hlt

/*
 * User access. A fault at an instruction listed in .extable continues at its fixup.
 */
	.macro EXTABLE from, to
	.pushsection .extable, "a"
	.quad \from, \to
	.popsection
	.endm

/* rdi = to, rsi = from, rdx = bytes: 0 or -EFAULT */
	.globl pv_ucopy
	.type pv_ucopy, @function
pv_ucopy:
	mov %rdx, %rcx
	cmp $8, %rdx
	je 2f
	cmp $16, %rdx
	je 4f
1:	rep movsb
	xor %eax, %eax
	ret
2:	mov (%rsi), %rax
3:	mov %rax, (%rdi)
	xor %eax, %eax
	ret
4:	mov (%rsi), %rax /* times */
5:	mov 8(%rsi), %rcx
6:	mov %rax, (%rdi)
7:	mov %rcx, 8(%rdi)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault
	EXTABLE 2b, pv_efault
	EXTABLE 3b, pv_efault
	EXTABLE 4b, pv_efault
	EXTABLE 5b, pv_efault
	EXTABLE 6b, pv_efault
	EXTABLE 7b, pv_efault

/* rdi = to, rdx = bytes: zeroes them */
	.globl pv_uclear
	.type pv_uclear, @function
pv_uclear:
	mov %rdx, %rcx
	xor %eax, %eax
1:	rep stosb
	ret
	EXTABLE 1b, pv_efault

/* rdi = to, rsi = from, rdx = room: length without NUL, room if there was none, -EFAULT */
	.globl pv_ustrncpy
	.type pv_ustrncpy, @function
pv_ustrncpy:
	xor %eax, %eax
1:	cmp %rdx, %rax
	jae 3f
2:	movzbl (%rsi,%rax), %ecx
	mov %cl, (%rdi,%rax)
	test %cl, %cl
	jz 3f
	inc %rax
	jmp 1b
3:	ret
	EXTABLE 2b, pv_efault

/* rdi = user word, esi = expected, edx = new, rcx = old out (kernel): 0 or -EFAULT */
	.globl pv_ucmpxchg
	.type pv_ucmpxchg, @function
pv_ucmpxchg:
	mov %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	mov %eax, (%rcx)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault

/* rdi = user word, rsi = out (kernel) */
	.globl pv_uload
	.type pv_uload, @function
pv_uload:
1:	mov (%rdi), %eax
	mov %eax, (%rsi)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault

/* rdi = user area, rsi = feature mask */
	.globl pv_xsave, pv_xrstor
	.type pv_xsave, @function
pv_xsave:
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
1:	xsave64 (%rdi)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault
	.type pv_xrstor, @function
pv_xrstor:
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
1:	xrstor64 (%rdi)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault
	.globl pv_fxrstor
	.type pv_fxrstor, @function
pv_fxrstor:
1:	fxrstor64 (%rdi)
	xor %eax, %eax
	ret
	EXTABLE 1b, pv_efault

pv_efault:
	mov $-14, %rax /* -EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
