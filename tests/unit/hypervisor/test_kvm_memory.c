// SPDX-License-Identifier: Apache-2.0
/* The page tables that a VM starts with, for the guest kernel as it was built: who may do what with its memory. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kvm/kvm_impl.h"

#define P 1ULL
#define W 2ULL
#define U 4ULL
#define LARGE 0x80ULL
#define NX (1ULL << 63)
#define ADDRESS 0x000ffffffffff000ULL

static struct kvm_guest guest;

static u64 *table(u64 e)
{
	assert_true((e & ADDRESS) < KVM_LOW_SIZE);
	return (u64 *)(guest.slots[SLOT_LOW].at + (e & ADDRESS));
}

/* What lies at va, with the rights of all levels; 0: nothing does. */
static u64 mapping(u64 va)
{
	u64 e = KVM_TABLES_GPA, rights = W | U, nx = 0;

	for (int level = 3; level >= 0; level--) {
		e = table(e)[va >> (12 + 9 * level) & 511];
		if (!(e & P))
			return 0;
		rights &= e;
		nx |= e & NX;
		if (level && e & LARGE)
			break;
	}
	return (e & ~(W | U | NX)) | rights | nx;
}

struct totals {
	u64 code, data, constant;
};

/* Every mapping below a table, but none is writable and executable, or user code's. */
static void survey(u64 e, int level, u64 rights, struct totals *t)
{
	for (int i = 0; i < 512; i++) {
		u64 entry = table(e)[i], r = (rights & entry & (W | U)) | ((rights | entry) & NX);

		if (!(entry & P))
			continue;
		if (level && !(entry & LARGE)) {
			survey(entry, level - 1, r, t);
			continue;
		}
		assert_false(r & U);
		assert_false(r & W && !(r & NX));
		if (r & W)
			t->data++;
		else if (r & NX)
			t->constant++;
		else
			t->code++;
	}
}

static int set_up(void **state)
{
	memset(&guest, 0, sizeof(guest));
	guest.slots[SLOT_LOW] = (struct slot){ KVM_LOW_GPA, KVM_LOW_SIZE,
					       mmap(NULL, KVM_LOW_SIZE, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) };
	return guest.slots[SLOT_LOW].at == MAP_FAILED;
}

static int tear_down(void **state)
{
	return munmap(guest.slots[SLOT_LOW].at, KVM_LOW_SIZE);
}

/* Code, constants, data and page tables, but no large tables. */
static void what_is_made_before(u64 start)
{
	u64 sum = 0;

	assert_int_equal(guest.nloaded, 4);
	assert_true(start - KVM_TEXT + KVM_IMAGE_GPA - guest.loaded[0].gpa < guest.loaded[0].len);
	for (u32 i = 0; i < guest.nloaded; i++) {
		assert_int_equal(guest.loaded[i].gpa % 4096 + guest.loaded[i].len % 4096, 0);
		assert_true(guest.loaded[i].gpa + guest.loaded[i].len <= KVM_LOW_SIZE);
		sum += guest.loaded[i].len;
	}
	assert_true(sum < 1 << 20);
}

static void the_kernel(void **state)
{
	int fd = open(getenv("GUEST_KVM"), O_RDONLY | O_CLOEXEC);
	struct error err = { 0 };
	struct totals t = { 0 };
	u64 start = 0;

	assert_true(fd >= 0);
	assert_int_equal(memory_load(&guest, fd, &start, &err), 0);
	close(fd);
	assert_int_equal(mapping(start) & (P | W | U | NX), P);
	for (int i = 0; i < 256; i++)
		assert_int_equal(table(KVM_TABLES_GPA)[i], 0); /* the user half */
	survey(KVM_TABLES_GPA, 3, W | U, &t);
	assert_true(t.code > 100 && t.constant > 20 && t.data > 100);
	what_is_made_before(start);
}

/* An image of one segment. */
static int image(u32 flags)
{
	const struct {
		Elf64_Ehdr e;
		Elf64_Phdr p;
	} head = { .e = { .e_ident = ELFMAG, .e_phnum = 1, .e_phoff = sizeof(Elf64_Ehdr), .e_entry = KVM_TEXT },
		   .p = { .p_type = PT_LOAD, .p_flags = flags, .p_vaddr = KVM_TEXT, .p_memsz = 4096 } };
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	return fd;
}

static void a_segment_of_both(void **state)
{
	struct error err = { 0 };
	u64 start;
	int fd = image(PF_R | PF_X);

	assert_int_equal(memory_load(&guest, fd, &start, &err), 0);
	close(fd);
	fd = image(PF_R | PF_W | PF_X);
	assert_int_equal(memory_load(&guest, fd, &start, &err), -ENOEXEC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_segment_of_both, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
