// SPDX-License-Identifier: Apache-2.0
/* From a specification to a hypervisor process: a fork of ourselves, without an exec. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch/launch.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "oci/hooks.h"
#include "vm/cgroup.h"
#include "vm/vm.h"

/* In the hypervisor process. */
struct child {
	struct launch *l;
	int ready_fd;
};

/* Our parent may be gone, or may not be told any more: then we have to say it ourselves. */
static void report_failure(int ready_fd, bool created, const struct error *err)
{
	struct launch_message message = { .kind = LAUNCH_FAILED, .created = created, .error = *err };

	if (send(ready_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		log_error(err->text);
}

/* The runtime's hooks run where it is, the container's here; both before the root is changed. */
static int namespaces_made(void *ctx, struct error *err)
{
	struct child *c = ctx;
	const struct oci_spec *spec = c->l->spec;
	cleanup_free char *state = NULL;
	char word = LAUNCH_NAMESPACES;

	if (send(c->ready_fd, &word, 1, MSG_NOSIGNAL) != 1 ||
	    recv(c->ready_fd, &word, 1, 0) != 1 || word != LAUNCH_GO)
		return error_set(err, ECANCELED, "whoever creates the container is gone");
	if (!spec->hooks.create_container.n)
		return 0;
	state = launch_hook_state(&c->l->state, STATUS_CREATING, spec);
	return hooks_run(&spec->hooks.create_container, "createContainer", state, spec->root.path,
			 err);
}

static bool has_stage(const struct oci_spec *spec)
{
	const struct oci_hooks *h = &spec->hooks;

	return h->prestart.n || h->create_runtime.n || h->create_container.n || spec->linux_.n_net_devices;
}

static int run_hypervisor(struct launch *l, struct vm_config *cfg, struct error *err)
{
	int ret;

	/* keys meant for us, at a terminal, are not for the hypervisor as well */
	setsid();
	l->state.init = state_process_self();
	cfg->pid = l->state.init.pid;
	ret = state_write(l->globals->root, &l->state, err);
	if (ret)
		return ret;
	if (l->console.used && l->console.slave >= 0) {
		ret = console_attach(&l->console, err);
		if (ret)
			return ret;
	}
	if (l->spec->hooks.start_container.n)
		cfg->hook_state = launch_hook_state(&l->state, STATUS_CREATED, l->spec);
	return hypervisor_main(cfg, err);
}

static void __attribute__((noreturn)) child(struct launch *l, int life_fd, int ready_fd, bool in_cgroup)
{
	struct error err = { 0 };
	struct child self = { l, ready_fd };
	struct vm_config cfg = {
		.spec = l->spec,
		.id = l->spec->id,
		.bundle = l->spec->bundle,
		.state_dir = arena_printf(&l->spec->arena, "%s/%s", l->globals->root, l->spec->id),
		.states_dir = l->globals->root,
		.n_fds = STDERR_FILENO + 1 + l->extra_fds,
		.debug = l->globals->debug,
		.machine = l->machine,
		.data_rings = l->globals->data_rings,
		.in_cgroup = in_cgroup,
		.start_at_once = l->at_once,
		.detach = l->detach,
		.keep = l->keep,
		.life_fd = life_fd,
		.ready_fd = ready_fd,
		.notify_fd = l->notify_fd,
		.policies = &l->policies,
		.policy_log = l->policy_log,
		.namespaces_made = has_stage(l->spec) ? namespaces_made : NULL,
		.ctx = &self,
	};
	sigset_t all;
	int status;

	/* a signal may be for the container from now on */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close(l->life_fd);
	close(l->ready_fd);
	close(l->signal_fd);
	log_keep_open();
	status = run_hypervisor(l, &cfg, &err);
	if (err.code)
		report_failure(ready_fd, status >= 0, &err);
	_exit(status < 0 ? EXIT_FAILURE : status);
}

/* All else that glibc's fork() does for a process without threads is to keep the number that it has noted of itself. */
pid_t launch_clone(uint64_t flags, int cgroup)
{
	struct clone_args a = {
		.flags = flags | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | (cgroup < 0 ? 0 : CLONE_INTO_CGROUP),
		.exit_signal = SIGCHLD,
		.cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup,
	};
	int *tid = NULL;

	if (prctl(PR_GET_TID_ADDRESS, &tid))
		return -1;
	a.child_tid = (uint64_t)(uintptr_t)tid;
	if (cgroup >= 0)
		return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	return (pid_t)syscall(SYS_clone, a.flags | SIGCHLD, NULL, NULL, tid, 0);
}

/*
 * A pid namespace of the hypervisor's own: what serves a guest finds no process there but its own and
 * the guest's, and engines that enter it find the container. *cgroup: to be cloned into,
 * or -1; it is -1 afterwards if the process has to enter by itself.
 */
static pid_t fork_in_namespace(int *cgroup)
{
	pid_t pid = *cgroup < 0 ? -1 : launch_clone(CLONE_NEWPID, *cgroup);

	if (pid >= 0)
		return pid;
	*cgroup = -1;
	pid = launch_clone(CLONE_NEWPID, -1);
	/* an ordinary user may not, outside a user namespace; EINVAL: a host kernel without PR_GET_TID_ADDRESS */
	return pid < 0 && (errno == EPERM || errno == EINVAL) ? fork() : pid;
}

/* What is for us alone: the end of the hypervisor, and faults of our own. */
static void forwarded_signals(sigset_t *set)
{
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigdelset(set, ours[i]);
}

static int watch_signals(struct launch *l, struct error *err)
{
	sigset_t set;

	/*
	 * A reader of our output may go away: that must cost neither us nor the hypervisor the
	 * clean-up, and the guest has to hear of it from its own kernel.
	 */
	signal(SIGPIPE, SIG_IGN);
	forwarded_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &l->old_mask);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signal_fd < 0 ? error_errno(err, errno, "signalfd") : 0;
}

int launch_fork(struct launch *l, struct error *err)
{
	cleanup_close int cgroup_dir = -1;
	int life[2] = { -1, -1 };
	int ready[2], cgroup;
	int ret = watch_signals(l, err);

	if (!ret)
		ret = cgroup_prepare(l->spec->linux_.cgroups_path, &l->spec->linux_.resources, &cgroup_dir, err);
	if (ret)
		return ret;
	/* the kvm machine makes its VM first: see kvm_vm_make() */
	cgroup = l->machine == MACHINE_KVM ? -1 : cgroup_dir;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready))
		return error_errno(err, errno, "socketpair");
	cleanup_close int ready_theirs = ready[1];
	l->ready_fd = ready[0];
	if (pipe2(life, O_CLOEXEC))
		return error_errno(err, errno, "pipe");
	cleanup_close int life_theirs = life[0];
	l->life_fd = life[1];
	fflush(NULL);
	l->pid = fork_in_namespace(&cgroup);
	if (l->pid < 0)
		return error_errno(err, errno, "cannot start the hypervisor");
	if (!l->pid) {
		if (cgroup_dir >= 0)
			close(cgroup_dir);
		child(l, life_theirs, ready_theirs, cgroup >= 0);
	}
	l->state.init = (struct state_process){ l->pid, state_start_time(l->pid) };
	return 0;
}
