/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h: the PV call server, the hypervisor's end of abi/ring.h and abi/pvcall.h.
 *
 * The server is a set of threads in the hypervisor process. The process's own root must be the
 * container's root directory, and its mount namespace must hold nothing else: then the host
 * kernel's own path walk cannot leave the container, whatever the guest asks. The
 * threads change only thread-local state (file system ids, groups, effective
 * capabilities, root, working directory, umask), never that of the whole process.
 *
 * Callbacks run on server threads. They may not call pv_server_stop(). After poweroff,
 * panic or protocol_error the server answers nothing more.
 */
#ifndef CALLGATE_CALL_SERVER_H
#define CALLGATE_CALL_SERVER_H

#include <sys/types.h>

#include "pvcall.h"
#include "call/sockets.h"
#include "types.h"

struct policies;
struct policy_event;

/* The empty read-only tmpfs that lies on the host side where the guest has mounted something. */
struct pv_marker {
	dev_t dev; /* its st_dev; each marker is a file system of its own */
	const char *target; /* absolute path in the container */
};

/* A mount in which unix sockets of the host's kernel are reached, or made. Nothing below it that is mounted itself. */
#define PV_UNIX_MAY_CONNECT 1u
#define PV_UNIX_MAY_LISTEN 2u
struct pv_unix_mount {
	u64 mnt_id; /* of statx() */
	u32 may;
	const char *target; /* of a mount that is attached nowhere on the host: its place in the container; else NULL */
};

enum pv_cgroup_dir { PV_DIR_MEMORY, PV_DIR_CPU, PV_DIR_CPUACCT, PV_DIR_PIDS, PV_DIR_IO, PV_CGROUP_DIRS };

struct pv_server_config {
	void *ring; /* RING_SIZE bytes, shared with the guest */
	int chan_fd; /* SOCK_SEQPACKET, sending end: SCM_RIGHTS messages with a struct pv_donation */
	int rootfd; /* O_PATH of the container's root directory */
	int procfd; /* a detached procfs in which this process is visible */
	int infofd; /* a detached procfs with the host's files (meminfo, sys/net), read-only; 0:
		       procfd has them */
	int vm_procfd; /* a procfs of the VM's pid namespace, for PV_MEM_*; -1: use vm0 */
	int hostname_fd; /* the uts namespace's /proc/sys/kernel/hostname, for writing; 0: it is not the guest's to set */
	int (*thread_begins)(void); /* in the server thread, before all else; 0 or -errno. NULL: nothing to do */
	pid_t vm0; /* the VM's pid 1; 0: none is told of events */
	pid_t vm0_number; /* what procfd knows it by; 0: PV_MEM_* finds no process */
	bool schedules; /* PV_NICE, PV_AFFINITY have effect: this process and the VM's are alone in procfd's pid namespace, which is ours */
	int pid_ns; /* that of the VM, to ask the host kernel about its numbers; -1: unknown */
	int cgroup[PV_CGROUP_DIRS]; /* O_PATH of the container's cgroup, by controller; -1: none */
	bool cgroup_v2;             /* they are all the same, and of version 2 */
	const struct pv_marker *markers; /* copied, with their targets */
	unsigned int nmarkers;
	const struct pv_unix_mount *unix_mounts; /* copied; their targets must outlive the server */
	unsigned int n_unix_mounts;
	bool by_exit; /* no thread waits for requests: who makes them has them served, by serve_next() */
	bool data_rings; /* stream sockets are not donated: their data goes through the rings */
	u64 caps; /* capabilities that the container may ever have: the ceiling of every credential */
	const struct policies *policies; /* call/policy.h; NULL: there are none */
	void *ctx; /* for the callbacks, each of which may be NULL */
	void (*poweroff)(void *ctx, int wait_status);
	void (*panic)(void *ctx, const char *text);
	int (*notify)(void *ctx, const char *text); /* PV_NOTIFY: 0 or -errno */
	void (*protocol_error)(void *ctx, const char *why);
	/* Instead of vm0, and of futexes in the ring: tells the guest of an event, or an answer that it sleeps for. */
	void (*wake_guest)(void *ctx);
	void (*log)(void *ctx, int level, const char *text);
	/* Opens a device of the configuration by its number there: a descriptor or -errno. NULL: there are none. */
	int (*open_device)(void *ctx, u32 number, int flags);
	/* The answer to an event (0: the boot). text is why it failed, "" if nothing was said. */
	void (*event_done)(void *ctx, u32 event, int result, const char *text);
	/* The process that a PV_EV_EXEC started has ended. */
	void (*exited)(void *ctx, u32 event, int wait_status);
	/*
	 * Instead of vm0: host number of a thread given by its number in the VM; 0 or less: there
	 * is none.
	 */
	pid_t (*host_pid)(void *ctx, u32 pid);
	/* A policy in force did not let a connection pass, or would not have done so. */
	void (*connection_event)(void *ctx, enum connection_event what, const struct pv_connection *c);
	void (*policy_event)(void *ctx, const struct policy_event *event);
};

/* The payload of a donation message. */
struct pv_donation {
	u32 sequence; /* from 1, without gaps: the order of sending */
	u32 handle;
};

struct pv_server;

/*
 * Starts the main server thread. The descriptors stay the caller's and must outlive the server. 0
 * or -errno.
 */
int pv_server_start(struct pv_server **out, const struct pv_server_config *config);

/*
 * Enters a descriptor under a handle number of the hypervisor's choosing (stdio, bind mounts below
 * guest-side mounts). Only before the guest runs. Takes over the descriptor on success.
 */
int pv_server_add_handle(struct pv_server *server, u32 id, int fd);

/*
 * Descriptor `index` of guest pid 1 beyond the first three (boot_process.nfds counts all): the guest takes it by
 * PV_TAKE_FD of event 0. Only before the guest runs. Takes over the descriptor on success.
 */
int pv_server_boot_fd(struct pv_server *server, unsigned int index, int fd);

/*
 * Posts an event to the running guest. event->event is chosen here; if there is a process, blob_size bytes
 * lie at event (which is their start), else only the structure counts. The descriptors are taken over on success.
 * The event's number, or -errno: -E2BIG, -EISDIR (a directory, or O_PATH), -EAGAIN (too many are waiting). Any
 * thread but the server's own; callbacks may come before it returns.
 */
#define PV_EVENT_FDS 256
int pv_server_post(struct pv_server *server, const struct pv_event *event, size_t blob_size, const int *fds,
		   unsigned int nfds);

/* The guest's first thread looks for events, and whether records of its trace are asked for. Any thread. */
void pv_server_nudge(struct pv_server *server);

/*
 * Stops serving and frees everything, unless a thread is stuck in a host call: that one keeps
 * its memory until the process exits.
 */
/* False: a thread of it is held up by a file system of the host's; nothing was freed, and the process has to end. */
bool pv_server_stop(struct pv_server *server);

/* Calls fn once for each command that was served at least once. */
struct pv_command_stats {
	const char *name;
	u64 calls, errors, crossings;
};
void pv_server_stats(struct pv_server *server,
		     void (*fn)(void *arg, const struct pv_command_stats *stats), void *arg);

#endif
