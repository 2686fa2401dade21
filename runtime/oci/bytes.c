// SPDX-License-Identifier: Apache-2.0
#include "oci/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define MARK_LEN (sizeof(BYTES_MARK) - 1)

json_t *bytes_to_json(const char *bytes)
{
	json_t *text = strncmp(bytes, BYTES_MARK, MARK_LEN) ? json_string(bytes) : NULL;
	cleanup_free char *coded = text ? NULL : malloc(MARK_LEN + 2 * strlen(bytes) + 1);
	char *to = coded;

	if (!coded)
		return text;
	memcpy(to, BYTES_MARK, MARK_LEN);
	to += MARK_LEN;
	for (const unsigned char *p = (const unsigned char *)bytes; *p; p++) {
		if (*p >= 0x80)
			*to++ = (char)(0xc0 | *p >> 6);
		*to++ = (char)(*p < 0x80 ? *p : 0x80 | (*p & 0x3f));
	}
	*to = '\0';
	return json_string(coded);
}

/* Whoever writes a code point above U+00FF behind the mark gets its bytes as they are. */
void bytes_restore(char *text)
{
	const unsigned char *p = (const unsigned char *)text + MARK_LEN;

	if (strncmp(text, BYTES_MARK, MARK_LEN))
		return;
	while (*p) {
		if ((*p & 0xfe) == 0xc2 && (p[1] & 0xc0) == 0x80) {
			*text++ = (char)((*p & 3) << 6 | (p[1] & 0x3f));
			p += 2;
		} else {
			*text++ = (char)*p++;
		}
	}
	*text = '\0';
}
