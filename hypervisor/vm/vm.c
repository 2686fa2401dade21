// SPDX-License-Identifier: Apache-2.0
/* The life of a VM: set-up, one event loop, the end. */
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call/confine.h"
#include "call/server.h"
#include "kvm/kvm_guest.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/proc.h"
#include "lib/syscall_names.h"
#include "oci/state.h"
#include "vm/bootinfo.h"
#include "vm/commands.h"
#include "vm/connections.h"
#include "vm/container.h"
#include "vm/control.h"
#include "vm/domain.h"
#include "vm/events.h"
#include "vm/filter.h"
#include "vm/guest.h"
#include "vm/jail.h"
#include "vm/namespaces.h"
#include "vm/notify.h"
#include "vm/policy_log.h"
#include "vm/process.h"
#include "vm/start.h"
#include "vm/trace.h"

#define MAX_ERRNO 4096

enum vm_end { VM_RUNS, VM_POWEROFF, VM_FAILED };

/* What a VM that did not end by itself exits with, as a container whose init had that signal. */
enum {
	EXIT_KILLED = 128 + SIGKILL,
	EXIT_CRASHED = 128 + SIGABRT,
};

struct vm {
	const struct vm_config *cfg;
	struct container container;
	struct guest guest;
	struct control control;
	struct command_ctx commands; /* of the control socket */
	struct vm_events events;
	struct vm_counters counters;
	struct policy_log policy_log;
	struct notify notify;
	struct vm_trace trace;
	struct connection_log connections;
	struct pv_server *server;
	int signal_fd;
	uint64_t signals; /* for the guest, not posted yet: bit n - 1 = signal n */
	int null_fd;      /* of the host, until stdio is dropped */
	pid_t vm0_number; /* in the container's procfs */
	int pid_ns;       /* of vm0; -1: no telling */
	int life_fd;      /* -1: nobody's life counts any more */
	bool ready;       /* created */
	/* Set by server threads, under lock; then event_fd is written. */
	pthread_mutex_t lock;
	int event_fd;
	enum vm_end end;
	int wait_status; /* of the guest's init; of a failed VM, an errno */
	bool killed;     /* a failed VM: from outside */
	char reason[900];
	char last_message[400]; /* of the guest kernel, for a boot that fails */
};

/* The first end is the one that counts. Any thread. */
static void vm_end(struct vm *vm, enum vm_end how, int wait_status, const char *reason)
{
	uint64_t one = 1;

	pthread_mutex_lock(&vm->lock);
	if (vm->end == VM_RUNS) {
		vm->end = how;
		vm->wait_status = wait_status;
		snprintf(vm->reason, sizeof(vm->reason), "%s", reason);
	}
	pthread_mutex_unlock(&vm->lock);
	if (write(vm->event_fd, &one, sizeof(one)) < 0)
		abort();
}

/* The first program could not be executed; the guest kernel's last message says why. */
static void boot_failed(struct vm *vm, int error)
{
	static const char head[] = "kernel: error: ";
	const char *why = vm->last_message;
	char reason[500];

	if (!strncmp(why, head, sizeof(head) - 1))
		why += sizeof(head) - 1;
	snprintf(reason, sizeof(reason), "unable to start container process: %.*s",
		 (int)strcspn(why, "\n"), why);
	vm_end(vm, VM_FAILED, error, reason);
}

static void on_poweroff(void *ctx, int wait_status)
{
	struct vm *vm = ctx;

	if (wait_status >= 0)
		vm_end(vm, VM_POWEROFF, wait_status, "");
	else
		boot_failed(vm, wait_status > -MAX_ERRNO ? -wait_status : EIO);
}

static void on_panic(void *ctx, const char *text)
{
	struct vm *vm = ctx;
	char reason[880];

	snprintf(reason, sizeof(reason), "guest kernel panic: %s", text);
	/* vm0's word for what only the host could have done; whoever lies about it gains a number */
	if (strstr(text, "SIGKILL"))
		vm->killed = true;
	vm_end(vm, VM_FAILED, EIO, reason);
}

static void on_protocol_error(void *ctx, const char *why)
{
	char reason[880];

	snprintf(reason, sizeof(reason), "the guest broke the PV call protocol: %s", why);
	vm_end(ctx, VM_FAILED, EPROTO, reason);
}

static void on_log(void *ctx, int level, const char *text)
{
	struct vm *vm = ctx;

	snprintf(vm->last_message, sizeof(vm->last_message), "%s", text);
	if (vm->cfg->debug)
		fprintf(stderr, "guest[%d]: %s\n", level, text);
}

static int on_notify(void *ctx, const char *text)
{
	struct vm *vm = ctx;

	return notify_message(&vm->notify, text);
}

static void on_event_done(void *ctx, u32 event, int result, const char *text)
{
	struct vm *vm = ctx;

	vm_events_done(&vm->events, event, result, text);
}

static void on_exited(void *ctx, u32 event, int wait_status)
{
	struct vm *vm = ctx;

	vm_events_exited(&vm->events, event, wait_status);
}

static void on_policy_event(void *ctx, const struct policy_event *event)
{
	struct vm *vm = ctx;

	policy_log_write(&vm->policy_log, event);
	connections_note_policy(&vm->connections, event);
}

static void on_connection(void *ctx, enum connection_event what, const struct pv_connection *c)
{
	struct vm *vm = ctx;

	connections_note(&vm->connections, what, c);
}

static int post_event(void *server, const struct pv_event *event, size_t size, const int *fds, unsigned int nfds)
{
	return pv_server_post(server, event, size, fds, nfds);
}

static int raise_limits(void)
{
	struct rlimit files = { 1 << 20, 1 << 20 };

	/* each open file of the guest is a descriptor here and in guest processes */
	if (setrlimit(RLIMIT_NOFILE, &files)) {
		getrlimit(RLIMIT_NOFILE, &files);
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return 0;
}

static int on_open_device(void *ctx, uint32_t number, int flags)
{
	struct vm *vm = ctx;

	return devices_open(&vm->container.devices, number, flags);
}

static void open_cgroups(const struct vm *vm, struct pv_server_config *sc)
{
	static const char *const controllers[PV_CGROUP_DIRS] = {
		[PV_DIR_MEMORY] = "memory", [PV_DIR_CPU] = "cpu", [PV_DIR_CPUACCT] = "cpuacct",
		[PV_DIR_PIDS] = "pids",	    [PV_DIR_IO] = "blkio",
	};

	for (int i = 0; i < PV_CGROUP_DIRS; i++)
		sc->cgroup[i] = cgroup_dir(&vm->container.cgroups, vm->cfg->spec->linux_.cgroups_path, controllers[i]);
}

static void on_wake_guest(void *ctx)
{
	struct vm *vm = ctx;

	kvm_guest_notify(vm->guest.kvm);
}

static void on_trace_nudge(void *ctx)
{
	struct vm *vm = ctx;

	pv_server_nudge(vm->server);
}

static int start_server(struct vm *vm, struct error *err)
{
	struct container *c = &vm->container;
	cleanup_free struct pv_marker *markers = calloc(c->n_mounts + 1, sizeof(*markers));
	cleanup_free struct pv_unix_mount *unix_mounts = calloc(c->n_mounts + 1, sizeof(*unix_mounts));
	struct pv_server_config sc = {
		.ring = vm->guest.ring,
		.chan_fd = vm->guest.chan_fd,
		.rootfd = c->rootfd,
		.procfd = c->procfd,
		.infofd = c->infofd,
		.hostname_fd = c->hostname_fd,
		.vm_procfd = -1,
		.thread_begins = jail_hypervisor,
		.vm0 = vm->guest.vm0,
		.vm0_number = vm->vm0_number,
		.pid_ns = vm->pid_ns,
		.schedules = !vm->guest.kvm && getpid() == 1 && vm->guest.vm0 == vm->vm0_number,
		.cgroup_v2 = c->cgroups.unified,
		.markers = markers,
		.unix_mounts = unix_mounts,
		.by_exit = vm->guest.kvm,
		.wake_guest = vm->guest.kvm ? on_wake_guest : NULL,
		.data_rings = vm->cfg->data_rings && !vm->guest.kvm,
		.caps = vm->cfg->spec->process.capabilities.bounding |
			vm->cfg->spec->process.capabilities.permitted,
		.policies = vm->cfg->policies,
		.policy_event = on_policy_event,
		.connection_event = on_connection,
		.ctx = vm,
		.poweroff = on_poweroff,
		.panic = on_panic,
		.protocol_error = on_protocol_error,
		.log = on_log,
		.notify = on_notify,
		.open_device = on_open_device,
		.event_done = on_event_done,
		.exited = on_exited,
	};
	int ret;

	for (size_t i = 0; markers && i < c->n_mounts; i++)
		if (c->mounts[i].marker_dev)
			markers[sc.nmarkers++] = (struct pv_marker){ c->mounts[i].marker_dev, c->mounts[i].target };
	for (size_t i = 0; unix_mounts && i < c->n_mounts; i++)
		if (c->mounts[i].unix_sockets)
			unix_mounts[sc.n_unix_mounts++] =
				(struct pv_unix_mount){ c->mounts[i].mnt_id, c->mounts[i].unix_sockets,
							c->mounts[i].kind == MOUNT_HOST ? NULL : c->mounts[i].target };
	if (sc.n_unix_mounts && sc.data_rings)
		return error_set(err, ENOTSUP, "mounts: option 'callgate.unix' needs --data-plane=donate");
	open_cgroups(vm, &sc);
	ret = markers && unix_mounts ? pv_server_start(&vm->server, &sc) : -ENOMEM;
	vm->events.server = vm->connections.server = vm->server;
	vm->events.post = post_event;
	return ret ? error_errno(err, -ret, "PV call server") : 0;
}

static int add_handle(struct vm *vm, uint32_t handle, int fd, struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), ret;

	ret = copy < 0 ? -errno : pv_server_add_handle(vm->server, handle, copy);
	return ret ? error_errno(err, -ret, "descriptor %d for the guest", fd) : 0;
}

static int add_boot_fd(struct vm *vm, int fd, struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), ret;

	ret = copy < 0 ? -errno : pv_server_boot_fd(vm->server, (unsigned int)fd, copy);
	return ret ? error_errno(err, -ret, "descriptor %d for the guest", fd) : 0;
}

/* A directory, or a name of one, leads by ".." to all of the file system that it is in: the host's. */
static int add_inherited(struct vm *vm, int i, struct error *err)
{
	struct stat st;

	if (fstat(i, &st))
		return 0; /* closed */
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "descriptor %d is a directory of the host: a container can not have it", i);
	if (i > STDERR_FILENO)
		return add_boot_fd(vm, i, err);
	return add_handle(vm, (uint32_t)(BOOT_HANDLE_STDIO + i), i, err);
}

static int add_handles(struct vm *vm, struct error *err)
{
	const struct container *c = &vm->container;
	uint32_t next = BOOT_HANDLE_BIND;
	int ret = 0;

	for (int i = 0; i < (int)vm->cfg->n_fds && !ret; i++)
		ret = add_inherited(vm, i, err);
	for (size_t i = 0; i < c->n_mounts && !ret; i++)
		if (c->mounts[i].kind == MOUNT_BIND_UNDER_GUEST)
			ret = add_handle(vm, next++, c->mounts[i].fd, err);
	return ret;
}

static int open_null(struct vm *vm, struct error *err)
{
	vm->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return vm->null_fd < 0 ? error_errno(err, errno, "/dev/null") : 0;
}

/* From here on only the handle table keeps them open: who waits for their end is told of it. */
static int drop_inherited(struct vm *vm, struct error *err)
{
	for (int i = 0; i < (int)vm->cfg->n_fds; i++) {
		if (i > STDERR_FILENO)
			close(i);
		else if ((i < STDERR_FILENO || !vm->cfg->debug) && dup2(vm->null_fd, i) < 0)
			return error_errno(err, errno, "descriptor %d", i);
	}
	close(vm->null_fd);
	return 0;
}

/* Every signal but those that faults of our own raise. */
static int watch(struct vm *vm, struct error *err)
{
	sigset_t set;

	sigfillset(&set);
	vm->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	vm->event_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->signal_fd < 0 || vm->event_fd < 0 || vm_events_init(&vm->events) ||
	    connections_init(&vm->connections, vm->cfg->id))
		return error_errno(err, errno, "event descriptors");
	return 0;
}

/* A snapshot of what the guest counts. It is the guest's word, for display only. */
static const struct vm_counters *read_counters(void *ctx)
{
	struct vm *vm = ctx;
	const struct guest_counters *g =
		(const struct guest_counters *)((const char *)vm->guest.ring + RING_COUNTERS_OFF);
	struct vm_counters *c = &vm->counters;

	memset(c, 0, sizeof(*c));
	for (int row = 0; row < COUNTED_ROWS; row++)
		c->host_calls += g->rows[row][ROW_HOSTCALLS];
	for (int i = 0; i < COUNTED_CALLS; i++) {
		uint32_t calls = g->calls[i], missing = g->missing[i], pv = g->pvcalls[i];

		for (int row = 0; row < COUNTED_ROWS; row++)
			calls += g->rows[row][i];
		c->missing[i] = missing;
		c->proxied[i] = pv ? calls - missing : 0;
		c->local[i] = pv ? 0 : calls - missing;
		c->host_calls += g->hostcalls[i];
		c->pv_calls += pv;
	}
	c->cpuid_served = g->cpuid_served;
	c->cpuid_executed = g->cpuid_executed;
	return c;
}

static json_t *read_exits(void *ctx)
{
	const struct vm *vm = ctx;

	return vm->guest.kvm ? kvm_guest_exits(vm->guest.kvm) : NULL;
}

static json_t *read_cpus(void *ctx)
{
	const struct vm *vm = ctx;

	return vm->guest.kvm ? kvm_guest_look(vm->guest.kvm) : NULL;
}

static void has_started(void *ctx)
{
	const struct vm *vm = ctx;

	state_started_in(vm->container.state_fd);
}

/* A startContainer hook has failed, or there is no telling whether it did. */
static void start_failed(void *ctx, const char *why)
{
	vm_end(ctx, VM_FAILED, EIO, why);
}

static void read_limits(void *arg, struct pv_event *event)
{
	const struct vm *vm = arg;

	container_limits(&vm->container, vm->cfg->spec->linux_.cgroups_path, &event->ncpus, &event->mem_limit);
}

/* As long as we may look at it. */
static void identify_vm0(struct vm *vm)
{
	char name[40];

	vm->pid_ns = -1;
	if (vm->guest.kvm)
		return;
	vm->vm0_number = proc_number_in(vm->container.procfd, vm->guest.pidfd);
	snprintf(name, sizeof(name), "%d/ns/pid", vm->vm0_number);
	vm->pid_ns = openat(vm->container.procfd, name, O_RDONLY | O_CLOEXEC);
}

static struct boot_info *boot_info(const struct vm *vm)
{
	return (struct boot_info *)((char *)vm->guest.ring + RING_BOOT_OFF);
}

/*
 * vm0 needs nothing that the container is made of: it goes into its jail beside that, which takes as long. Not so where it is
 * to inherit what is known later, or would be in the way: a user namespace, clocks, labels, hooks.
 */
static bool born_early(const struct vm_config *cfg)
{
	const struct oci_namespace *ns = cfg->spec->linux_.namespaces;
	const struct oci_process *p = &cfg->spec->process;

	return cfg->machine == MACHINE_PV && !geteuid() && !ns[OCI_NS_USER].present && !ns[OCI_NS_TIME].present &&
	       !p->apparmor_profile && !p->selinux_label && !cfg->namespaces_made;
}

/* In the container's own ipc and uts namespaces, made for it: guest processes reach neither by any host call. */
static int spawn_vm0(struct vm *vm, struct error *err)
{
	const struct vm_config *cfg = vm->cfg;
	int ret = raise_limits();

	if (!ret)
		ret = domain_enter(cfg->policies, err);
	return ret ? ret : guest_spawn(&vm->guest, JAIL_UID_BASE + (uid_t)cfg->pid, namespaces_own_names(cfg->spec), err);
}

static int placed(void *ctx, struct error *err)
{
	struct vm *vm = ctx;
	int ret = guest_make_memory(&vm->guest, err);

	if (ret)
		return ret;
	trace_init(&vm->trace, vm->guest.ring, on_trace_nudge, vm);
	ret = bootinfo_begin(boot_info(vm), RING_BOOT_MAX, err);
	return ret || !born_early(vm->cfg) ? ret : spawn_vm0(vm, err);
}

static int drop_capabilities(int (*drop)(void), struct error *err)
{
	int ret = drop();

	return ret ? error_errno(err, -ret, "cannot drop the hypervisor's capabilities") : 0;
}

static int serve(struct vm *vm, struct error *err)
{
	int ret = start_server(vm, err);

	if (!ret)
		ret = add_handles(vm, err);
	return ret ? ret : drop_inherited(vm, err);
}

/* A vm0 that was born early may still be on its way: then the server is made first, whose thread drops the rest by itself. */
static int begin_to_serve(struct vm *vm, struct process_setup *setup, struct error *err)
{
	bool early = born_early(vm->cfg);
	int ret = early ? 0 : guest_start(&vm->guest, err);

	if (!ret)
		ret = process_after_guest(setup, vm->cfg->spec, err);
	if (!ret)
		ret = drop_capabilities(early ? jail_hypervisor_for_listener : jail_hypervisor, err);
	if (!ret)
		ret = serve(vm, err);
	if (!ret && early)
		ret = guest_start(&vm->guest, err);
	return ret || !early ? ret : drop_capabilities(jail_hypervisor, err);
}

/* Everything up to the first instruction of the guest. */
static int vm_create(struct vm *vm, struct error *err)
{
	const struct vm_config *cfg = vm->cfg;
	struct guest *g = &vm->guest;
	struct container_stages stages = {
		.in_cgroup = cfg->in_cgroup,
		.state_dir = cfg->state_dir,
		.states_dir = cfg->states_dir,
		.ctx = cfg->ctx,
		.namespaces_made = cfg->namespaces_made,
		.placed = placed,
		.placed_ctx = vm,
		.names_first = born_early(cfg),
	};
	struct process_setup setup;
	int ret = guest_open_image(g, cfg->machine, err);

	if (!ret)
		ret = guest_make_vm(g, err);
	if (!ret)
		ret = process_prepare(&setup, cfg->spec, err);
	if (!ret)
		ret = open_null(vm, err);
	if (!ret)
		ret = control_listen(&vm->control, cfg->state_dir, err);
	vm->commands = (struct command_ctx){
		.events = &vm->events,
		.trace = &vm->trace,
		.connections = &vm->connections,
		.counters = read_counters,
		.exits = read_exits,
		.cpus = read_cpus,
		.limits = read_limits,
		.has_started = has_started,
		.fail = start_failed,
		.vm = vm,
		.cfg = cfg,
		.started = cfg->start_at_once,
	};
	vm->control.commands = vm_commands;
	vm->control.ctx = &vm->commands;
	if (!ret)
		ret = container_enter(cfg->spec, &stages, &vm->container, err);
	if (!ret)
		ret = process_before_guest(&setup, cfg->spec, vm->container.procfd, err);
	if (!ret && !born_early(cfg))
		ret = spawn_vm0(vm, err);
	if (!ret)
		ret = bootinfo_write(boot_info(vm), RING_BOOT_MAX, cfg, &vm->container, err);
	if (!ret)
		ret = watch(vm, err);
	if (!ret)
		identify_vm0(vm);
	return ret ? ret : begin_to_serve(vm, &setup, err);
}

/* ---- events ---- */

/*
 * Keys at the container's terminal, and the size and end of it, are signals of the host's line discipline for our
 * process group: in the guest they are for the foreground group of its terminal.
 */
static bool from_terminal(const struct vm *vm, const struct signalfd_siginfo *si)
{
	return vm->cfg->spec->process.terminal && si->ssi_code == SI_KERNEL;
}

static int post_signal(struct vm *vm, u32 kind, int sig)
{
	const struct pv_event event = { .size = sizeof(event), .kind = kind, .sig = (u32)sig };
	int ret = 0;

	vm_event_forget(vm_events_post(&vm->events, &event, sizeof(event), NULL, 0, NULL, &ret));
	return ret;
}

/* When the guest has too much to do already the rest is kept: a signal of each kind, as the host does it. */
static void post_signals(struct vm *vm)
{
	for (int sig = 1; vm->signals && sig <= 64; sig++) {
		uint64_t bit = 1ULL << (sig - 1);

		if (!(vm->signals & bit))
			continue;
		if (post_signal(vm, PV_EV_SIGNAL, sig))
			return;
		vm->signals &= ~bit;
	}
}

/* What a hook has left behind is the child of its namespace's pid 1. */
static void reap_orphans(const struct vm *vm)
{
	siginfo_t info = { 0 };

	while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid && info.si_pid != vm->guest.vm0)
		waitpid(info.si_pid, NULL, WNOHANG);
}

static void forward_signals(struct vm *vm)
{
	struct signalfd_siginfo si;

	while (read(vm->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		/* the end of vm0, a pipe that nobody reads: our own affairs */
		if (sig == SIGCHLD && si.ssi_code > 0)
			reap_orphans(vm);
		if (si.ssi_pid == (uint32_t)getpid() || (sig == SIGCHLD && si.ssi_code > 0))
			continue;
		if (from_terminal(vm, &si))
			(void)post_signal(vm, PV_EV_TTY_SIGNAL, sig);
		else if (vm->signals & 1ULL << (sig - 1) || post_signal(vm, PV_EV_SIGNAL, sig))
			vm->signals |= 1ULL << (sig - 1);
	}
}

/* A host call that the table does not allow: the guest has been taken over, or has a bug. Either way it ends. */
static void forbidden_call(struct vm *vm)
{
	union {
		struct seccomp_notif n;
		char room[512];
	} u;
	char reason[400];

	memset(&u, 0, sizeof(u));
	if (ioctl(vm->guest.notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &u.n)) {
		if (errno == ENOENT) /* killed meanwhile by one of its own kind */
			vm_end(vm, VM_FAILED, EPERM, "forbidden host call of a guest process that is gone");
		return;
	}
	snprintf(reason, sizeof(reason),
		 "forbidden host call %d (%s%s) from guest process %u (arguments %#llx %#llx %#llx %#llx %#llx %#llx)",
		 u.n.data.nr, syscall_name(u.n.data.nr),
		 filter_call_name(u.n.data.nr) ? ", arguments not allowed" : "", u.n.pid,
		 u.n.data.args[0], u.n.data.args[1], u.n.data.args[2], u.n.data.args[3], u.n.data.args[4],
		 u.n.data.args[5]);
	vm_end(vm, VM_FAILED, EPERM, reason);
}

static void vm0_died(struct vm *vm)
{
	usleep(20000); /* a panic that vm0 reported before its end is the better reason: let it arrive */
	vm->killed = true;
	vm_end(vm, VM_FAILED, EIO, "the VM's first host process (vm0) was killed");
}

static void handle(struct vm *vm, const struct pollfd *fds)
{
	if (fds[0].revents)
		vm0_died(vm);
	if (fds[1].revents)
		forward_signals(vm);
	if (fds[2].revents & POLLIN)
		forbidden_call(vm);
	if (fds[6].revents) {
		vm_events_take(&vm->events);
		post_signals(vm);
	}
	if (fds[7].revents)
		connections_take(&vm->connections);
	if (fds[3].revents)
		control_serve(&vm->control);
	if (fds[4].revents)
		vm_end(vm, VM_FAILED, ECANCELED, "the process that started the container is gone");
}

/* pid 1's program has been found: the container is created. */
static void booted(void *ctx, int result, const char *text)
{
	struct vm *vm = ctx;

	if (result)
		return; /* the guest powers off, and has said why */
	vm->ready = vm->commands.booted = true;
	if (vm->cfg->detach)
		vm->life_fd = -1;
	if (vm->cfg->detach || vm->cfg->keep)
		container_stay(&vm->container);
	else if (vm->cfg->start_at_once)
		return; /* who waits for its end has nothing to do now */
	if (send(vm->cfg->ready_fd, "R", 1, MSG_NOSIGNAL) < 0 && vm->cfg->debug)
		fprintf(stderr, "nobody waits for the container to be created\n");
}

/* The time of the nearest thing to do, ms; -1: none. */
static int loop_timeout(const struct vm *vm)
{
	int start = start_time_left(&vm->commands), trace = trace_timeout(&vm->trace);

	return start < 0 || (trace >= 0 && trace < start) ? trace : start;
}

static void vm_loop(struct vm *vm)
{
	struct pollfd fds[] = {
		{ .fd = vm->guest.pidfd, .events = POLLIN },
		{ .fd = vm->signal_fd, .events = POLLIN },
		{ .fd = vm->guest.notify_fd, .events = POLLIN },
		{ .fd = vm->control.fd, .events = POLLIN },
		{ .fd = vm->life_fd, .events = POLLIN },
		{ .fd = vm->event_fd, .events = POLLIN },
		{ .fd = vm->events.fd, .events = POLLIN },
		{ .fd = vm->connections.fd, .events = POLLIN },
	};

	for (bool rests = false;;) {
		int left = loop_timeout(vm), ready;

		fds[4].fd = vm->life_fd;
		ready = poll(fds, sizeof(fds) / sizeof(fds[0]), left < 0 && !rests ? PAGES_REST_MS : left);
		if (ready < 0)
			continue;
		if (!ready && left < 0) {
			rests = true;
			pages_rest();
		}
		trace_pump(&vm->trace);
		if (fds[5].revents) {
			/* what the guest did before it ended is still to be told: START is answered, a process has exited */
			vm_events_take(&vm->events);
			trace_last(&vm->trace);
			return;
		}
		handle(vm, fds);
		start_check_time(&vm->commands);
	}
}

/* Somebody else cleans up, when we have ended. */
static bool is_waited_for(const struct vm *vm)
{
	struct pollfd life = { .fd = vm->life_fd, .events = POLLIN };

	return vm->cfg->keep || vm->container.states_fd < 0 || poll(&life, 1, 0) <= 0;
}

/* Nobody waits for the container: clean up after ourselves. */
static void leave(struct vm *vm)
{
	const struct vm_config *cfg = vm->cfg;
	struct error ignored = { 0 };

	if (is_waited_for(vm))
		return;
	/* the cgroup is free when the proxies of further processes have seen the end of theirs */
	control_abandon(&vm->control);
	if (container_leave(&vm->container, cfg->spec->linux_.cgroups_path, &ignored))
		log_error(ignored.text);
	if (state_remove_at(vm->container.states_fd, cfg->id))
		log_error("the state of the container could not be removed");
}

/* How the container ends, to whoever takes our exit status. */
static int exit_status(struct vm *vm, struct error *err)
{
	int status = vm->wait_status;

	if (vm->end == VM_POWEROFF)
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	error_set(err, status, "%s", vm->reason);
	if (!vm->ready)
		return -err->code;
	if (cgroup_oom_kills(vm->container.memcg_fd)) {
		vm->killed = true;
		error_set(err, ENOMEM, "container %s ran out of memory: %s", vm->cfg->id, vm->reason);
	}
	return vm->killed ? EXIT_KILLED : EXIT_CRASHED;
}

static void on_vm_end(void *ctx, const char *why)
{
	vm_end(ctx, VM_FAILED, EIO, why);
}

static int vm_run(struct vm *vm, struct error *err)
{
	struct vm_event_listener boot = { .ctx = vm, .done = booted };
	int status;

	if (!vm_events_expect_boot(&vm->events, &boot))
		return error_errno(err, ENOMEM, "boot");
	/* vCPUs are threads, which take on filters of their own: they start before ours, which does not allow it */
	status = vm->guest.kvm ? guest_release(&vm->guest, vm->server, on_vm_end, vm, err) : 0;
	if (status)
		return status;
	status = confine_main_thread(vm->guest.vm0);
	if (status) {
		guest_kill(&vm->guest);
		return error_errno(err, -status, "seccomp filter of the hypervisor");
	}
	if (!vm->guest.kvm && guest_release(&vm->guest, vm->server, on_vm_end, vm, err))
		return -err->code;
	vm_loop(vm);
	/*
	 * With pid 1 of a pid namespace all others of it end, and whoever waits for us is told when they are gone. The host
	 * kernel takes their memory and mounts apart while it does ours.
	 */
	if (vm->end == VM_POWEROFF && getpid() == 1 && !vm->guest.kvm && is_waited_for(vm)) {
		kill(vm->guest.vm0, SIGKILL);
		return exit_status(vm, err);
	}
	/* The server finds guest processes by vm0's number: it must not be anybody else's before the server is done. */
	guest_stop(&vm->guest);
	if (pv_server_stop(vm->server))
		guest_kill(&vm->guest);
	status = exit_status(vm, err);
	leave(vm);
	return status;
}

int hypervisor_main(const struct vm_config *cfg, struct error *err)
{
	struct vm *vm = pages_alloc(sizeof(*vm));
	int ret;

	if (!vm)
		return error_set(err, ENOMEM, "no memory");
	vm->cfg = cfg;
	vm->life_fd = cfg->life_fd;
	policy_log_init(&vm->policy_log, cfg->policy_log, cfg->id);
	vm->notify = (struct notify){ .fd = cfg->notify_fd, .main = cfg->detach ? cfg->pid : 0 };
	pthread_mutex_init(&vm->lock, NULL);
	ret = vm_create(vm, err);
	if (!ret)
		return vm_run(vm, err);
	guest_kill(&vm->guest);
	return ret;
}
