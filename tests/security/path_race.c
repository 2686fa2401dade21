/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries for argv[1] seconds to open the host's file argv[2], which lies outside the root file
 * system, while names along the way change: directories are moved from under a walk and
 * swapped with symbolic links. Exit status 1 if it was ever reached.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int stop, escaped;
static char up[4096];

static void *move(void *arg)
{
	(void)arg;
	while (!stop) { /* a walk that has reached a/b/c finds its parents elsewhere */
		rename("a/b/c", "moved");
		rename("moved", "a/b/c");
	}
	return NULL;
}

static void *swap(void *arg)
{
	(void)arg;
	while (!stop)
		syscall(SYS_renameat2, AT_FDCWD, "link", AT_FDCWD, "dir", 2 /* RENAME_EXCHANGE */);
	return NULL;
}

static void attempt(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY);
	char text[64];

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text)) >= 6 && !memcmp(text, "SECRET", 6)) {
		fprintf(stderr, "escaped by %s\n", path);
		escaped = 1;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	char paths[6][8192];
	pthread_t threads[2];
	time_t end;
	int at;

	if (argc < 3)
		return 2;
	for (int i = 0; i < 40; i++)
		strcat(up, "../");
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	mkdir("a/b/c", 0755);
	mkdir("a/b/c/d", 0755);
	mkdir("dir", 0755);
	symlink(up, "link");
	symlink(argv[2], "absolute");
	snprintf(paths[0], sizeof(paths[0]), "%s%s", up, argv[2] + 1);
	snprintf(paths[1], sizeof(paths[1]), "a/b/c/d/../../../../%s%s", up, argv[2] + 1);
	snprintf(paths[2], sizeof(paths[2]), "dir/%s", argv[2] + 1);
	snprintf(paths[3], sizeof(paths[3]), "link/%s", argv[2] + 1);
	snprintf(paths[4], sizeof(paths[4]), "absolute");
	snprintf(paths[5], sizeof(paths[5]), "%s", argv[2]);
	pthread_create(&threads[0], NULL, move, NULL);
	pthread_create(&threads[1], NULL, swap, NULL);
	for (end = time(NULL) + atoi(argv[1]); time(NULL) < end && !escaped;) {
		for (int i = 0; i < 6; i++)
			attempt(AT_FDCWD, paths[i]);
		at = open("a/b/c/d", O_RDONLY | O_DIRECTORY);
		if (at >= 0) {
			attempt(at, paths[0]);
			close(at);
		}
		at = open("dir", O_PATH);
		if (at >= 0) {
			attempt(at, argv[2] + 1);
			close(at);
		}
	}
	stop = 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return escaped;
}
