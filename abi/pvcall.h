/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvcall.h: PV calls, what the hypervisor gives the guest kernel. docs/pvcalls.md specifies them.
 *
 * Commands 0..6 have the numbers and the request layouts of Xen's PV Calls
 * protocol, version 1 (xen/include/public/io/pvcalls.h, docs/misc/pvcalls.pandoc).
 * Ranges of our own follow. Every field is checked by the hypervisor. A request that no
 * correct guest kernel can send (unknown command, handle out of range or of the wrong kind,
 * length over the buffer) is a protocol error and ends the VM; anything that an
 * application can cause has an errno.
 *
 * Handles ("id") are chosen by the guest, 1 .. MAX_HANDLES-1 (layout.h), and name an object in the
 * hypervisor's handle table; 0 as a directory names the container's root directory.
 *
 * Paths are in the call's buffer, not NUL-terminated, at most PV_PATH_MAX bytes.
 * They are resolved by the hypervisor inside the container's mount namespace, relative to the
 * directory handle, with the credentials `cred`. Where the walk enters a
 * directory on which the guest has mounted a file system of its own, the call returns
 * PV_CROSS and the buffer holds the absolute path at which the guest must
 * continue (length in rsp.val). Of two paths, rsp.flags says which one crosses (PV_CROSSED_PATH2).
 *
 * A path of length 0 is the object `dir` itself (with PV_AT_EMPTY, and in PV_OPEN, which opens it anew
 * as /proc/self/fd/N would, and in PV_PATHOF). Modes come with the umask applied.
 *
 * Donated sockets block, so that waiting for data costs the guest one host call; it passes MSG_DONTWAIT
 * for guest sockets that do not block. Listening sockets do not block on the host.
 */
#ifndef CALLGATE_PVCALL_H
#define CALLGATE_PVCALL_H

#include "types.h"

#define PV_PATH_MAX 4096u
#define PV_CROSS 0x40000000 /* response value: see above */

enum pv_cmd {
	/* Xen PV Calls. Addresses are struct sockaddr of Linux, at most 28 bytes. */
	PV_SOCKET = 0, /* rsp.flags = the socket's inode number in /proc/net, 0: unknown; so for ACCEPT */
	PV_CONNECT = 1, /* never blocks: -EINPROGRESS, then poll the handle */
	PV_RELEASE = 2, /* any kind of handle */
	PV_BIND = 3,
	PV_LISTEN = 4,
	PV_ACCEPT = 5, /* never blocks: -EAGAIN. Buffer out: the peer's sockaddr, val = its length */
	PV_POLL = 6,   /* ret = poll(2) mask at this moment */

	/* Names: struct pv_req_path. Buffer in: path (path_len), then path2 (path2_len) at once behind it. */
	PV_OPEN = 0x100,  /* flags O_*, mode, arg = id of the new handle, resolve. Out: struct pv_file, path, data */
	PV_STAT = 0x101,  /* Out: struct statx (linux/stat.h) */
	PV_READLINK = 0x102, /* Out: target, ret = length */
	PV_MKDIR = 0x103, /* mode */
	PV_MKNOD = 0x104, /* mode with type (regular, FIFO, socket; devices are refused), arg = dev */
	PV_UNLINK = 0x105, /* flags: AT_REMOVEDIR */
	PV_RENAME = 0x106, /* dir/path -> dir2/path2, flags RENAME_* */
	PV_LINK = 0x107,  /* dir/path -> dir2/path2, flags AT_SYMLINK_FOLLOW, PV_AT_EMPTY */
	PV_SYMLINK = 0x108, /* path = link to make, path2 = target text */
	PV_CHMOD = 0x109, /* mode */
	PV_CHOWN = 0x10a, /* arg = uid | gid << 32, each may be 0xffffffff */
	PV_UTIMES = 0x10b, /* Buffer behind the path: struct timespec[2] as 4 x s64 */
	PV_TRUNCATE = 0x10c, /* arg = length */
	PV_ACCESS = 0x10d, /* mode R_OK|W_OK|X_OK; flags AT_EACCESS has no meaning: cred decides */
	PV_STATFS = 0x10e, /* Out: struct statfs (asm/statfs.h) */
	PV_GETXATTR = 0x10f, /* path2 = name, arg = size wanted (0 = ask). Out: value, ret = length */
	PV_SETXATTR = 0x110, /* path2 = name, value behind it, arg = its length, mode = XATTR_* flags */
	PV_LISTXATTR = 0x111, /* arg = size wanted (0 = ask). Out: list, ret = length */
	PV_REMOVEXATTR = 0x112, /* path2 = name */
	PV_PATHOF = 0x113, /* Out: the absolute path, in the container, of the object. ret = length */
	PV_INOTIFY_ADD = 0x114, /* arg = inotify handle, mode = mask. ret = watch descriptor */
	PV_RESOLVE = 0x115, /* flags; Out: canonical absolute path; ret = its length (for guest mounts, exec) */

	/*
	 * Unix sockets of the host's kernel, in mounts that are for it (boot_info.unix_mounts); in others -EOPNOTSUPP: they
	 * are the guest's matter. arg = new handle, flags = SOCK_*. Donated.
	 */
	PV_UNIX_CONNECT = 0x116, /* never waits: -EAGAIN, the server's queue is full */
	PV_UNIX_BIND = 0x117,    /* mode: of the new node, with the umask applied */

	/*
	 * The entries of a directory, from the cookie arg on (0: the first), `mode` of them at most. Out: struct
	 * pv_dirstat_head, struct pv_dirstat for each but "." and ".."; ret = bytes. -EXDEV: the directory is not in the
	 * container's root mount. What it says of others' changes is as old as the answer.
	 */
	PV_DIRSTAT = 0x118,

	/*
	 * Are these names absent? path = up to PV_ABSENT_NAMES_MAX of them, with a newline between each; flags PV_AT_NOFOLLOW. ret = a bit for
	 * each, from bit 0 on: it is not there, and the walk has met no other mount than that in which it began.
	 */
	PV_ABSENT_NAMES = 0x119,

	/*
	 * What PV_DIRSTAT says of these names in the directory `dir`: struct linux_dirent64 records, arg bytes of them, in the
	 * buffer. Out: as PV_DIRSTAT; next = the cookie of the last one that was looked at.
	 */
	PV_NAMESTAT = 0x11a,

	/* PV_PATHOF of many: struct pv_req_xen_release, count of them 1 + count. Out: each path and a NUL, "": it has none; ret = bytes */
	PV_PATHS_OF = 0x11b,

	/* Open handles: struct pv_req_handle. */
	PV_GETDENTS = 0x180, /* len = room. Out: struct linux_dirent64 records, ret = bytes, val 1 = there are no more */
	PV_SEEKDIR = 0x181,  /* off = cookie (0 rewinds) */
	PV_FSYNC = 0x182,    /* flags 1: data only; 2: syncfs */
	PV_FALLOCATE = 0x183, /* flags = mode, off, len */
	PV_FLOCK = 0x184,    /* flags LOCK_SH, LOCK_EX, LOCK_UN; never blocks (LOCK_NB implied) */
	PV_LOCK = 0x185,     /* OFD lock: flags F_RDLCK/F_WRLCK/F_UNLCK | PV_LOCK_GET, off, len. GET, out: struct pv_lock */
	PV_SETFL = 0x186,    /* flags: O_APPEND|O_NONBLOCK|O_DIRECT|O_NOATIME */
	PV_COPY_RANGE = 0x187, /* id -> id2, off, off2 (s64, -1 = file position), len; flags 1: use splice/sendfile */
	PV_READ = 0x188,     /* off (-1 = position), len. Out: data, ret = bytes. For handles that are not donated */
	PV_WRITE = 0x189,    /* off, len, data in buffer */
	PV_IOCTL = 0x18a,    /* flags = request (allow-list), argument in and out in buffer, len = its size */
	PV_FADVISE = 0x18b,  /* flags = advice, off, len */
	PV_DONATE = 0x18c,   /* send a copy of the handle's descriptor (again) */
	PV_INOTIFY_RM = 0x18d, /* off = watch descriptor */
	PV_TAKE_FD = 0x18e,  /* id = new handle, off = event number, len = which of the event's descriptors (0 ...). Donated if it can be.
			      * Event 0: those of pid 1 from descriptor 3 on.
			      * ret = how it is open: F_GETFL's O_*. -EBADF: that number is to stay closed */

	/* Sockets beyond Xen's: struct pv_req_sock. Buffer: data as stated. */
	PV_GETSOCKNAME = 0x200, /* Out: sockaddr, ret = length */
	PV_GETPEERNAME = 0x201,
	PV_GETSOCKOPT = 0x202, /* level, name, len = room. Out: value, ret = length */
	PV_SETSOCKOPT = 0x203, /* level, name, len, value in buffer */
	PV_SHUTDOWN = 0x204,   /* name = SHUT_* */
	PV_SENDTO = 0x205,     /* Buffer in: sockaddr (addr_len), control (ctl_len), data (len). flags MSG_* */
	PV_RECVFROM = 0x206,   /* len = room, ctl_len = room (multiple of 8). Never blocks. Out: struct pv_recv at 0,
				* sockaddr at PV_RECV_ADDR_OFF, control at PV_RECV_CTL_OFF, data ctl_len behind */

	/* Objects: struct pv_req_handle. */
	PV_MEMFD = 0x300,    /* id = new handle, len = size, flags MFD_* */
	PV_WATCH = 0x301,    /* id = new handle: an epoll instance, donated; id2 = netlink socket that is in it, or 0 */
	PV_INOTIFY = 0x302,  /* id = new handle: an inotify instance, donated, non-blocking */
	PV_TRUNC_OBJ = 0x303, /* id, len: resize a memfd */
	PV_DEVICE = 0x304,   /* id = new handle, off = number of a device (boot_info.devices), flags O_*. Donated */

	/* Control: struct pv_req_ctl. */
	PV_CRED_NEW = 0x400, /* Buffer in: struct pv_cred. arg = cred number, 1 .. PV_MAX_CREDS-1 */
	PV_CRED_FREE = 0x401, /* arg = cred number */
	PV_POWEROFF = 0x402, /* arg = wait status of guest pid 1; never answered */
	PV_PANIC = 0x403,    /* Buffer in: text, len; never answered */
	PV_LOG = 0x404,      /* Buffer in: text, len; arg = level */
	PV_MEM_READ = 0x405, /* pid = host thread (in the VM's pid namespace), arg = address, len. Out: bytes */
	PV_MEM_WRITE = 0x406,
	PV_DECODE = 0x407,   /* Buffer in: code bytes (len), arg = offset of the syscall insn. Out: struct pv_site */
	PV_SYSCTL = 0x408,   /* net.* values: buffer in: name (len) [NUL value]. Out: value */
	PV_NETFILE = 0x409,  /* /proc/net/NAME: buffer in: name (len). Out: text from arg = offset, ret = bytes */
	PV_HOST_STAT = 0x40a, /* Out: struct pv_host_stat */
	PV_SETHOSTNAME = 0x40b, /* Buffer in: name (len): sets the uts namespace's host name, too */
	PV_PROC_STAT = 0x40c, /* pid = host thread (in the VM's pid namespace). Out: struct pv_proc_stat of its process */
	PV_EVENT = 0x40d,     /* Out: struct pv_event, the oldest that was posted; ret = its size, 0 = there is none */
	PV_EVENT_DONE = 0x40e, /* arg = event number, pid = result (s32). Buffer in: text (len): why it failed. See pv_event */
	PV_EXITED = 0x40f,    /* arg = event number of a PV_EV_EXEC that succeeded, pid = wait status of its process */
	PV_CGROUP = 0x410,    /* arg = enum pv_cgroup_file. Out: its text, in the form of version 2; ret = bytes. -ENOENT: none */
	PV_EXEC_ID = 0x411,   /* struct pv_req_handle: see below. Only with boot_info.exec_ids */
	PV_NOTIFY = 0x412,    /* Buffer in: text (len): a message to boot_info.notify. sd_notify(3) */
	PV_NICE = 0x414,      /* pid = host thread, arg = nice value (s64): as near to it as the container's own lets it be */
	PV_AFFINITY = 0x415,  /* pid = host thread, arg = CPUs that the guest counts. Buffer in: mask of them (len, a multiple of 8) */
	PV_RESIDENT = 0x413,  /* pid = host thread, arg = address, len = pages (PV_RESIDENT_MAX). Out: for each a byte, 1: its process has memory there */
};

/* The container's cgroup, which may be of version 1: no name of a file reaches the host. */
enum pv_cgroup_file {
	PV_CG_MEMORY_CURRENT,
	PV_CG_MEMORY_MAX,
	PV_CG_MEMORY_HIGH,
	PV_CG_MEMORY_LOW,
	PV_CG_MEMORY_PEAK,
	PV_CG_MEMORY_EVENTS,
	PV_CG_MEMORY_STAT,
	PV_CG_SWAP_CURRENT,
	PV_CG_SWAP_MAX,
	PV_CG_CPU_MAX,
	PV_CG_CPU_WEIGHT,
	PV_CG_CPU_STAT,
	PV_CG_PIDS_CURRENT,
	PV_CG_PIDS_MAX,
	PV_CG_PIDS_EVENTS,
	PV_CG_IO_STAT,
	PV_CG_FILES
};

#define PV_RESIDENT_MAX 512u
#define PV_MASK_MAX 128u /* bytes */

#define PV_AT_NOFOLLOW 0x100   /* AT_SYMLINK_NOFOLLOW */
#define PV_AT_REMOVEDIR 0x200  /* AT_REMOVEDIR */
#define PV_AT_FOLLOW 0x400     /* AT_SYMLINK_FOLLOW */
#define PV_AT_EMPTY 0x1000     /* AT_EMPTY_PATH: the object is the handle `dir` itself */

/* pv_req_path.resolve, with RESOLVE_*: PV_OPEN also returns the canonical path (pv_file.path_len). */
#define PV_WANT_PATH 0x80000000u
/*
 * ... and what is in a small regular file, in place of a descriptor (pv_file.whole). Where that would set the file's time of last
 * access it comes only with PV_WILL_READ: the caller is expected to read.
 */
#define PV_WANT_DATA 0x40000000u
#define PV_WILL_READ 0x20000000u
#define PV_DATA_MAX 16384u

/* pv_response.val of PV_ACCEPT, with data rings: there was no further connection at that moment. */
#define PV_ACCEPTED_LAST 0x80000000u

/* pv_response.flags with PV_CROSS: it is the second path that enters a guest-side mount. */
#define PV_CROSSED_PATH2 0x1u
/* ... with -ENOENT: the walk has met no other mount than that of the directory (or of the root) it began in. Best effort. */
#define PV_ABSENT 0x2u
#define PV_ABSENT_NAMES_MAX 30

#define PV_LOCK_GET 0x100

/*
 * `cred` of a request: in the low bits the number of its credentials; in socket calls and PV_EXEC_ID above them that of
 * the program which the process runs, 0 if it is not known. PV_EXEC_ID gives the number `off` to the open file `id`,
 * executed for the script `id2` (each may be 0: not the hypervisor's) by a process that ran what `cred` says. A number
 * that has been given is given anew when no process runs that program any more.
 */
#define PV_MAX_CREDS 4096u
#define PV_EXEC_ID_SHIFT 12
#define PV_MAX_EXEC_IDS 4096u
#define PV_EXEC_PRELOADED 0x1u /* flags: its environment has the dynamic linker load more than it asks for */

struct pv_req_xen_socket {
	u64 id;
	u32 domain, type, protocol;
	u32 cred; /* ours, in Xen's padding; so below */
	u32 pid;  /* ours: the guest process that asks, for policy and audit; so below */
};
struct pv_req_xen_connect {
	u64 id;
	u8 addr[28];
	u32 len;
	u32 pid;    /* Xen's flags, which are reserved: ours */
	u32 ref;    /* number of the data ring that is to carry the data; 0: none, the descriptor is donated */
	u32 evtchn; /* 0: a data ring's bell is its number */
	u32 cred;
};
#define PV_RELEASE_MORE 11
struct pv_req_xen_release {
	u64 id;
	u8 reuse;
	u8 count; /* ours: further handles, in more[] */
	u16 pad;
	u32 more[PV_RELEASE_MORE];
};
struct pv_req_xen_bind {
	u64 id;
	u8 addr[28];
	u32 len;
	u32 cred;
	u32 pid;
};
struct pv_req_xen_listen {
	u64 id;
	u32 backlog;
	u32 cred;
	u32 pid;
	u32 ref; /* ours, in Xen's padding: the data ring that tells of connections; 0: none */
};
struct pv_req_xen_accept {
	u64 id;
	u64 id_new;
	u32 ref, evtchn; /* as in connect, for the new socket */
	u32 cred;
	u32 pid;
};
struct pv_req_xen_poll {
	u64 id;
};

struct pv_req_path {
	u32 dir;       /* handle; 0 = container root */
	u32 cred;      /* credentials, from PV_CRED_NEW; 0 = all-powerful root of the container */
	u16 path_len;
	u16 path2_len;
	u32 flags;
	u32 mode;
	u32 dir2;
	u64 arg;
	u32 root;      /* handle of the caller's root directory (chroot); 0 = container root */
	u32 resolve;   /* RESOLVE_* of openat2 */
	u32 pid;       /* guest process, for policy and audit */
	u32 pad;
};

struct pv_req_handle {
	u32 id;
	u32 id2;
	u32 cred;
	u32 flags;
	u64 off;
	u64 off2;
	u64 len;
	u32 pid;
	u32 pad;
};

struct pv_req_sock {
	u32 id;
	u32 level, name;
	u32 flags;
	u32 len;
	u16 addr_len, ctl_len;
	u32 cred;
	u32 pid;
};

struct pv_req_ctl {
	u64 arg;
	u32 len;
	u32 pid;
	u32 cred;
	u32 pad;
};

struct pv_request {
	u32 req_id; /* slot */
	u32 cmd;
	union {
		struct pv_req_xen_socket socket;
		struct pv_req_xen_connect connect;
		struct pv_req_xen_release release;
		struct pv_req_xen_bind bind;
		struct pv_req_xen_listen listen;
		struct pv_req_xen_accept accept;
		struct pv_req_xen_poll poll;
		struct pv_req_path path;
		struct pv_req_handle handle;
		struct pv_req_sock sock;
		struct pv_req_ctl ctl;
		u8 dummy[56];
	} u;
};
_Static_assert(sizeof(struct pv_request) == 64, "Xen's request size");

/*
 * donation: 0, or the sequence number (from 1) of the message on the donation channel that carries
 * a descriptor for this call's new handle. Messages must be taken in sequence order.
 */
struct pv_response {
	u32 req_id;
	u32 cmd;
	s32 ret; /* -errno, or >= 0 */
	u32 val;
	u32 donation;
	u32 flags;
};
_Static_assert(sizeof(struct pv_response) == 24, "Xen's response size");

/* PV_OPEN, out. Devices, FIFOs and sockets get no handle (type in attr.stx_mode): the guest serves them. */
struct pv_file {
	u64 ino;
	u32 dev_major, dev_minor;
	u32 mode;   /* st_mode */
	u32 opened; /* 1: the handle exists; 0: see above */
	u64 size;
	u32 uid, gid;
	u32 rdev_major, rdev_minor;
	s64 mtime_sec;
	u32 mtime_nsec;
	u32 mnt_flags;  /* ST_NOEXEC, ST_NOSUID, ST_RDONLY of the mount (statfs f_flags) */
	u32 path_len;   /* canonical path in the container behind this structure */
	u32 created;    /* the file did not exist before (best effort: O_CREAT|O_EXCL only) */
	u32 nlink, blksize;
	u64 blocks;
	s64 atime_sec, ctime_sec;
	u32 atime_nsec, ctime_nsec;
	u32 whole;    /* 1: all that the file holds stands behind the path, and no descriptor is donated */
	u32 data_len; /* its length, at most PV_DATA_MAX */
	u32 in_root;  /* 1: it is in the container's root mount, which nobody outside is to change; 0: elsewhere, or not known */
	u32 pad;
};

#define PV_STATX_SIZE 256 /* sizeof(struct statx) */
struct pv_dirstat_head {
	s64 next;  /* the cookie of what follows */
	u32 count;
	u32 end;   /* 1: nothing does */
	u64 time;  /* ns, CLOCK_MONOTONIC of the host: the attributes are those of then or later */
};
/* At the end of the buffer, to be looked at while PV_DIRSTAT or PV_NAMESTAT is under way. The guest clears it before. */
struct pv_dirstat_progress {
	u64 time;  /* as above */
	u32 count; /* records that are complete; time is there with the first */
	u32 stop;  /* the guest's: not 0, what is there is enough */
};
#define PV_DIRSTAT_ROOM (RING_BUF_SIZE - sizeof(struct pv_dirstat_progress)) /* for head and records */
#define PV_NAMESTAT_MAX 16384u
struct pv_dirstat {
	u16 size; /* a multiple of 8 */
	u16 name_len;
	u32 known; /* 1: what PV_STAT with PV_AT_NOFOLLOW answers is at the end of the record; 0: ask, it is elsewhere */
	char name[];
};

struct pv_cred {
	u32 fsuid, fsgid;
	u64 caps;     /* effective capabilities, Linux numbering */
	u32 ngroups;
	u32 groups[1024];
};

struct pv_lock {
	u32 type; /* F_RDLCK, F_WRLCK; F_UNLCK: no conflict */
	u32 pad;
	u64 off, len;
};

/*
 * In the buffer of PV_SOCKET and PV_ACCEPT: who asks, for those who look at a container's connections. It is shown,
 * and never relied upon; without the magic number there is none.
 */
#define PV_WHO_MAGIC 0x3f4f4857u /* "WHO?" */
#define PV_WHO_PROGRAM 120
struct pv_who {
	u32 magic;
	u32 uid;
	char program[PV_WHO_PROGRAM]; /* as execve() had it, or its end; filled up with NUL */
};

#define PV_RECV_ADDR_OFF 32
#define PV_RECV_CTL_OFF 64
struct pv_recv {
	u32 addr_len, ctl_len, data_len;
	u32 msg_flags;
	u32 full_len; /* length of the datagram, for MSG_TRUNC */
};

/*
 * PV_DECODE: may an instruction at the system call site be replaced by a jump, to a place where a copy of
 * it goes on into the kernel? The code in the buffer should reach 128 bytes to both sides.
 */
struct pv_site {
	u32 kind; /* enum pv_site_kind */
	u32 patch_off; /* offset in the buffer of the first byte to replace */
	u32 patch_len; /* whole instructions, >= 5 */
	u32 nr;   /* PV_SITE_MOV. PV_SITE_PREV: offset in the instruction of 4 bytes that are relative to rip; ~0: none */
	u32 hole; /* PV_SITE_PREV: offset of unused bytes, which `jmp rel8` at patch_off reaches; 0: not needed */
	u32 hole_len; /* 5, and what is left of the instruction that the fifth of them is in */
};
enum pv_site_kind {
	PV_SITE_NONE = 0,
	PV_SITE_MOV = 1,  /* mov $nr,%eax directly before the syscall: safe at any time */
	PV_SITE_TAIL = 2, /* syscall and the instruction(s) behind it: only before first run */
	/*
	 * Any other one directly before the syscall (xor %eax,%eax ...): safe at any time. One that is too short for
	 * `jmp rel32` gets a `jmp rel8` to one in the hole.
	 */
	PV_SITE_PREV = 3,
};

struct pv_proc_stat {
	u64 resident, shared; /* bytes; shared: the part that files and shared memory back */
	u64 minflt, majflt;
	u32 state; /* of the thread: the host's letter, 'R', 'S', 'D' ... */
	u32 pad;
};

/*
 * What the hypervisor wants of the running guest. It posts an event, counts up ring_header.events and kicks vm0;
 * the guest then takes events until there are none, and answers each with PV_EVENT_DONE exactly once.
 * Unlike everything else in this file the hypervisor asks here, and the guest believes it.
 *
 * Event number 0 is the boot: PV_EVENT_DONE 0 says that pid 1's program was found and could be executed. With
 * boot_info.wait_start pid 1 then waits for PV_EV_START. (A boot that fails ends with PV_POWEROFF.)
 */
enum pv_event_kind {
	/* pid 1 executes its program. Result 0 once it does; if it can't, PV_POWEROFF follows instead. */
	PV_EV_START = 1,
	/* A further process: pv_event.process. Result: its guest pid once the program is executed, or -errno and a text. */
	PV_EV_EXEC = 2,
	/* Signal sig to target: 0 = pid 1, PV_TO_ALL = all processes, else the process of that PV_EV_EXEC. 0 or -ESRCH. */
	PV_EV_SIGNAL = 3,
	/* Signal sig (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP) from the terminal of target: to its foreground group. */
	PV_EV_TTY_SIGNAL = 4,
	/* The limits have changed: ncpus, mem_limit. Result 0. */
	PV_EV_LIMITS = 5,
	/*
	 * The processes with a pid above target. Result: the last one's pid if there are more, else 0. Text, a line for
	 * each: pid, parent's pid, uid, number of its terminal (0: none), start (CLOCK_BOOTTIME) and CPU time in ns, command.
	 */
	PV_EV_PROCESSES = 6,
};
#define PV_TO_ALL 0xffffffffu

struct pv_event {
	u32 size;    /* bytes, with all that the offsets below lead to; at most RING_BUF_SIZE */
	u32 event;   /* its number, from 1 */
	u32 kind;
	u32 target;
	u32 sig;
	u32 ncpus;
	u64 mem_limit; /* bytes; 0 = none */
	u32 nfds;    /* descriptors that came with it: PV_TAKE_FD */
	u32 process; /* offset of struct boot_process (ring.h), whose own offsets count from the start of this structure */
};

struct pv_host_stat {
	u64 mem_total, mem_free, mem_available, swap_total, swap_free; /* bytes */
	u64 load[3]; /* fixed point, 1/65536 */
	u64 boot_time; /* seconds since the epoch */
	u64 cgroup_mem_current; /* bytes charged to the container */
};

#endif
