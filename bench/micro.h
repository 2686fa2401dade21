/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MICRO_H
#define MICRO_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define NEED(call)                                                                                \
	do {                                                                                      \
		if (!(call)) {                                                                    \
			perror(#call);                                                            \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

struct benchmark {
	const char *name; /* NULL: the end */
	double (*run)(void);
};
extern const struct benchmark call_benchmarks[]; /* micro_calls.c */

extern int scale; /* percent of the usual number of rounds */
double now(void);  /* ns */
long rounds(long usual);
void run_child(pid_t pid); /* which has to succeed */
/* A child that sends back what comes; us for one byte there and back. */
double ping_pong(int a_in, int a_out, int b_in, int b_out, long n);

#endif
