/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments and variables may have any bytes; JSON has Unicode only. */
#ifndef OCI_BYTES_H
#define OCI_BYTES_H

#include <jansson.h>

#define BYTES_MARK "\xef\xb7\x90" /* U+FDD0, which is no character: what follows has a code point for each byte */

/* Text as it is; what is none, or would be mistaken for it, behind the mark. NULL: no memory. */
json_t *bytes_to_json(const char *bytes);

/* The bytes again, in place. */
void bytes_restore(char *text);

#endif
