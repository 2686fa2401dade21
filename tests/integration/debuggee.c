/* SPDX-License-Identifier: Apache-2.0 */
/* What test_debuggers.py has debugged. The letters of its argument say what it does besides. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int counter;
double ratio = 1.5;

static int leaf(int n)
{
	counter += n;
	return counter * 2;
}

int middle(int n)
{
	int r = leaf(n + 1);

	return r + 1;
}

static pthread_barrier_t barrier;

static void *worker(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void threads(void)
{
	pthread_t t[2];

	pthread_barrier_init(&barrier, NULL, 3);
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, worker, (void *)i);
	pthread_barrier_wait(&barrier);
	counter = 77; /* all are there */
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void *wait_for_ever(void *arg)
{
	pthread_barrier_wait(&barrier);
	for (;;)
		pause();
	return arg;
}

static void waiter(void)
{
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, wait_for_ever, NULL);
	pthread_barrier_wait(&barrier);
	usleep(50000);
}

static void forks(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		counter = 5; /* the child */
		_exit(3);
	}
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
}

static void crash(int *where, int depth)
{
	if (depth)
		crash(where, depth - 1);
	*where = depth;
}

int main(int argc, char **argv)
{
	const char *also = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 0; i < 3; i++)
		printf("middle %d\n", middle(i));
	if (strchr(also, 't'))
		threads();
	if (strchr(also, 'w'))
		waiter();
	if (strchr(also, 'f'))
		forks();
	if (strchr(also, 'e'))
		execl("/bin/echo", "echo", "done", NULL);
	while (strchr(also, 'p'))
		usleep(1000);
	if (strchr(also, 'c'))
		crash((int *)16, 2);
	return 0;
}
