/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space of a guest process on the pv machine, and the descriptors
 * that the machine keeps for itself. Shared by the guest kernel, the filter
 * generator and the hypervisor. All constants are plain integers: the linker
 * script and the assembler read this file too.
 *
 * The bounds are chosen so that a seccomp filter can check a range by its
 * upper 32 bits alone: start < USER_END and length <= USER_MAX_LEN imply
 * that the range ends below the kernel. Programs built with ThreadSanitizer have their stack and mappings above
 * 0x7e8000000000 or do not start: USER_END is as high as the kernel allows.
 */
#ifndef CALLGATE_LAYOUT_H
#define CALLGATE_LAYOUT_H

#define USER_START 0x10000
#define USER_END 0x7eef00000000      /* first address that is not the guest's */
#define USER_MAX_LEN 0x10000000000   /* 1 TiB: longest single map, unmap, protect */

#define KTEXT_BASE 0x7ff0f0000000    /* kernel text and read-only data, never writable; in jump reach of KDATA_BASE */
#define HOSTCALL_BLOCK 0x7ff0f0001000 /* the 256 bytes that hold all syscall instructions (machine/pv/guest.ld) */
#define HOSTCALL_BLOCK_SIZE 256
#define KWIN_BASE 0x7ff100000000     /* start of the writable, never executable window: what each process touches of it is in its first GiB, which is one table */
#define KRING_BASE 0x7ff100000000    /* ring.h: shared with the hypervisor */
#define KPRIV_BASE 0x7ff10f000000    /* private to the host process, copied by fork */
#define KPRIV_SIZE 0x800000          /* 8 MiB, touched lazily */
#define KMEM_BASE 0x7ff110000000     /* shared memory of the VM, one object: the first task blocks and .data share a page table */
#define KBLOCKS_SIZE 0x100000        /* 1 MiB of task blocks */
#define KDATA_BASE 0x7ff110100000    /* .data and .bss */
#define KDATA_MAX 0x10000000         /* 256 MiB, with those blocks */
#define KHEAP_BASE 0x7ff120000000    /* kernel heap */
#define KHEAP_MAX 0x80000000         /* 2 GiB */
#define KARENA_BASE 0x7ff1a0000000   /* the machine's own: further task blocks, handle tables */
#define KARENA_MAX 0x10000000        /* 256 MiB */
#define KWIN_END 0x7ff200000000

/* Host descriptors of a guest process below the donated ones. */
#define KFD_IMAGE 3                  /* the guest kernel image, for execveat */
#define KFD_MEM 4                    /* kernel data and heap */
#define KFD_RING 5                   /* the ring region */
#define KFD_CHAN 6                   /* SOCK_SEQPACKET: donated descriptors arrive here */
#define KFD_DONATED 64               /* handle h is host descriptor KFD_DONATED + h */

/* Address of an empty string in the guest kernel's read-only text: the only path that execveat may be given. */
#define EMPTY_PATH KTEXT_BASE

/*
 * The exact flag sets of the host's clone. PARENT: all guest processes are children of vm0, which reaps them.
 * FIRST: vm0 makes guest pid 1 (SIGCHLD).
 */
#define CLONE_FLAGS_THREAD 0x00150f00 /* VM FS FILES SIGHAND THREAD SYSVSEM PARENT_SETTID */
#define CLONE_FLAGS_FORK 0x00108000   /* PARENT PARENT_SETTID */
#define CLONE_FLAGS_VFORK 0x00108500  /* VM FILES PARENT PARENT_SETTID */
#define CLONE_FLAGS_FIRST 0x00100011  /* PARENT_SETTID SIGCHLD */

/* Bytes of arguments that a guest kernel image is executed with at least: room for what the host's ps is to show. */
#define ARGS_ROOM 4096

#define SIG_KICK_NR 12 /* the host signal that serves as a kick */

#define MAX_HANDLES 0x80000          /* handles 1 .. MAX_HANDLES-1; 0 is the container's root */

#endif
