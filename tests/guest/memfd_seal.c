/* SPDX-License-Identifier: Apache-2.0 */
/* Seals of memfds: what each forbids, when it cannot be set, and what holds for maps that are there already. */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SIZE 8192

static int sealable(void)
{
	int fd = OK(memfd_create("seals", MFD_ALLOW_SEALING | MFD_CLOEXEC));

	OK(ftruncate(fd, SIZE));
	return fd;
}

static void test_size(void)
{
	int fd = sealable();

	CHECK(OK(fcntl(fd, F_GET_SEALS)) == 0);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	FAILS(EPERM, ftruncate(fd, SIZE / 2));
	OK(ftruncate(fd, 2 * SIZE));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	FAILS(EPERM, ftruncate(fd, 4 * SIZE));
	FAILS(EPERM, fallocate(fd, 0, 2 * SIZE, 4096));
	CHECK(pwrite(fd, "x", 1, 0) == 1);
	FAILS(EPERM, pwrite(fd, "x", 1, 2 * SIZE));
	CHECK(OK(fcntl(fd, F_GET_SEALS)) == (F_SEAL_SHRINK | F_SEAL_GROW));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	FAILS(EPERM, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
}

static void test_not_sealable(void)
{
	int fd = OK(memfd_create("plain", 0)), ends[2];

	CHECK(OK(fcntl(fd, F_GET_SEALS)) == F_SEAL_SEAL);
	FAILS(EPERM, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
	OK(pipe(ends));
	FAILS(EINVAL, fcntl(ends[0], F_GET_SEALS));
	FAILS(EINVAL, fcntl(ends[1], F_ADD_SEALS, F_SEAL_WRITE));
	fd = sealable();
	FAILS(EINVAL, fcntl(fd, F_ADD_SEALS, 0x1000));
	close(fd);
}

static void test_write(void)
{
	int fd = sealable();
	char *shared = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	char *own, *later;

	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK(OK(fcntl(fd, F_GET_SEALS)) == 0);
	/* What could be made writable again counts. */
	OK(mprotect(shared, SIZE, PROT_READ));
	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	OK(munmap(shared, SIZE / 2));
	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	OK(munmap(shared + SIZE / 2, SIZE / 2));
	own = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	*own = 'x';
	FAILS(EPERM, write(fd, "x", 1));
	FAILS(EPERM, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	FAILS(EPERM, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	later = OK(mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK(*later == 0);
	OK(ftruncate(fd, 2 * SIZE));
	close(fd);
}

static void test_future_write(void)
{
	int fd = sealable();
	char *shared = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), *reader;

	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	*shared = 'x'; /* a map that is there stays as it is */
	FAILS(EPERM, write(fd, "x", 1));
	FAILS(EPERM, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	FAILS(EPERM, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	reader = OK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
	CHECK(*reader == 'x');
	FAILS(EACCES, mprotect(reader, SIZE, PROT_READ | PROT_WRITE));
	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
}

/* A map of another process counts as much as one's own. */
static void test_other_process(void)
{
	int fd = sealable(), ready[2], done[2];
	char c;
	pid_t pid;

	OK(pipe(ready));
	OK(pipe(done));
	pid = OK(fork());
	if (!pid) {
		OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
		CHECK(write(ready[1], "x", 1) == 1);
		CHECK(read(done[0], &c, 1) == 1);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	FAILS(EBUSY, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK(write(done[1], "x", 1) == 1);
	CHECK(reap(pid) == 0);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
}

/* A thread maps for writing as fast as it can: whenever the seal is set, it has no map. */
static void *mapper(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (p == MAP_FAILED)
			CHECK(errno == EPERM);
		else
			OK(munmap(p, SIZE));
		if (p == MAP_FAILED && (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE))
			return NULL;
	}
}

static void test_race(void)
{
	for (int i = 0; i < 20; i++) {
		int fd = sealable();
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, mapper, &fd));
		while (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
			CHECK(errno == EBUSY);
		CHECK(!pthread_join(thread, NULL));
		close(fd);
	}
}

int main(void)
{
	test_size();
	test_not_sealable();
	test_write();
	test_future_write();
	test_other_process();
	test_race();
	return 0;
}
