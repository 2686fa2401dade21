/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that the assembler and C share. kvm_impl.h asserts that they are right. */
#ifndef KVM_ASM_H
#define KVM_ASM_H

/* struct cpu, by gs in the kernel */
#define C_SELF 0
#define C_THREAD 8   /* the thread that runs */
#define C_STACK 16   /* its kernel stack's top */
#define C_SCRATCH 24 /* the user's rsp at a system call */

#define KSTACK_SIZE 0x8000
/* Stacks of a CPU: where it starts and idles, for double faults, for NMIs. A guard page, and above it the stack. */
#define CPU_STACKS 3
#define CPU_STACK_ROOM 0x3000

/* struct pt_regs */
#define R_RBP 32
#define R_R11 48
#define R_RCX 88
#define R_ORIG 120
#define R_RIP 128
#define R_CS 136
#define R_FLAGS 144
#define R_RSP 152

/* Segments: the order is that of syscall and sysret. */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS 0x2b
#define USER_CS 0x33
#define TSS_SEL 0x38

/* A bit of mc_thread.work that belongs to the machine: leave by restoring all registers. */
#define WORK_FULL 0x80000000

#endif
