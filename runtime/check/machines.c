// SPDX-License-Identifier: Apache-2.0
/* The machines that guests can run on. The proof is a container. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check/check.h"
#include "lib/cleanup.h"
#include "vm/guest.h"

#define BOOT_TIMEOUT_MS 20000

/* The image says which version it was built from: the two must be of one build. */
static void check_image(struct report *r)
{
	static const char version[] = "Callgate " CALLGATE_VERSION;
	struct guest g = { .image_fd = -1 };
	struct error err;
	struct stat st;
	void *image;
	bool same;

	if (guest_open_image(&g, MACHINE_PV, &err) || fstat(g.image_fd, &st)) {
		report(r, "guest kernel", CHECK_MISSING, "install callgate as a whole", "%s", err.text);
		return;
	}
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, g.image_fd, 0);
	close(g.image_fd);
	same = image != MAP_FAILED &&
	       memmem(image, (size_t)st.st_size, version, sizeof(version) - 1);
	if (image != MAP_FAILED)
		munmap(image, (size_t)st.st_size);
	if (same)
		report(r, "guest kernel", CHECK_OK, NULL, "%s", version);
	else
		report(r, "guest kernel", CHECK_MISSING, "install callgate as a whole",
		       "the image is not %s", version);
}

static _Noreturn void run_container(int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
	    dup2(output, STDERR_FILENO) >= 0)
		execl("/proc/self/exe", "callgate", "do", "--", "/bin/sh", "-c", "exit 42", NULL);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Returns its wait status, or -1 if it never ended. */
static int wait_for_end(pid_t pid)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	bool ended = pidfd >= 0 && poll(&pfd, 1, BOOT_TIMEOUT_MS) == 1;
	int status;

	if (!ended)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return ended ? status : -1;
}

static void check_pv(struct report *r)
{
	cleanup_file FILE *output = tmpfile();
	int64_t start = now_ms();
	char line[512] = "it did not say why";
	int status = -1;
	pid_t pid = output ? fork() : -1;

	if (!pid)
		run_container(fileno(output));
	if (pid > 0)
		status = wait_for_end(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 42) {
		report(r, "machine pv", CHECK_OK, NULL, "a container ran and ended in %lld ms",
		       (long long)(now_ms() - start));
		return;
	}
	if (output) {
		rewind(output);
		if (fgets(line, sizeof(line), output))
			line[strcspn(line, "\n")] = '\0';
	}
	report(r, "machine pv", CHECK_MISSING, "see the lines above; callgate --debug do -- true says more",
	       "no container runs: %s", status == -1 ? "it did not end in time" : line);
}

/* No guest runs: /dev/kvm is only asked what it has. */
static void check_kvm(struct report *r)
{
	char reason[256];
	enum machine chosen = machine_choose(MACHINE_AUTO, reason, sizeof(reason));

	report(r, "machine kvm", CHECK_PLANNED, NULL, "%susable: %s; experimental in this version, the default is pv",
	       chosen == MACHINE_KVM ? "" : "not ", reason);
	report(r, "machine auto", CHECK_PLANNED, NULL, "--machine=auto takes %s", machine_name(chosen));
}

void check_machines(struct report *r)
{
	check_image(r);
	check_pv(r);
	check_kvm(r);
}
