/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that processes share: anonymous, memfd with seals, POSIX shm. */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static void test_anonymous(void)
{
	volatile int *map = OK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < 10; i++)
		IN_CHILD(map[0]++; IN_CHILD(map[1] += 2));
	CHECK(map[0] == 10 && map[1] == 20);
	OK(munmap((void *)map, PAGE));
}

static void test_grown_by_mremap(void)
{
	char *map = OK(mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0)), *moved;

	map[0] = 1;
	map[3 * PAGE] = 4;
	moved = OK(mremap(map, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	IN_CHILD(moved[1] = 7);
	CHECK(moved[0] == 1 && moved[1] == 7);
}

static void test_memfd(void)
{
	int fd = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char path[64], link[128] = "", *one, *two;
	struct stat st;

	OK(ftruncate(fd, 3 * PAGE));
	CHECK(write(fd, "hello", 5) == 5);
	one = OK(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0));
	two = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	CHECK(!memcmp(one, "hello", 5));
	two[0] = 'J';
	CHECK(one[0] == 'J' && pread(fd, path, 1, 0) == 1 && path[0] == 'J');
	IN_CHILD(one[1] = 'E'; CHECK(pwrite(fd, "L", 1, 2) == 1));
	CHECK(!memcmp(two, "JELlo", 5));
	OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode) && st.st_size == 3 * PAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(readlink(path, link, sizeof(link) - 1));
	CHECK(strstr(link, "memfd:name"));
	OK(munmap(one, 3 * PAGE));
	OK(munmap(two, PAGE));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
	CHECK(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_WRITE));
	FAILS(EPERM, ftruncate(fd, 0));
	FAILS(EPERM, write(fd, "x", 1));
	FAILS(EPERM, mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	close(fd);
}

static void test_posix_shm(void)
{
	int fd = OK(shm_open("/callgate-test", O_CREAT | O_RDWR | O_EXCL, 0600));
	char *map;

	OK(ftruncate(fd, PAGE));
	map = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	IN_CHILD({
		int again = OK(shm_open("/callgate-test", O_RDWR, 0));
		char *other = OK(mmap(NULL, PAGE, RW, MAP_SHARED, again, 0));

		other[9] = 'x';
	});
	CHECK(map[9] == 'x');
	OK(shm_unlink("/callgate-test"));
	FAILS(ENOENT, shm_open("/callgate-test", O_RDWR, 0));
	map[10] = 1;
	close(fd);
}

static void test_survives_exec_of_another(void)
{
	volatile int *map = OK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t child = fork();

	if (!child) {
		map[0] = 5;
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK(reap(child) == 0 && map[0] == 5);
}

static void test_copy_on_write(void)
{
	char *map = OK(mmap(NULL, 256 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	pid_t children[8];

	memset(map, 'p', 256 * PAGE);
	for (int i = 0; i < 8; i++) {
		children[i] = fork();
		if (!children[i]) {
			memset(map, 'a' + i, 256 * PAGE);
			pause_ms(10);
			for (long j = 0; j < 256 * PAGE; j++)
				CHECK(map[j] == 'a' + i);
			_exit(0);
		}
	}
	for (int i = 0; i < 8; i++)
		CHECK(reap(children[i]) == 0);
	CHECK(map[0] == 'p' && map[255 * PAGE] == 'p');
}

int main(void)
{
	test_anonymous();
	test_grown_by_mremap();
	test_memfd();
	test_posix_shm();
	test_survives_exec_of_another();
	test_copy_on_write();
	return 0;
}
