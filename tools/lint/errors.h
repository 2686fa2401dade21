/* SPDX-License-Identifier: Apache-2.0 */
/* For clang-tidy, before each file: functions that set an error return something negative. */
#include "lib/error.h"

#define error_set(err, value, ...) ((err)->code = (value), -1)
#define error_errno(err, value, ...) ((err)->code = (value), -1)
#define error_wrap(err, ...) ((void)(err), -1)
