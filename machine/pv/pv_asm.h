/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that the assembler and C share. pv.h asserts that they are right. */
#ifndef PV_ASM_H
#define PV_ASM_H

/*
 * A task block: one aligned piece of the shared heap for each thread.
 *   0            struct task (gs base points here)
 *   TBLOCK_ALT    stack for host signal handlers
 *   TBLOCK_KSTACK kernel stack, down from the end of the block
 * The user's registers are at one fixed place, the top of the kernel stack.
 */
#define TBLOCK_SIZE 0x8000
#define TBLOCK_ALT 0x1000
#define TBLOCK_ALT_SIZE 0x2000
#define TBLOCK_REGS (TBLOCK_SIZE - 176)

/* struct mc_thread, by gs */
#define T_WORK 0
#define T_TOKEN 4
#define T_SELF 24
#define T_REGS 32   /* address of the saved user registers = kernel stack pointer at entry */
#define T_SCRATCH 40
#define T_DEAD 48
#define T_HP 56       /* the host process's count of threads that may still hold kernel locks */

/* T_TOKEN */
#define TOKEN_NONE 0
#define TOKEN_SET 1
#define TOKEN_SLEEP 2 /* sleeps on the futex */
#define TOKEN_HOST 3  /* sleeps in a host call: wake by signal */

/* A bit of T_WORK that belongs to the machine: leave the kernel by restoring all registers. */
#define WORK_FULL 0x80000000

/* struct pt_regs */
#define R_R15 0
#define R_R14 8
#define R_R13 16
#define R_R12 24
#define R_RBP 32
#define R_RBX 40
#define R_R11 48
#define R_R10 56
#define R_R9 64
#define R_R8 72
#define R_RAX 80
#define R_RCX 88
#define R_RDX 96
#define R_RSI 104
#define R_RDI 112
#define R_ORIG 120
#define R_RIP 128
#define R_CS 136
#define R_FLAGS 144
#define R_RSP 152
#define R_SS 160

#define EFLAGS_AC 0x40000 /* alignment check */

#define USER_CS 0x33
#define USER_SS 0x2b

/* The host signal that serves as a kick. */
#define SIG_KICK 12

#endif
