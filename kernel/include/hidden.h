/* SPDX-License-Identifier: Apache-2.0 */
/* Included first in every guest file: the image is linked once, so no symbol, declared or defined, needs a GOT. */
#pragma GCC visibility push(hidden)
