/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about files made by several at the same moment: one of them wins, nothing is lost, nothing is seen twice. */
#include "together.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define ROUNDS 40
#define RECORDS 400

static struct shared {
	pthread_barrier_t barrier;
	int won[KIN];
} *shared;

/* One try of number `me`; 0 who did it, -1 and the errno `lost` for all others. */
struct race {
	const char *name;
	void (*before)(void);
	int (*try)(int me);
	int lost;
};

static void make_file(void)
{
	close(OK(open("it", O_RDWR | O_CREAT, 0644)));
}

static void make_dir(void)
{
	OK(mkdir("it", 0755));
}

static void clear(void)
{
	if (unlink("it") == -1)
		rmdir("it");
	for (int i = 0; i < KIN; i++)
		unlink((char[]){ 't', '0' + i, 0 });
}

static int try_create(int me)
{
	int fd = open("it", O_WRONLY | O_CREAT | O_EXCL, 0600 + me);

	return fd < 0 ? -1 : close(fd);
}

static int try_mkdir(int me)
{
	return me & 1 ? mkdir("it", 0700) : mkdirat(AT_FDCWD, "it", 0700);
}

static int try_symlink(int me)
{
	return me & 1 ? symlink("x", "it") : symlinkat("x", AT_FDCWD, "it");
}

static int try_mknod(int me)
{
	return (int)(me & 1 ? syscall(SYS_mknod, "it", S_IFIFO | 0600, 0) : syscall(SYS_mknodat, AT_FDCWD, "it", S_IFREG | 0600, 0));
}

static int try_link(int me)
{
	return me & 1 ? link("source", "it") : linkat(AT_FDCWD, "source", AT_FDCWD, "it", 0);
}

static int try_unlink(int me)
{
	return me & 1 ? unlink("it") : unlinkat(AT_FDCWD, "it", 0);
}

static int try_rmdir(int me)
{
	return me & 1 ? rmdir("it") : unlinkat(AT_FDCWD, "it", AT_REMOVEDIR);
}

static int try_rename(int me)
{
	const char to[] = { 't', '0' + me, 0 };

	return me & 1 ? rename("it", to) : renameat(AT_FDCWD, "it", AT_FDCWD, to);
}

static int try_rename_new(int me)
{
	const char own[] = { 't', '0' + me, 0 };
	int done;

	close(OK(open(own, O_WRONLY | O_CREAT, 0600)));
	done = (int)syscall(SYS_renameat2, AT_FDCWD, own, AT_FDCWD, "it", RENAME_NOREPLACE);
	return done;
}

static int try_xattr(int me)
{
	return me & 1 ? setxattr("it", "user.a", "1", 1, XATTR_CREATE) : lsetxattr("it", "user.a", "2", 1, XATTR_CREATE);
}

static int try_xattr_away(int me)
{
	return me & 1 ? removexattr("it", "user.a") : lremovexattr("it", "user.a");
}

static void make_with_xattr(void)
{
	make_file();
	OK(setxattr("it", "user.a", "1", 1, 0));
}

static void be_one(const struct race *race, int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (!me) {
			clear();
			if (race->before)
				race->before();
		}
		pthread_barrier_wait(&shared->barrier);
		errno = 0;
		if (!race->try(me))
			shared->won[me]++;
		else if (errno != race->lost)
			check_failed(__FILE__, __LINE__, race->name);
		pthread_barrier_wait(&shared->barrier);
	}
}

static void run_race(const struct race *race)
{
	pid_t kin[KIN];
	int won = 0;

	memset(shared->won, 0, sizeof(shared->won));
	for (int i = 0; i < KIN; i++) {
		kin[i] = OK(fork());
		if (!kin[i]) {
			be_one(race, i);
			_exit(0);
		}
	}
	for (int i = 0; i < KIN; i++)
		CHECK(reap(kin[i]) == 0);
	for (int i = 0; i < KIN; i++)
		won += shared->won[i];
	if (won != ROUNDS)
		check_failed(__FILE__, won, race->name);
	clear();
}

static void test_races(void)
{
	static const struct race races[] = {
		{ "open O_EXCL", NULL, try_create, EEXIST },
		{ "mkdir", NULL, try_mkdir, EEXIST },
		{ "symlink", NULL, try_symlink, EEXIST },
		{ "mknod", NULL, try_mknod, EEXIST },
		{ "link", NULL, try_link, EEXIST },
		{ "unlink", make_file, try_unlink, ENOENT },
		{ "rmdir", make_dir, try_rmdir, ENOENT },
		{ "rename", make_file, try_rename, ENOENT },
		{ "renameat2", NULL, try_rename_new, EEXIST },
	};
	static const struct race with_xattrs[] = {
		{ "setxattr", make_file, try_xattr, EEXIST },
		{ "removexattr", make_with_xattr, try_xattr_away, ENODATA },
	};
	struct stat st;

	close(OK(open("source", O_WRONLY | O_CREAT, 0600)));
	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		run_race(&races[i]);
	OK(stat("source", &st));
	CHECK(st.st_nlink == 1);
	if (!setxattr("source", "user.a", "1", 1, 0))
		for (size_t i = 0; i < sizeof(with_xattrs) / sizeof(with_xattrs[0]); i++)
			run_race(&with_xattrs[i]);
	else
		CHECK(errno == EOPNOTSUPP); /* a file system without */
	OK(unlink("source"));
}

static int common;
static unsigned char seen[RECORDS];

static void mark(unsigned long n)
{
	CHECK(n < RECORDS);
	CHECK(!__atomic_fetch_add(&seen[n], 1, __ATOMIC_RELAXED));
}

static void all_marked(void)
{
	for (int i = 0; i < RECORDS; i++)
		CHECK(seen[i] == 1);
	memset(seen, 0, sizeof(seen));
}

/* Threads read records by one offset: none is read twice. */
static void *read_records(void *arg)
{
	unsigned long n;
	struct iovec iov = { &n, sizeof(n) };

	pthread_barrier_wait(&start);
	while (OK((long)arg & 1 ? read(common, &n, sizeof(n)) : readv(common, &iov, 1)) == sizeof(n))
		mark(n);
	return NULL;
}

static void *read_by_place(void *arg)
{
	struct iovec iov;
	unsigned long n;

	pthread_barrier_wait(&start);
	for (unsigned long i = (unsigned long)arg; i < RECORDS; i += KIN) {
		iov = (struct iovec){ &n, sizeof(n) };
		CHECK((i & 4 ? pread(common, &n, sizeof(n), i * sizeof(n)) : preadv(common, &iov, 1, i * sizeof(n))) == sizeof(n));
		CHECK(n == i);
	}
	return NULL;
}

/* Writers of one open file, or of files opened O_APPEND: nothing lies over anything else. */
static void *write_records(void *arg)
{
	unsigned long me = (unsigned long)arg;
	int fd = me & 1 ? common : OK(open("records", O_WRONLY | O_APPEND));

	pthread_barrier_wait(&start);
	for (unsigned long i = me; i < RECORDS; i += KIN)
		CHECK((i & 4 ? write(fd, &i, sizeof(i)) : writev(fd, &(struct iovec){ &i, sizeof(i) }, 1)) == sizeof(i));
	if (fd != common)
		close(fd);
	return NULL;
}

static void *write_by_place(void *arg)
{
	pthread_barrier_wait(&start);
	for (unsigned long i = (unsigned long)arg; i < RECORDS; i += KIN)
		CHECK((i & 4 ? pwrite(common, &i, sizeof(i), i * sizeof(i)) :
			       pwritev(common, &(struct iovec){ &i, sizeof(i) }, 1, i * sizeof(i))) == sizeof(i));
	return NULL;
}

static void test_offsets(void)
{
	common = OK(open("records", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600));
	each(write_records);
	OK(lseek(common, 0, SEEK_SET));
	each(read_records);
	all_marked();
	close(common);
	common = OK(open("records", O_RDWR | O_TRUNC));
	each(write_by_place);
	each(read_by_place);
	OK(lseek(common, 0, SEEK_SET));
	each(read_records);
	all_marked();
	close(common);
}

/* Threads list a directory by one descriptor: each name is seen once. */
static void *list(void *arg)
{
	char buf[512];
	long n;

	(void)arg;
	pthread_barrier_wait(&start);
	while ((n = OK(syscall(SYS_getdents64, common, buf, sizeof(buf)))))
		for (long at = 0; at < n; at += ((struct dirent64 *)(buf + at))->d_reclen)
			if (((struct dirent64 *)(buf + at))->d_name[0] != '.')
				mark(strtoul(((struct dirent64 *)(buf + at))->d_name, NULL, 10));
	return NULL;
}

static void test_listing(void)
{
	char name[20];

	OK(mkdir("many", 0700));
	for (int i = 0; i < RECORDS; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		close(OK(open(name, O_WRONLY | O_CREAT, 0600)));
	}
	common = OK(open("many", O_RDONLY | O_DIRECTORY));
	each(list);
	all_marked();
	close(common);
	for (int i = 0; i < RECORDS; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		OK(unlink(name));
	}
	OK(rmdir("many"));
}

/* Descriptors that threads make at a time are all different ones, whatever makes them. */
static void *take_descriptors(void *arg)
{
	int fds[8], ends[2], me = (int)(long)arg;

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		OK(pipe2(ends, O_CLOEXEC));
		fds[0] = ends[0];
		fds[1] = ends[1];
		fds[2] = OK(dup(common));
		fds[3] = OK(fcntl(common, F_DUPFD, 10));
		fds[4] = OK(open("records", O_RDONLY));
		fds[5] = OK(openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY));
		fds[6] = OK(dup3(common, 200 + me, O_CLOEXEC));
		fds[7] = OK(dup2(common, 300 + me));
		for (int j = 0; j < 8; j++)
			CHECK(!__atomic_fetch_add(&seen[fds[j]], 1, __ATOMIC_RELAXED));
		for (int j = 0; j < 8; j++)
			__atomic_fetch_sub(&seen[fds[j]], 1, __ATOMIC_RELAXED);
		for (int j = 0; j < 8; j++)
			OK(close(fds[j]));
	}
	return NULL;
}

/* Out of one file into each thread's own, by offsets of its own: the file's is left alone. */
static void *move_records(void *arg)
{
	unsigned long me = (unsigned long)arg, n;
	char name[] = { 'm', (char)('0' + me), 0 };
	int own = OK(open(name, O_RDWR | O_CREAT, 0600)), ends[2];

	OK(pipe(ends));
	pthread_barrier_wait(&start);
	for (unsigned long i = me; i < RECORDS; i += KIN) {
		off_t from = (off_t)(i * sizeof(n)), to = from;

		if (i & 4) {
			CHECK(copy_file_range(common, &from, own, &to, sizeof(n), 0) == sizeof(n));
		} else if (i & 8) {
			CHECK(splice(common, &from, ends[1], NULL, sizeof(n), 0) == sizeof(n));
			CHECK(splice(ends[0], NULL, own, &to, sizeof(n), 0) == sizeof(n));
		} else {
			CHECK(sendfile(ends[1], common, &from, sizeof(n)) == sizeof(n));
			CHECK(splice(ends[0], NULL, own, &to, sizeof(n), 0) == sizeof(n));
		}
		CHECK(from == to && pread(own, &n, sizeof(n), to - (off_t)sizeof(n)) == sizeof(n) && n == i);
		mark(n);
	}
	CHECK(lseek(common, 0, SEEK_CUR) == 0);
	close(own);
	close(ends[0]);
	close(ends[1]);
	OK(unlink(name));
	return NULL;
}

int main(void)
{
	pthread_barrierattr_t between;

	shared = OK(mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	CHECK(!pthread_barrierattr_init(&between) && !pthread_barrierattr_setpshared(&between, PTHREAD_PROCESS_SHARED));
	CHECK(!pthread_barrier_init(&shared->barrier, &between, KIN));
	test_races();
	test_offsets();
	test_listing();
	common = OK(open("records", O_RDONLY));
	each(take_descriptors);
	memset(seen, 0, sizeof(seen));
	each(move_records);
	all_marked();
	close(common);
	OK(unlink("records"));
	return 0;
}
