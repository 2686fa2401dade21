/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of 50 processes passing tokens through pipes for argv[1] seconds. */
#include "check.h"
#include <signal.h>

#define RING 50

static void pass(int in, int out)
{
	long token;

	while (read(in, &token, sizeof(token)) == sizeof(token)) {
		token++;
		if (write(out, &token, sizeof(token)) != sizeof(token))
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atoi(argv[1]) : 1);
	int first[2], in, fds[2];
	long token = 0, rounds = 0;

	OK(pipe(first));
	in = first[0];
	for (int i = 0; i < RING; i++) {
		OK(pipe(fds));
		if (!fork()) {
			close(first[1]);
			close(fds[0]);
			pass(in, fds[1]);
		}
		close(in);
		close(fds[1]);
		in = fds[0];
	}
	while (now() < end) {
		CHECK(write(first[1], &token, sizeof(token)) == sizeof(token));
		CHECK(read(in, &token, sizeof(token)) == sizeof(token));
		rounds++;
	}
	CHECK(token == rounds * RING && rounds > 5);
	close(first[1]);
	for (int i = 0; i < RING; i++)
		CHECK(wait(NULL) > 0);
	return 0;
}
