/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the arguments of some calls are, so that most random calls get past the first check: f descriptor, d
 * descriptor of a directory, s path, p pointer, n size, x flags, i small number, t pid, S signal, o offset.
 */
#ifndef FUZZ_SHAPES_H
#define FUZZ_SHAPES_H

#include <asm/unistd_64.h>

static const char *const shapes[512] = {
	[__NR_read] = "fpn", [__NR_write] = "fpn", [__NR_open] = "sxi", [__NR_close] = "f",
	[__NR_stat] = "sp", [__NR_fstat] = "fp", [__NR_lstat] = "sp", [__NR_poll] = "pii",
	[__NR_lseek] = "foi", [__NR_mmap] = "pnixfo", [__NR_mprotect] = "pni", [__NR_munmap] = "pn",
	[__NR_rt_sigaction] = "Sppi", [__NR_rt_sigprocmask] = "ippi", [__NR_ioctl] = "fxp",
	[__NR_pread64] = "fpno", [__NR_pwrite64] = "fpno", [__NR_readv] = "fpi", [__NR_writev] = "fpi",
	[__NR_access] = "si", [__NR_pipe] = "p", [__NR_select] = "ipppp", [__NR_mremap] = "pnnip",
	[__NR_msync] = "pni", [__NR_mincore] = "pnp", [__NR_madvise] = "pni", [__NR_dup] = "f",
	[__NR_dup2] = "ff", [__NR_nanosleep] = "pp", [__NR_getitimer] = "ip", [__NR_alarm] = "i",
	[__NR_setitimer] = "ipp", [__NR_sendfile] = "ffpn", [__NR_socket] = "iii",
	[__NR_connect] = "fpi", [__NR_accept] = "fpp", [__NR_sendto] = "fpnxpi",
	[__NR_recvfrom] = "fpnxpp", [__NR_sendmsg] = "fpx", [__NR_recvmsg] = "fpx",
	[__NR_shutdown] = "fi", [__NR_bind] = "fpi", [__NR_listen] = "fi", [__NR_getsockname] = "fpp",
	[__NR_getpeername] = "fpp", [__NR_socketpair] = "iiip", [__NR_setsockopt] = "fiipi",
	[__NR_getsockopt] = "fiipp", [__NR_wait4] = "tpxp", [__NR_kill] = "tS", [__NR_fcntl] = "fip",
	[__NR_flock] = "fi", [__NR_fsync] = "f", [__NR_truncate] = "so", [__NR_ftruncate] = "fo",
	[__NR_getdents] = "fpn", [__NR_getcwd] = "pn", [__NR_chdir] = "s", [__NR_fchdir] = "f",
	[__NR_rename] = "ss", [__NR_mkdir] = "si", [__NR_rmdir] = "s", [__NR_creat] = "si",
	[__NR_link] = "ss", [__NR_unlink] = "s", [__NR_symlink] = "ss", [__NR_readlink] = "spn",
	[__NR_chmod] = "si", [__NR_fchmod] = "fi", [__NR_chown] = "sii", [__NR_fchown] = "fii",
	[__NR_umask] = "i", [__NR_getrlimit] = "ip", [__NR_getrusage] = "ip", [__NR_setpgid] = "tt",
	[__NR_getpgid] = "t", [__NR_getsid] = "t", [__NR_sigaltstack] = "pp", [__NR_mknod] = "sio",
	[__NR_statfs] = "sp", [__NR_fstatfs] = "fp", [__NR_prctl] = "ipppp", [__NR_mount] = "sssxp",
	[__NR_umount2] = "sx", [__NR_setxattr] = "sspnx", [__NR_getxattr] = "sspn",
	[__NR_listxattr] = "spn", [__NR_removexattr] = "ss", [__NR_fsetxattr] = "fspnx",
	[__NR_fgetxattr] = "fspn", [__NR_futex] = "piippi", [__NR_getdents64] = "fpn",
	[__NR_timer_create] = "ipp", [__NR_timer_settime] = "iipp", [__NR_timer_delete] = "i",
	[__NR_clock_gettime] = "ip", [__NR_clock_nanosleep] = "iipp", [__NR_epoll_ctl] = "fifp",
	[__NR_epoll_wait] = "fpii", [__NR_tgkill] = "ttS", [__NR_utimes] = "sp", [__NR_waitid] = "itpxp",
	[__NR_inotify_add_watch] = "fsx", [__NR_inotify_rm_watch] = "fi", [__NR_openat] = "dsxi",
	[__NR_mkdirat] = "dsi", [__NR_mknodat] = "dsio", [__NR_fchownat] = "dsiix",
	[__NR_newfstatat] = "dspx", [__NR_unlinkat] = "dsx", [__NR_renameat] = "dsds",
	[__NR_linkat] = "dsdsx", [__NR_symlinkat] = "sds", [__NR_readlinkat] = "dspn",
	[__NR_fchmodat] = "dsi", [__NR_faccessat] = "dsi", [__NR_pselect6] = "ippppp",
	[__NR_ppoll] = "pippi", [__NR_set_robust_list] = "pi", [__NR_splice] = "fpfpnx",
	[__NR_tee] = "ffnx", [__NR_vmsplice] = "fpix", [__NR_utimensat] = "dspx",
	[__NR_epoll_pwait] = "fpiipi", [__NR_signalfd] = "fpi", [__NR_timerfd_create] = "ix",
	[__NR_fallocate] = "fxoo", [__NR_timerfd_settime] = "fipp", [__NR_timerfd_gettime] = "fp",
	[__NR_accept4] = "fppx", [__NR_signalfd4] = "fpix", [__NR_eventfd2] = "ix",
	[__NR_epoll_create1] = "x", [__NR_dup3] = "ffx", [__NR_pipe2] = "px", [__NR_preadv] = "fpio",
	[__NR_pwritev] = "fpio", [__NR_rt_tgsigqueueinfo] = "ttSp", [__NR_recvmmsg] = "fpixp",
	[__NR_prlimit64] = "tipp", [__NR_sendmmsg] = "fpix", [__NR_getcpu] = "pp",
	[__NR_process_vm_readv] = "tpipi", [__NR_process_vm_writev] = "tpipi",
	[__NR_renameat2] = "dsdsx", [__NR_getrandom] = "pnx", [__NR_memfd_create] = "sx",
	[__NR_execveat] = "dsppx", [__NR_mlock2] = "pnx", [__NR_copy_file_range] = "fpfpnx",
	[__NR_preadv2] = "fpioox", [__NR_pwritev2] = "fpioox", [__NR_statx] = "dsxxp",
	[__NR_clone3] = "pn", [__NR_close_range] = "ffx", [__NR_openat2] = "dspn",
	[__NR_faccessat2] = "dsix", [__NR_epoll_pwait2] = "fpippi", [__NR_futex_waitv] = "pixpi",
	[__NR_pidfd_open] = "tx", [__NR_pidfd_send_signal] = "fSpx", [__NR_pidfd_getfd] = "ffx",
};

#endif
