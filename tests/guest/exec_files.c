/* SPDX-License-Identifier: Apache-2.0 */
/* execve and execveat: every kind of image, scripts, and what survives. */
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;
static char self[4096], place[4096];

static int run(const char *path, char *const *argv, char *const *envp)
{
	pid_t child = fork();

	if (!child) {
		execve(path, argv, envp);
		_exit(100 + errno);
	}
	return reap(child);
}

static void make_file(const char *name, const char *text, mode_t mode)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	OK(fchmod(fd, mode));
	close(fd);
}

static void test_images(void)
{
	static const char *const names[] = { "nopie", "static", "static_pie", "pie" };
	char path[8192], *argv[] = { "zero", "one", "", NULL };
	int null = OK(open("/dev/null", O_WRONLY)), out = OK(dup(1));

	OK(dup2(null, 1));
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/helper_%s", place, names[i]);
		CHECK(run(path, argv, environ) == 3);
	}
	OK(dup2(out, 1));
	close(null);
	close(out);
}

static void test_errors(void)
{
	char *argv[] = { "x", NULL };

	CHECK(run("/no/such", argv, environ) == 100 + ENOENT);
	CHECK(run("/etc/passwd/x", argv, environ) == 100 + ENOTDIR);
	CHECK(run("/etc/passwd", argv, environ) == 100 + EACCES);
	CHECK(run("/tmp", argv, environ) == 100 + EACCES);
	make_file("text", "hello\n", 0755);
	CHECK(run("./text", argv, environ) == 100 + ENOEXEC);
	make_file("empty", "", 0755);
	CHECK(run("./empty", argv, environ) == 100 + ENOEXEC);
	make_file("elf", "\177ELF junk that is not a program, and long enough for a header......", 0755);
	CHECK(run("./elf", argv, environ) == 100 + ENOEXEC);
	make_file("badscript", "#!/no/such/interpreter\n", 0755);
	CHECK(run("./badscript", argv, environ) == 100 + ENOENT);
	CHECK(run("", argv, environ) == 100 + ENOENT);
}

static void test_too_big(void)
{
	static char *argv[2000], big[131072 + 10];

	memset(big, 'x', sizeof(big) - 1);
	argv[0] = "x";
	argv[1] = big;
	CHECK(run("/bin/true", argv, environ) == 100 + E2BIG);
	big[100000] = 0;
	CHECK(run("/bin/true", argv, environ) == 0);
	for (int i = 0; i < 1999; i++)
		argv[i] = big;
	CHECK(run("/bin/true", argv, environ) == 100 + E2BIG);
}

static void test_script(void)
{
	char *argv[] = { "ignored", "a b", NULL };

	make_file("script", "#!/bin/sh -e\ntest \"$0\" = ./script && test \"$1\" = 'a b' && test $# = 1 && exit 5\n", 0755);
	CHECK(run("./script", argv, environ) == 5);
	make_file("nested", "#! ./script2\n", 0755);
	make_file("script2", "#!/bin/sh\ntest \"$1\" = ./nested && test \"$2\" = 'a b' && exit 6\n", 0755);
	CHECK(run("./nested", argv, environ) == 6);
	make_file("loop", "#!./loop\n", 0755);
	CHECK(run("./loop", argv, environ) == 100 + ELOOP);
}

static void test_environment(void)
{
	char *argv[] = { "sh", "-c", "test \"$A\" = 'x y' && test -z \"$HOME\" && exit 8", NULL };
	char *envp[] = { "A=x y", NULL };

	CHECK(run("/bin/sh", argv, envp) == 8);
}

static void test_by_descriptor(void)
{
	char *argv[] = { self, "quick", NULL };
	int fd = OK(open("/bin/true", O_PATH | O_CLOEXEC));
	pid_t child = fork();

	if (!child) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(1);
	}
	CHECK(reap(child) == 0);
	fd = OK(open(place, O_RDONLY | O_DIRECTORY));
	child = fork();
	if (!child) {
		syscall(SYS_execveat, fd, basename(self), argv, environ, 0);
		_exit(1);
	}
	CHECK(reap(child) == 50);
}

/* Set before exec, looked at after it by the program run with "after". */
static void test_what_survives(void)
{
	char number[32], *argv[] = { self, "after", number, NULL };
	pid_t child = fork();

	if (!child) {
		int kept = OK(open("/dev/null", O_RDONLY)), gone = OK(dup(kept));
		sigset_t set;

		OK(fcntl(gone, F_SETFD, FD_CLOEXEC));
		signal(SIGUSR1, SIG_IGN);
		signal(SIGUSR2, exit);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		raise(SIGHUP);
		umask(031);
		OK(chdir("/usr"));
		OK(prctl(PR_SET_NAME, "renamed"));
		snprintf(number, sizeof(number), "%d %d %d", kept, gone, getpid());
		execv(self, argv);
		_exit(1);
	}
	CHECK(reap(child) == 51);
}

static int after(const char *numbers)
{
	char name[64], cwd[64];
	int kept, gone, pid;
	struct sigaction sa;
	sigset_t set;

	CHECK(sscanf(numbers, "%d %d %d", &kept, &gone, &pid) == 3);
	CHECK(pid == getpid() && fcntl(kept, F_GETFD) == 0);
	FAILS(EBADF, fcntl(gone, F_GETFD));
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	OK(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	OK(sigprocmask(SIG_SETMASK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP));
	OK(sigpending(&set));
	CHECK(sigismember(&set, SIGHUP));
	CHECK(umask(0) == 031 && !strcmp(getcwd(cwd, sizeof(cwd)), "/usr"));
	OK(prctl(PR_GET_NAME, name));
	CHECK(!strncmp(name, basename(self), 15));
	return 51;
}

static void test_auxv(void)
{
	const unsigned char *random = (void *)getauxval(AT_RANDOM);

	CHECK(getauxval(AT_PAGESZ) == 4096 && random && getauxval(AT_PHDR) && getauxval(AT_ENTRY));
	CHECK(getauxval(AT_PHENT) == sizeof(Elf64_Phdr) && getauxval(AT_UID) == getuid());
	CHECK(getauxval(AT_EXECFN) && getauxval(AT_PLATFORM) && getauxval(AT_CLKTCK) == 100);
	CHECK(!strcmp((char *)getauxval(AT_EXECFN), self) || strchr((char *)getauxval(AT_EXECFN), '/'));
}

static void test_text_busy(void)
{
	char *argv[] = { "x", NULL };
	int fd;

	make_file("busy", "#!/bin/sh\nexit 0\n", 0755);
	fd = OK(open("busy", O_WRONLY));
	CHECK(run("./busy", argv, environ) == 100 + ETXTBSY);
	close(fd);
	CHECK(run("./busy", argv, environ) == 0);
}

/* The helper, with a full pipe for its output: it stays until that is closed. */
static pid_t start_helper(bool by_vfork, int out)
{
	char path[8192], *argv[] = { "x", NULL };
	pid_t child;

	snprintf(path, sizeof(path), "%s/helper_pie", place);
	child = OK(by_vfork ? vfork() : fork());
	if (!child) {
		dup2(out, 1);
		execve(path, argv, environ);
		_exit(100 + errno);
	}
	return child;
}

static void check_is_helper(pid_t child)
{
	char name[64], exe[4096];
	ssize_t len;

	snprintf(name, sizeof(name), "/proc/%d/exe", (int)child);
	len = OK(readlink(name, exe, sizeof(exe) - 1));
	exe[len] = 0;
	CHECK(!strcmp(basename(exe), "helper_pie"));
}

/* Who waits for an exec sees the new program: by a descriptor that exec closes, or by vfork. */
static void test_seen_when_done(void)
{
	for (int i = 0; i < 40; i++) {
		int done[2], out[2];
		pid_t child;
		char c;

		OK(pipe2(done, O_CLOEXEC));
		OK(pipe2(out, O_CLOEXEC | O_NONBLOCK));
		while (write(out[1], &(char[4096]){ 0 }, 4096) > 0)
			;
		OK(fcntl(out[1], F_SETFL, 0));
		child = start_helper(i % 2, out[1]);
		close(done[1]);
		if (i % 2 == 0)
			CHECK(read(done[0], &c, 1) == 0);
		check_is_helper(child);
		close(out[0]);
		CHECK(reap(child) == 1000 + SIGPIPE);
		close(out[1]);
		close(done[0]);
	}
}

int main(int argc, char **argv)
{
	char dir[] = "exec.XXXXXX";

	OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	if (argc > 1 && !strcmp(argv[1], "quick"))
		return 50;
	if (argc > 2)
		return after(argv[2]);
	strcpy(place, self);
	dirname(place);
	CHECK(mkdtemp(dir));
	OK(chdir(dir));
	test_images();
	test_errors();
	test_too_big();
	test_script();
	test_environment();
	test_by_descriptor();
	test_what_survives();
	test_auxv();
	test_text_busy();
	test_seen_when_done();
	return 0;
}
