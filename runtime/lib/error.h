/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error object: the last argument of every fallible function of the runtime
 * and of the hypervisor's set-up code.
 *
 * A function that fails fills it in and returns -errno; its callers put context
 * in front ("mounts[3]: ...") and hand it on; main() prints it, once. The text
 * lives in the object itself, so that there is nothing to free and an error can be
 * reported when memory has run out, or sent to another process as it is.
 */
#ifndef CALLGATE_RUNTIME_LIB_ERROR_H
#define CALLGATE_RUNTIME_LIB_ERROR_H

#define ERROR_TEXT_MAX 1024

#define must_check __attribute__((warn_unused_result))

struct error {
	int code; /* errno, positive; 0: no error */
	char text[ERROR_TEXT_MAX];
};

/* Sets the text. Returns -code, so that it can be the operand of a return. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, and appends ": no such file or directory", or whatever code means. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of an error that is set. Returns -err->code. */
int error_wrap(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* strerror() as Go programs spell it: callers match "permission denied" */
const char *error_describe(int code, char *buf, unsigned int size);

#endif
