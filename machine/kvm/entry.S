/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into and out of the guest kernel on the kvm machine: start, system calls, exceptions and interrupts,
 * the switch between threads, and user access. Kernel code runs with interrupts off, but for an idle CPU.
 * gs base is the CPU's struct cpu in the kernel, the user's outside.
 */
#include "kvm.h"
#include "kvm_asm.h"

	.section .text.entry, "ax", @progbits

/* A vCPU's first instruction: rdi = its number. */
	.globl _start
_start:
	cld
	lea cpu_stacks(%rip), %rsp
	mov %rdi, %rax
	imul $CPU_STACKS * CPU_STACK_ROOM, %rax
	add $CPU_STACK_ROOM, %rax
	add %rax, %rsp
	xor %ebp, %ebp
	call kvm_start
	hlt

	.macro PUSH_FROM_RSI
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
	.endm

	.macro POP_ALL
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
	.endm

/* System call: rcx = the address to return to, r11 = flags. Interrupts are off (MSR_FMASK). */
	.globl kvm_syscall_entry
	.balign 64
kvm_syscall_entry:
	swapgs
	mov %rsp, %gs:C_SCRATCH
	mov %gs:C_STACK, %rsp
	push $USER_SS
	push %gs:C_SCRATCH
	push %r11
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
	xor %ebp, %ebp
	mov %rsp, %rdi
	call kvm_syscall
	test %eax, %eax
	jnz leave_full
	POP_ALL
	/* rcx and r11 are what sysret wants: kvm_syscall has seen to it. */
	mov R_RSP-R_ORIG(%rsp), %rsp
	swapgs
	sysretq

/* A new thread's first C code; then to user mode. */
	.globl kvm_thread_entry
kvm_thread_entry:
	xor %ebp, %ebp
	call kvm_thread_main
	.globl kvm_leave_entry
kvm_leave_entry:
	mov %gs:C_STACK, %rsp
	sub $168, %rsp
	mov %rsp, %rdi
	call kvm_leave
leave_full:
	POP_ALL
	add $8, %rsp
	swapgs
	.globl kvm_iret
kvm_iret:
	iretq

/* Exceptions and interrupts: one stub for each vector, 16 bytes apart. */
	.balign 16
	.globl kvm_stubs
kvm_stubs:
	.set vec, 0
	.rept 256
	.balign 16
	.if !(vec == 8 || vec == 10 || vec == 11 || vec == 12 || vec == 13 || vec == 14 || vec == 17 || vec == 21 || vec == 29 || vec == 30)
	push $-1
	.endif
	push %rdi
	mov $vec, %edi
	.if vec == 2 || vec == 8
	jmp fatal
	.else
	jmp trap
	.endif
	.set vec, vec + 1
	.endr

	.macro KERNEL_FRAME /* for backtraces; keeps the stack's alignment */
	push R_RIP(%rsp)
	push R_RBP+8(%rsp)
	mov %rsp, %rbp
	.endm

/* On a stack of their own, and with whatever gs: a double fault, an NMI (nobody sends one). */
fatal:
	PUSH_FROM_RSI
	cld
	mov %edi, %esi
	mov %rsp, %rdi
	KERNEL_FRAME
	call kvm_fatal_trap
	hlt

trap:
	PUSH_FROM_RSI
	cld
	xor %ebp, %ebp
	mov %edi, %esi
	mov %rsp, %rdi
	testb $3, R_CS(%rsp)
	jz 1f
	swapgs
	call kvm_user_trap
	jmp leave_full
1:	KERNEL_FRAME
	call kvm_kernel_trap
	add $16, %rsp
	POP_ALL
	add $8, %rsp
	iretq

/*
 * Waits for an interrupt, also if it is there already: sti takes effect behind the hlt. Where a hypervisor below loses that
 * (QEMU 7 does, when its own interrupt comes between the two), the trap leaves the hlt out: see kvm_kernel_trap().
 */
	.globl kvm_halt, kvm_halt_site
kvm_halt:
	sti
kvm_halt_site:
	hlt
	cli
	ret

/* rdi = where to leave our stack pointer, rsi = the other's. rax = the thread that was left. */
	.globl kvm_switch
kvm_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

/* rdi = stack, rsi = function, rdx = argument. The function does not return, or to leave_full's frame. */
	.globl kvm_call_on_stack
kvm_call_on_stack:
	mov %rdi, %rsp
	mov %rdx, %rdi
	xor %ebp, %ebp
	call *%rsi
	jmp kvm_leave_entry

/*
 * User access. A fault at an instruction listed in .extable, which the page fault handler could not mend, goes on at
 * its fixup. The callers open user memory, where the CPU has SMAP.
 */
	.macro EXTABLE from, to
	.pushsection .extable, "a"
	.quad \from, \to
	.popsection
	.endm

/* rdi = to, rsi = from, rdx = bytes: 0 or -EFAULT */
	.globl kvm_ucopy
kvm_ucopy:
	mov %rdx, %rcx
	cmp $8, %rdx
	je 2f
1:	rep movsb
	xor %eax, %eax
	ret
2:	mov (%rsi), %rax
3:	mov %rax, (%rdi)
	xor %eax, %eax
	ret
	EXTABLE 1b, kvm_efault
	EXTABLE 2b, kvm_efault
	EXTABLE 3b, kvm_efault

/* rdi = to, rsi = from, rdx = bytes */
	.globl kvm_wcopy, kvm_wcopy_site
kvm_wcopy:
	mov %rdx, %rcx
kvm_wcopy_site:
	rep movsb
	xor %eax, %eax
	ret
	EXTABLE kvm_wcopy_site, kvm_efault

/* rdi = to, rdx = bytes */
	.globl kvm_uclear
kvm_uclear:
	mov %rdx, %rcx
	xor %eax, %eax
1:	rep stosb
	ret
	EXTABLE 1b, kvm_efault

/* rdi = to, rsi = from, rdx = room: length without NUL, room if there was none, -EFAULT */
	.globl kvm_ustrncpy
kvm_ustrncpy:
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
	EXTABLE 2b, kvm_efault

/* rdi = user word, esi = expected, edx = new, rcx = old out (kernel) */
	.globl kvm_ucmpxchg
kvm_ucmpxchg:
	mov %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	mov %eax, (%rcx)
	xor %eax, %eax
	ret
	EXTABLE 1b, kvm_efault

/* rdi = user word, rsi = out (kernel) */
	.globl kvm_uload
kvm_uload:
1:	mov (%rdi), %eax
	mov %eax, (%rsi)
	xor %eax, %eax
	ret
	EXTABLE 1b, kvm_efault

kvm_efault:
	mov $-14, %rax
	ret

	.section .bss.large, "aw", @nobits
	.balign 4096
	.globl cpu_stacks
cpu_stacks:
	.skip CPU_STACKS * CPU_STACK_ROOM * KVM_MAX_CPUS

	.section .note.GNU-stack, "", @progbits
