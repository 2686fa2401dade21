/* SPDX-License-Identifier: Apache-2.0 */
/* RLIMIT_FSIZE on every way to make a file larger: SIGXFSZ and EFBIG; up to the limit it succeeds. */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define LIMIT 1000

static volatile sig_atomic_t signals;
static char data[2 * LIMIT];

static void count(int sig)
{
	signals++;
}

/* It fails with EFBIG, and sends one SIGXFSZ. */
#define TOO_BIG(call)                                                                              \
	do {                                                                                       \
		signals = 0;                                                                       \
		FAILS(EFBIG, call);                                                                \
		CHECK(signals == 1);                                                               \
	} while (0)

#define QUIET(call)                                                                                \
	do {                                                                                       \
		signals = 0;                                                                       \
		CHECK(call);                                                                       \
		CHECK(signals == 0);                                                               \
	} while (0)

static off_t size_of(int fd)
{
	struct stat st;

	OK(fstat(fd, &st));
	return st.st_size;
}

static void test_writes(int fd)
{
	struct iovec two[2] = { { data, 700 }, { data, 700 } };

	OK(ftruncate(fd, 0));
	OK(lseek(fd, 0, SEEK_SET));
	QUIET(write(fd, data, 2 * LIMIT) == LIMIT);
	TOO_BIG(write(fd, data, 1));
	QUIET(write(fd, data, 0) == 0);
	TOO_BIG(pwrite(fd, data, 1, LIMIT));
	TOO_BIG(pwrite(fd, data, 1, LIMIT + 5000));
	QUIET(pwrite(fd, data, 10, LIMIT - 5) == 5);
	OK(ftruncate(fd, 0));
	QUIET(pwritev(fd, two, 2, 0) == LIMIT);
	TOO_BIG(pwritev(fd, two, 2, LIMIT));
	OK(ftruncate(fd, 990));
	QUIET(pwritev2(fd, two, 2, 0, RWF_APPEND) == 10);
	TOO_BIG(pwritev2(fd, two, 2, 0, RWF_APPEND));
	OK(ftruncate(fd, 999));
	OK(fcntl(fd, F_SETFL, O_APPEND));
	OK(lseek(fd, 0, SEEK_SET));
	QUIET(write(fd, data, 5) == 1);
	TOO_BIG(write(fd, data, 5));
	OK(fcntl(fd, F_SETFL, 0));
	CHECK(size_of(fd) == LIMIT);
}

static void test_sizes(int fd)
{
	OK(ftruncate(fd, 10));
	TOO_BIG(ftruncate(fd, LIMIT + 1));
	QUIET(ftruncate(fd, LIMIT) == 0);
	TOO_BIG(fallocate(fd, 0, 0, LIMIT + 1));
	TOO_BIG(posix_fallocate(fd, LIMIT, 1) ? (errno = EFBIG, -1) : 0);
	QUIET(fallocate(fd, 0, 0, LIMIT) == 0);
	CHECK(size_of(fd) == LIMIT);
}

static void test_copies(int fd)
{
	int from = OK(open("source", O_RDWR | O_CREAT | O_TRUNC, 0600)), ends[2];

	CHECK(write(from, data, LIMIT) == LIMIT);
	OK(ftruncate(fd, 0));
	OK(lseek(fd, 900, SEEK_SET));
	CHECK(sendfile(fd, from, &(off_t){ 0 }, LIMIT) == 100);
	TOO_BIG(sendfile(fd, from, &(off_t){ 0 }, LIMIT));
	OK(pipe(ends));
	CHECK(write(ends[1], data, LIMIT) == LIMIT);
	CHECK(splice(ends[0], NULL, fd, &(off_t){ 900 }, LIMIT, 0) == 100);
	TOO_BIG(splice(ends[0], NULL, fd, &(off_t){ LIMIT }, 10, 0));
	close(ends[0]);
	close(ends[1]);
	close(from);
	OK(unlink("source"));
}

/* Between two files of one file system. */
static void test_copy_range(void)
{
	int from = OK(open("source", O_RDWR | O_CREAT | O_TRUNC, 0600));
	int to = OK(open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600));

	CHECK(write(from, data, LIMIT) == LIMIT);
	QUIET(copy_file_range(from, &(off_t){ 0 }, to, &(off_t){ 900 }, LIMIT, 0) == 100);
	TOO_BIG(copy_file_range(from, &(off_t){ 0 }, to, &(off_t){ LIMIT }, LIMIT, 0));
	OK(truncate("copy", 0));
	TOO_BIG(truncate("copy", LIMIT + 1));
	QUIET(truncate("copy", LIMIT) == 0);
	close(from);
	close(to);
	OK(unlink("source"));
	OK(unlink("copy"));
}

/* What is larger already may be written to below the limit, and made smaller. */
static void test_larger(int fd)
{
	OK(ftruncate(fd, 5000));
	OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ LIMIT, 9999 }));
	QUIET(pwrite(fd, data, 10, 10) == 10);
	TOO_BIG(pwrite(fd, data, 10, 2000));
	QUIET(ftruncate(fd, 3000) == 0);
	QUIET(fallocate(fd, 0, 2000, 500) == 0);
	TOO_BIG(ftruncate(fd, 3001));
}

/* Not ignored and not caught it ends the process. */
static void test_death(int fd)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGXFSZ, SIG_DFL);
		OK(setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }));
		if (pwrite(fd, data, 1, 9999) == -1)
			_exit(1);
		_exit(2);
	}
	CHECK(reap(pid) == 1000 + SIGXFSZ);
}

int main(void)
{
	struct sigaction act = { .sa_handler = count };
	char shm[] = "/dev/shm/limits-XXXXXX";
	int files[3] = { OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600)), OK(mkstemp(shm)),
			 OK(memfd_create("limits", 0)) };

	OK(unlink("file"));
	OK(unlink(shm));
	OK(sigaction(SIGXFSZ, &act, NULL));
	for (int i = 0; i < 3; i++) {
		OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 9999, 9999 }));
		test_larger(files[i]);
		test_writes(files[i]);
		test_sizes(files[i]);
		test_copies(files[i]);
		test_death(files[i]);
	}
	test_copy_range();
	/* What is no regular file has no size. */
	CHECK(write(OK(open("/dev/null", O_WRONLY)), data, 2 * LIMIT) == 2 * LIMIT);
	return 0;
}
