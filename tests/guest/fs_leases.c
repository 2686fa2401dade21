/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, and signals of what happens in a directory (fcntl(2): F_SETLEASE, F_NOTIFY). */
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#define SIG (SIGRTMIN + 1)

static int wait_signal(siginfo_t *info)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIG);
	return sigtimedwait(&set, info, &(struct timespec){ 20, 0 });
}

static void expect_sig(int fd)
{
	siginfo_t info;

	CHECK(wait_signal(&info) == SIG);
	CHECK(info.si_code == POLL_MSG && info.si_fd == fd && (info.si_band & POLLIN));
}

static void drain(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIG);
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) > 0)
		;
}

/* ---- leases ---- */

static void test_read_lease(const char *name)
{
	int w = OK(open(name, O_RDWR | O_CREAT, 0600)), fd = OK(open(name, O_RDONLY)), dir = OK(open(".", O_RDONLY));

	CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK);
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_UNLCK));
	FAILS(EINVAL, fcntl(fd, F_SETLEASE, 77));
	FAILS(EINVAL, fcntl(dir, F_SETLEASE, F_RDLCK));
	FAILS(EBADF, fcntl(999, F_SETLEASE, F_RDLCK));
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK)); /* w may write */
	OK(close(w));
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK);
	OK(close(OK(open(name, O_RDONLY))));
	FAILS(EAGAIN, open(name, O_WRONLY | O_NONBLOCK));
	CHECK(wait_signal(NULL) == SIGIO);
	CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK); /* what it is to become */
	FAILS(EAGAIN, open(name, O_WRONLY | O_NONBLOCK));
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_UNLCK));
	OK(close(OK(open(name, O_WRONLY | O_NONBLOCK))));
	IN_CHILD({
		OK(fchmod(fd, 0666));
		OK(setuid(12345));
		FAILS(EACCES, fcntl(fd, F_SETLEASE, F_RDLCK));
	});
	OK(close(dir));
	OK(close(fd));
}

/* Another process that opens it waits until we give way. */
static void test_break(const char *name, int how, int give)
{
	int fd = OK(open(name, give == F_RDLCK ? O_RDONLY : O_RDWR)), w = OK(open(name, O_WRONLY)), status;
	struct stat st;
	siginfo_t info;
	pid_t child;
	char c = 'x';

	CHECK(pwrite(w, &c, 1, 0) == 1);
	OK(close(w));
	OK(fcntl(fd, F_SETSIG, SIG));
	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK(fcntl(fd, F_GETLEASE) == F_WRLCK);
	child = fork();
	if (!child) {
		int other;

		OK(close(fd));
		other = OK(open(name, how));
		CHECK(read(other, &c, 1) == (how & O_TRUNC ? 0 : 1));
		_exit(0);
	}
	CHECK(wait_signal(&info) == SIG && info.si_code == POLL_MSG && info.si_fd == fd);
	CHECK(fcntl(fd, F_GETLEASE) == ((how & O_ACCMODE) == O_RDONLY ? F_RDLCK : F_UNLCK));
	pause_ms(20);
	CHECK(!waitpid(child, &status, WNOHANG));
	CHECK(!stat(name, &st) && st.st_size == 1); /* nothing is cut before we give way */
	OK(fcntl(fd, F_SETLEASE, give));
	CHECK(reap(child) == 0);
	OK(close(fd));
}

static void test_close(const char *name)
{
	int fd = OK(open(name, O_RDWR)), other;

	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	OK(close(fd)); /* which ends it */
	OK(close(OK(open(name, O_WRONLY | O_NONBLOCK))));
	fd = OK(open(name, O_RDWR));
	other = OK(open(name, O_RDONLY));
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_WRLCK));
	OK(close(other));
	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	FAILS(EAGAIN, open(name, O_RDONLY | O_NONBLOCK));
	drain();
	OK(close(fd));
}

/* ---- many at a time: every opener gets in, and every write lease was alone ---- */

#define ROUNDS 40
static const char *shared;

static void *opener(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(shared, O_RDWR);

		CHECK(fd >= 0 || errno == EINTR);
		if (fd >= 0)
			close(fd);
	}
	return arg;
}

static void test_many(const char *name)
{
	pthread_t threads[3];

	shared = name;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, opener, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(shared, O_RDWR | O_NONBLOCK);

		if (fd >= 0 && !fcntl(fd, F_SETLEASE, F_WRLCK)) {
			CHECK(fcntl(fd, F_GETLEASE) != F_RDLCK);
			pause_ms(1);
			OK(fcntl(fd, F_SETLEASE, F_UNLCK));
		}
		if (fd >= 0)
			close(fd);
	}
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(threads[i], NULL));
	drain();
}

static void leases(const char *name)
{
	test_read_lease(name);
	test_break(name, O_RDONLY, F_RDLCK);
	test_break(name, O_RDWR, F_UNLCK);
	test_break(name, O_RDWR | O_TRUNC, F_UNLCK);
	test_close(name);
	test_many(name);
	OK(unlink(name));
}

/* ---- directories ---- */

static void touch(const char *name)
{
	OK(close(OK(open(name, O_CREAT | O_WRONLY, 0600))));
}

static void notes(const char *dir)
{
	int fd, file;

	OK(mkdir(dir, 0700));
	OK(chdir(dir));
	fd = OK(open(".", O_RDONLY));
	touch("a");
	file = OK(open("a", O_RDWR));
	FAILS(ENOTDIR, fcntl(file, F_NOTIFY, DN_CREATE));
	FAILS(EBADF, fcntl(999, F_NOTIFY, DN_CREATE));
	OK(fcntl(fd, F_NOTIFY, DN_MULTISHOT)); /* none to take back */
	OK(fcntl(fd, F_SETSIG, SIG));
	OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE)); /* once */
	touch("b");
	expect_sig(fd);
	OK(unlink("b"));
	OK(fcntl(fd, F_NOTIFY, DN_MODIFY | DN_MULTISHOT));
	for (int i = 0; i < 2; i++) {
		CHECK(write(file, "x", 1) == 1);
		expect_sig(fd);
	}
	OK(fcntl(fd, F_NOTIFY, DN_RENAME | DN_MULTISHOT)); /* as well */
	OK(rename("a", "c"));
	expect_sig(fd);
	OK(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT));
	OK(chmod("c", 0640));
	expect_sig(fd);
	OK(fcntl(fd, F_NOTIFY, 0)); /* no more */
	CHECK(write(file, "x", 1) == 1);
	OK(fcntl(fd, F_SETSIG, 0));
	OK(fcntl(fd, F_NOTIFY, DN_DELETE));
	OK(unlink("c"));
	CHECK(wait_signal(NULL) == SIGIO);
	OK(close(file));
	OK(close(fd));
	drain();
	OK(chdir(".."));
	OK(rmdir(dir));
}

int main(void)
{
	char dir[64];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIG);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	leases("leased");
	notes("noted");
	snprintf(dir, sizeof(dir), "/dev/shm/leases-%d", (int)getpid());
	OK(mkdir(dir, 0700));
	OK(chdir(dir));
	leases("leased");
	notes("noted");
	OK(rmdir(dir));
	return 0;
}
