// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cmd/cmd.h"

#define INSTALL_OPTIONS                                                                    \
	"      --docker             only Docker: /etc/docker/daemon.json\n"               \
	"      --podman             only Podman: a file in /etc/containers\n"             \
	"      --containerd         only containerd: /etc/containerd/config.toml\n"       \
	"      --crio               only CRI-O: a file in /etc/crio\n"                    \
	"      --name NAME          what engines call the runtime (default: callgate)\n"  \
	"      --destdir DIR        the system to be changed is under DIR\n"              \
	"      --dry-run            only say what would be done\n"

#define CREATE_OPTIONS                                                                          \
	"  -b, --bundle DIR        folder with config.json (default: the current one)\n"          \
	"      --pid-file FILE     write the container's host process ID to FILE\n"               \
	"      --console-socket S  send the terminal to this AF_UNIX socket\n"                    \
	"      --pidfd-socket S    send a pidfd of its host process to this AF_UNIX socket\n"     \
	"      --preserve-fds N    pass on N descriptors behind the first three\n"                \
	"      --no-pivot          for a root file system on a ramfs\n"                           \
	"      --no-new-keyring    accepted: guests never see the host's keyrings\n"

const struct command commands[] = {
	{ "create", "[OPTIONS] ID", "create a container from a bundle", CREATE_OPTIONS, cmd_create },
	{ "start", "ID", "run the program of a container that has been created", "", cmd_start },
	{ "run", "[OPTIONS] ID", "create and start a container, and wait for its end",
	  CREATE_OPTIONS
	  "  -d, --detach            return when the container runs\n"
	  "      --keep              keep the state when the container has ended\n"
	  "      --no-subreaper      accepted: the guest kernel reaps\n",
	  cmd_run },
	{ "state", "ID", "show the state of a container, in JSON", "", cmd_state },
	{ "list", "[OPTIONS]", "show all containers",
	  "  -f, --format FMT  table or json (default: table)\n"
	  "  -q, --quiet       only their IDs\n",
	  cmd_list },
	{ "kill", "[OPTIONS] ID [SIGNAL]", "send a signal (default: TERM) to a container's init",
	  "  -a, --all  to all its processes\n", cmd_kill },
	{ "delete", "[OPTIONS] ID", "remove what is left of a container that has stopped",
	  "  -f, --force  kill it first; it is no error if there is no such container\n",
	  cmd_delete },
	{ "exec", "[OPTIONS] ID COMMAND [ARG...]", "run a further process in a container",
	  "  -p, --process FILE         its description: an OCI process, in JSON\n"
	  "      --cwd DIR              its working folder\n"
	  "  -e, --env NAME=VALUE       add to its environment\n"
	  "  -t, --tty                  give it a terminal\n"
	  "  -u, --user UID[:GID]       who it is\n"
	  "  -g, --additional-gids GID  a further group\n"
	  "  -d, --detach               return when it runs\n"
	  "      --pid-file FILE        write the ID of its host process to FILE\n"
	  "      --console-socket S     send its terminal to this AF_UNIX socket\n"
	  "      --pidfd-socket S       send a pidfd of its host process to this AF_UNIX socket\n"
	  "      --process-label LABEL  its SELinux label\n"
	  "      --apparmor PROFILE     its AppArmor profile\n"
	  "      --no-new-privs         it can't gain privileges by executing files\n"
	  "  -c, --cap CAP_NAME         add a capability\n"
	  "      --preserve-fds N       pass on N descriptors behind the first three\n"
	  "      --cgroup PATH          only / is possible\n"
	  "      --ignore-paused        even if the container is paused: it then waits\n",
	  cmd_exec },
	{ "ps", "[OPTIONS] ID [PS OPTIONS]", "show the processes of a container",
	  "  -f, --format FMT  table or json: host process IDs (default: table)\n", cmd_ps },
	{ "checkpoint", "ID", "not supported yet", "", cmd_checkpoint },
	{ "restore", "ID", "not supported yet", "", cmd_checkpoint },
	{ "features", "", "show what a configuration may ask for, in JSON", "", cmd_features },
	{ "pause", "ID", "stop all processes of a container", "", cmd_pause },
	{ "resume", "ID", "let the processes of a paused container go on", "", cmd_resume },
	{ "update", "[OPTIONS] ID", "change the limits of a container",
	  "  -r, --resources FILE            linux.resources in JSON, - is stdin; all else is ignored\n"
	  "      --blkio-weight N            weight of input and output, 10 to 1000\n"
	  "      --cpu-period US             the period that --cpu-quota is of\n"
	  "      --cpu-quota US              CPU time in each period\n"
	  "      --cpu-burst US              CPU time that may be saved up\n"
	  "      --cpu-share N               weight of CPU time\n"
	  "      --cpu-rt-period US          the same for real-time processes\n"
	  "      --cpu-rt-runtime US         CPU time of real-time processes in each period\n"
	  "      --cpu-idle N                1: runs only when nobody else does\n"
	  "      --cpuset-cpus LIST          CPUs it may use\n"
	  "      --cpuset-mems LIST          memory nodes it may use\n"
	  "      --memory BYTES              memory limit\n"
	  "      --memory-reservation BYTES  memory that is left to it when there is little\n"
	  "      --memory-swap BYTES         limit of memory and swap together; -1: none\n"
	  "      --pids-limit N              limit of processes and threads\n"
	  "      --kernel-memory BYTES       ignored: it is a part of --memory\n"
	  "      --kernel-memory-tcp BYTES   memory limit of TCP buffers (cgroup v1)\n"
	  "      --l3-cache-schema TEXT      refused: intelRdt is not supported\n"
	  "      --mem-bw-schema TEXT        refused: intelRdt is not supported\n",
	  cmd_update },
	{ "events", "[OPTIONS] ID", "show what a container uses, and when it ran out of memory",
	  "      --interval TIME  between two reports: 500ms, 5s, 1m (default: 5s)\n"
	  "      --stats          one report only\n"
	  "      --connections    instead: what happens to its connections, and what policies refuse\n"
	  "      --format FMT     json, the only one there is\n",
	  cmd_events },
	{ "trace", "[OPTIONS] ID", "show the system calls of a container, and what each cost",
	  "  -e, --expr EXPR        only these: trace=openat,connect or sets as network, file, process; ! inverts\n"
	  "  -c, --summary          only a table at the end: calls, errors, time, PV calls and host calls\n"
	  "  -p, --pid PID          only the process with this number in the container\n"
	  "  -o, --output FILE      write to FILE\n"
	  "  -s, --string-limit N   bytes of strings and buffers that are shown, 0 to 256 (default: 32)\n"
	  "  -t, --timestamps       begin with the time of day\n"
	  "  -T, --time-spent       end with the seconds that the call took\n"
	  "      --no-loss          calls wait when the reader is slow; else it is said how many were lost\n",
	  cmd_trace },
	{ "connections", "[OPTIONS] [ID]", "show the sockets of a container, or of all, and whose they are",
	  "  -f, --format FMT  table or json (default: table)\n"
	  "      --watch       again every second\n",
	  cmd_connections },
	{ "metrics", "[OPTIONS]", "print what all containers use and do, as OpenMetrics text",
	  "  -f, --format FMT  openmetrics or json (default: openmetrics)\n", cmd_metrics },
	{ "top", "[OPTIONS]", "show all containers at work, on the terminal",
	  "  -d, --interval SECONDS  between two looks, 0.1 to 3600 (default: 2)\n", cmd_top },
	{ "do", "[--] COMMAND [ARG...]",
	  "run a command on the host's own files, under a throw-away writable layer", "", cmd_do },
	{ "spec", "[OPTIONS]", "write a config.json to start from",
	  "  -b, --bundle DIR  where to write it (default: the current folder)\n"
	  "      --rootless    for an ordinary user: with a user namespace, without limits\n", cmd_spec },
	{ "debug", "syscalls|exits|cpus ID", "show which system calls a container made, and who served them; exits of virtual CPUs; what these do",
	  "", cmd_debug },
	{ "policy", "check|list|learn [FILE...]", "check and list connection policies, and write one from what was done", "",
	  cmd_policy },
	{ "check", "[--json]", "say whether this host is fit, and what is missing",
	  "      --json  as one JSON object\n", cmd_check },
	{ "install", "[OPTIONS]", "register with the container engines of this machine",
	  INSTALL_OPTIONS
	  "      --runtime-args ARGS  words that the engine puts in front of its own arguments\n",
	  cmd_install },
	{ "uninstall", "[OPTIONS]", "undo what install did", INSTALL_OPTIONS, cmd_uninstall },
	{ "help", "[COMMAND]", "show how to use a command", "", cmd_help },
	{ 0 },
};

const struct command *cmd_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

int cmd_option(int argc, char **argv, const struct option *options, struct error *err)
{
	char short_options[128] = "+:";
	char *p = short_options + 2;
	int c;

	/* the short form of each long option: its value, if that is a character */
	for (const struct option *o = options; o->name; o++) {
		if (o->val >= CHAR_MAX || p + 3 >= short_options + sizeof(short_options))
			continue;
		*p++ = (char)o->val;
		if (o->has_arg)
			*p++ = ':';
	}
	*p = '\0';
	c = getopt_long(argc, argv, short_options, options, NULL);
	if (c == ':') {
		error_set(err, EINVAL, "option %s needs a value", argv[optind - 1]);
		return '?';
	}
	if (c == '?')
		error_set(err, EINVAL, "unknown option %s", argv[optind - 1]);
	return c;
}

int cmd_check_args(int argc, char **argv, int min, int max, struct error *err)
{
	int n = argc - optind;

	if (n < min)
		return error_set(err, EINVAL, "%s: too few arguments; see callgate help %s",
				 argv[0], argv[0]);
	if (n > max)
		return error_set(err, EINVAL, "%s: unexpected argument '%s'", argv[0],
				 argv[optind + max]);
	return 0;
}
