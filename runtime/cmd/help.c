// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "callgate_version.h"
#include "cmd/cmd.h"

static void print_overview(void)
{
	puts("callgate: runs each OCI container on a guest kernel of its own\n\n"
	     "usage: callgate [OPTIONS] COMMAND ...\n\n"
	     "commands:");
	for (const struct command *c = commands; c->name; c++)
		printf("  %-10s %s\n", c->name, c->summary);
	puts("\noptions:\n"
	     "  --debug                   say more on stderr\n"
	     "  --log FILE                write errors to FILE as well\n"
	     "  --log-format FMT          text or json (default: text)\n"
	     "  --root DIR                where containers' state is kept\n"
	     "  --systemd-cgroup          let systemd make the cgroups\n"
	     "  --cgroup-manager MANAGER  cgroupfs (default), systemd, or disabled: no cgroups\n"
	     "  --rootless BOOL           may there be no right to cgroups? (default: auto)\n"
	     "  --data-plane PATH         how stream sockets' data travels: donate (default) or ring\n"
	     "  --machine MACHINE         what the guest kernel runs on: pv (default), kvm, or auto\n"
	     "  -v, --version             print the version\n"
	     "  -h, --help                print this");
}

void cmd_print_usage(const struct command *command)
{
	if (!command) {
		print_overview();
		return;
	}
	printf("usage: callgate %s %s\n\n%s\n", command->name, command->args, command->summary);
	if (command->options[0])
		printf("\noptions:\n%s", command->options);
}

void cmd_print_version(void)
{
	printf("callgate version %s\ncommit: %s\nspec: %s\n", CALLGATE_VERSION, CALLGATE_COMMIT,
	       CALLGATE_SPEC_VERSION);
}

int cmd_help(const struct globals *globals, int argc, char **argv, struct error *err)
{
	const struct command *command = NULL;

	if (argc > 1) {
		command = cmd_find(argv[1]);
		if (!command)
			return error_set(err, EINVAL, "unknown command '%s'", argv[1]);
	}
	cmd_print_usage(command);
	return 0;
}
