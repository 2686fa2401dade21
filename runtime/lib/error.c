// SPDX-License-Identifier: Apache-2.0
#include "lib/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A code of 0 or below would make a failed call look like success. */
static int positive(int code)
{
	if (code < 0)
		code = -code;
	return code ? code : EINVAL;
}

const char *error_describe(int code, char *buf, unsigned int size)
{
	snprintf(buf, size, "%s", strerrordesc_np(code) ?: "unknown error");
	/* "No such", but not "RPC": an acronym stays as it is */
	if (size > 1 && !isupper((unsigned char)buf[1]))
		buf[0] = tolower((unsigned char)buf[0]);
	return buf;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = positive(code);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -err->code;
}

int error_errno(struct error *err, int code, const char *fmt, ...)
{
	char what[128];
	va_list ap;
	size_t n;

	err->code = positive(code);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s",
		 error_describe(err->code, what, sizeof(what)));
	return -err->code;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char inner[ERROR_TEXT_MAX];
	va_list ap;
	size_t n;

	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", inner);
	return -positive(err->code);
}
