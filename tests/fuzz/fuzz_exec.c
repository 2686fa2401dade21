/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: the file /tmp/program is the input. First as the parsers see it, in memory of exactly its size; then executed. */
#include <linux/fcntl.h>

#include "../unit/kernel/harness.h"
#include "elf.h"
#include "guest.h"

#define HEAD_MAX 4096u

static void parse(const u8 *data, size_t size)
{
	size_t len = min(size, (size_t)HEAD_MAX), line = min(size, (size_t)SCRIPT_LINE);
	struct elf_image image;
	char *interp, *arg;
	u8 *copy = kmalloc(len + 1), *end = copy + 1;

	CHECK(copy);
	memcpy(end, data, len);
	if (!elf_parse(end, len, &image)) {
		CHECK(image.nloads && image.nloads <= ELF_MAX_LOADS && image.low < image.high);
		for (u32 i = 0; i < image.nloads; i++)
			CHECK(image.loads[i].filesz <= image.loads[i].memsz);
	}
	kfree(copy);
	copy = kmalloc(line + 1 + (line < SCRIPT_LINE));
	CHECK(copy);
	end = copy + 1;
	memcpy(end, data, line);
	if (!script_parse((char *)end, line, &interp, &arg)) {
		CHECK((u8 *)interp > end && (u8 *)interp + strlen(interp) <= end + line);
		CHECK(!arg || ((u8 *)arg > end && (u8 *)arg + strlen(arg) <= end + line));
	}
	kfree(copy);
}

static int execute(struct input *in)
{
	uaddr_t name = ustr("/tmp/program");
	u64 argv[] = {name, 0};
	long fd = sc(__NR_open, name, O_CREAT | O_WRONLY, 0755);

	CHECK(fd >= 0);
	CHECK_EQ(sc(__NR_write, fd, uput(in->at, in->left), in->left), in->left);
	CHECK_EQ(sc(__NR_close, fd), 0);
	sc(__NR_execve, name, uput(argv, sizeof(argv)), uput(argv + 1, 8));
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};

	parse(data, size);
	if (size)
		guest_child(execute, &in);
	return 0;
}
