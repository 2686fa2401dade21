/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: what Linux makes of the set*id calls, capset, prctl and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/prctl.h>
#include <linux/securebits.h>

#include "cred.h"
#include "harness.h"
#include "task.h"

/* The C library's headers, which cmocka brings, keep linux/stat.h from defining them. */
#define SET_UID 0104000
#define SET_GID 0102000
#define PLAIN 0100000
#define KEEP (-1L)
#define BIT(cap) (1ULL << (cap))
#define ALL ((1ULL << (CAP_LAST_CAP + 1)) - 1)

/* Pid 1 starts as root with everything; tests change what current->cred says by system calls only. */
static void become_root(void)
{
	struct cred *c = cred_copy(current->cred);

	c->uid = c->euid = c->suid = c->fsuid = 0;
	c->gid = c->egid = c->sgid = c->fsgid = 0;
	c->cap_permitted = c->cap_effective = c->cap_bounding = ALL;
	c->cap_inheritable = c->cap_ambient = 0;
	c->securebits = 0;
	c->no_new_privs = false;
	cred_install(c);
}

static void check_uids(u32 uid, u32 euid, u32 suid, u32 fsuid)
{
	const struct cred *c = current->cred;

	CHECK_EQ(c->uid, uid);
	CHECK_EQ(c->euid, euid);
	CHECK_EQ(c->suid, suid);
	CHECK_EQ(c->fsuid, fsuid);
}

VM_TEST(root_gives_up_everything)
{
	become_root();
	CHECK_EQ(sc(__NR_setuid, 1000), 0);
	check_uids(1000, 1000, 1000, 1000);
	CHECK_EQ(current->cred->cap_permitted, 0);
	CHECK_EQ(current->cred->cap_effective, 0);
	CHECK_EQ(sc(__NR_setuid, 0), -EPERM);
	CHECK_EQ(sc(__NR_setuid, KEEP), -EINVAL);
	CHECK_EQ(sc(__NR_setgroups, 0, 0), -EPERM);
}

VM_TEST(a_daemon_goes_back_and_forth)
{
	become_root();
	CHECK_EQ(sc(__NR_setresuid, KEEP, 33, KEEP), 0);
	check_uids(0, 33, 0, 33);
	CHECK_EQ(current->cred->cap_effective, 0);
	CHECK(current->cred->cap_permitted == ALL);
	CHECK_EQ(sc(__NR_setresuid, KEEP, 0, KEEP), 0);
	CHECK(current->cred->cap_effective == ALL);
	CHECK_EQ(sc(__NR_setreuid, 33, 33), 0);
	check_uids(33, 33, 33, 33);
	CHECK_EQ(sc(__NR_setreuid, KEEP, 0), -EPERM);
}

VM_TEST(file_system_ids)
{
	become_root();
	CHECK_EQ(sc(__NR_setfsuid, 5), 0);
	CHECK_EQ(sc(__NR_setfsuid, KEEP), 5);
	check_uids(0, 0, 0, 5);
	CHECK(!capable(CAP_DAC_OVERRIDE) && capable(CAP_SETUID));
	CHECK_EQ(sc(__NR_setfsuid, 0), 5);
	CHECK(capable(CAP_DAC_OVERRIDE));
}

VM_TEST(capabilities_can_be_kept)
{
	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(sc(__NR_setresuid, 7, 7, 7), 0);
	CHECK(current->cred->cap_permitted == ALL && !current->cred->cap_effective);
	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP), 0);
	CHECK_EQ(sc(__NR_setresuid, 7, 7, 7), 0);
	CHECK(current->cred->cap_effective == ALL);
}

static long capset(u64 effective, u64 permitted, u64 inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (u32)effective, (u32)permitted, (u32)inheritable },
		{ (u32)(effective >> 32), (u32)(permitted >> 32), (u32)(inheritable >> 32) },
	};

	return sc(__NR_capset, uput(&head, sizeof(head)), uput(data, sizeof(data)));
}

VM_TEST(capset_only_takes_away)
{
	become_root();
	CHECK_EQ(capset(BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_BPF), 0), 0);
	CHECK(capable(CAP_KILL) && !capable(CAP_BPF) && !capable(CAP_CHOWN));
	CHECK_EQ(capset(BIT(CAP_BPF), BIT(CAP_BPF), 0), 0);
	CHECK_EQ(capset(0, BIT(CAP_CHOWN), 0), -EPERM);
	CHECK_EQ(capset(BIT(CAP_KILL), BIT(CAP_BPF), 0), -EPERM);
	CHECK_EQ(capset(0, 0, BIT(CAP_CHOWN)), -EPERM);
}

VM_TEST(capget_versions)
{
	struct __user_cap_header_struct head = { 0x12345678, 0 };
	uaddr_t uhead = uput(&head, sizeof(head)), data = ualloc(64);

	become_root();
	CHECK_EQ(sc(__NR_capget, uhead, 0), 0); /* asks for the version */
	CHECK_EQ(peek32(uhead), _LINUX_CAPABILITY_VERSION_3);
	CHECK_EQ(sc(__NR_capget, uhead, data), 0);
	CHECK(peek32(data) == (u32)ALL && peek32(data + 12) == (u32)(ALL >> 32));
	poke32(uhead, 0x12345678);
	CHECK_EQ(sc(__NR_capget, uhead, data), -EINVAL);
	poke32(uhead + 4, 4711);
	CHECK_EQ(sc(__NR_capget, uhead, data), -ESRCH);
}

VM_TEST(ambient_needs_permitted_and_inheritable)
{
	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL), -EPERM);
	CHECK_EQ(capset(ALL, ALL, BIT(CAP_KILL)), 0);
	CHECK_EQ(sc(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL), 0);
	CHECK_EQ(sc(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL), 1);
	CHECK_EQ(sc(__NR_setuid, 9), 0);
	CHECK_EQ(current->cred->cap_ambient, 0);
	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_CAPBSET_DROP, CAP_KILL), 0);
	CHECK_EQ(sc(__NR_prctl, PR_CAPBSET_READ, CAP_KILL), 0);
	CHECK_EQ(sc(__NR_prctl, PR_CAPBSET_READ, 63), -EINVAL);
}

/* ---- exec ---- */

static struct cred *exec_with(u32 mode, u32 uid, u32 gid, bool nosuid, bool *secure)
{
	return cred_for_exec(current->cred, mode, uid, gid, nosuid, NULL, secure);
}

VM_TEST(exec_of_files_with_capabilities)
{
	struct file_caps fc = { .effective = true, .permitted = BIT(CAP_NET_RAW) };
	struct cred *c;
	bool secure;

	become_root();
	CHECK_EQ(sc(__NR_setresuid, 50, 50, 50), 0);
	c = cred_for_exec(current->cred, PLAIN | 0755, 0, 0, false, &fc, &secure);
	CHECK(c->euid == 50 && c->cap_permitted == BIT(CAP_NET_RAW) && secure);
	CHECK(c->cap_effective == BIT(CAP_NET_RAW));
	cred_put(c);
	c = cred_for_exec(current->cred, PLAIN | 0755, 0, 0, true, &fc, &secure);
	CHECK(!c->cap_permitted && !secure);
	cred_put(c);
	CHECK_EQ(sc(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1), 0);
	c = cred_for_exec(current->cred, PLAIN | 0755, 0, 0, false, &fc, &secure);
	CHECK(!c->cap_permitted);
	cred_put(c);
	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_CAPBSET_DROP, CAP_NET_RAW), 0);
	CHECK_EQ(sc(__NR_setresuid, 50, 50, 50), 0);
	CHECK_EQ(PTR_ERR(cred_for_exec(current->cred, PLAIN | 0755, 0, 0, false, &fc, &secure)), -EPERM);
}

VM_TEST(attributes_of_files_with_capabilities)
{
	u32 v2[6] = { VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 1 << CAP_NET_RAW, 0, 1 << 7, 0, 0 };
	struct file_caps fc;

	CHECK(file_caps_parse(v2, XATTR_CAPS_SZ_2, &fc) && fc.effective);
	CHECK(fc.permitted == (BIT(CAP_NET_RAW) | BIT(CAP_BPF)));
	CHECK(!file_caps_parse(v2, 16, &fc) && !file_caps_parse(v2, XATTR_CAPS_SZ_3, &fc));
	v2[0] = VFS_CAP_REVISION_3;
	CHECK(file_caps_parse(v2, XATTR_CAPS_SZ_3, &fc) && !fc.effective);
	v2[5] = 1000; /* of another user namespace's root */
	CHECK(!file_caps_parse(v2, XATTR_CAPS_SZ_3, &fc));
}

VM_TEST(exec_of_set_id_programs)
{
	struct cred *c;
	bool secure;

	become_root();
	CHECK_EQ(sc(__NR_setresgid, 50, 50, 50), 0);
	CHECK_EQ(sc(__NR_setresuid, 50, 50, 50), 0);
	c = exec_with(SET_UID | 0755, 0, 0, false, &secure);
	CHECK(c->uid == 50 && c->euid == 0 && c->suid == 0 && c->fsuid == 0 && secure);
	CHECK(c->cap_effective == ALL && c->cap_permitted == ALL);
	cred_put(c);
	c = exec_with(SET_UID | 0755, 0, 0, true, &secure);
	CHECK(c->euid == 50 && !c->cap_permitted && !secure);
	cred_put(c);
	c = exec_with(SET_GID | 0755, 0, 8, false, &secure);
	CHECK(c->euid == 50 && c->egid == 8 && c->sgid == 8 && c->gid == 50 && secure);
	cred_put(c);
	c = exec_with(SET_GID | 0745, 0, 8, false, &secure); /* no group x */
	CHECK(c->egid == 50 && !secure);
	cred_put(c);
	CHECK_EQ(sc(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1), 0);
	c = exec_with(SET_UID | 0755, 0, 0, false, &secure);
	CHECK(c->euid == 50 && !secure);
	cred_put(c);
}

VM_TEST(exec_by_root)
{
	struct cred *c;
	bool secure;

	become_root();
	CHECK_EQ(sc(__NR_prctl, PR_CAPBSET_DROP, CAP_SYS_TIME), 0);
	c = exec_with(PLAIN | 0755, 0, 0, false, &secure);
	CHECK(c->cap_permitted == (ALL & ~BIT(CAP_SYS_TIME)) && c->cap_effective == c->cap_permitted);
	CHECK(!secure);
	cred_put(c);
	CHECK_EQ(sc(__NR_prctl, PR_SET_SECUREBITS, SECBIT_NOROOT), 0);
	c = exec_with(PLAIN | 0755, 0, 0, false, &secure);
	CHECK(!c->cap_permitted && !c->cap_effective);
	cred_put(c);
}

/* ---- numbers at the hypervisor ---- */

VM_TEST(equal_rights_have_one_number)
{
	u32 root, user;

	become_root();
	root = cred_pv_id();
	CHECK(root > 0 && root < PV_MAX_CREDS);
	CHECK_EQ(sc(__NR_setresuid, KEEP, 10, KEEP), 0);
	user = cred_pv_id();
	CHECK(user != root);
	for (int i = 0; i < 5000; i++) {
		CHECK_EQ(sc(__NR_setresuid, KEEP, 0, KEEP), 0);
		CHECK_EQ(cred_pv_id(), root);
		CHECK_EQ(sc(__NR_setresuid, KEEP, 10, KEEP), 0);
		CHECK_EQ(cred_pv_id(), user);
	}
}

VM_TEST(many_rights_do_not_exhaust_the_numbers)
{
	become_root();
	for (u32 uid = 1; uid < PV_MAX_CREDS + 200; uid++) {
		CHECK_EQ(sc(__NR_setfsuid, uid), uid - 1);
		CHECK(cred_pv_id() > 0 && cred_pv_id() < PV_MAX_CREDS - 1);
	}
}

/* ---- limits, groups ---- */

VM_TEST(limits)
{
	struct rlimit l = { 30, 20 }, *null = NULL;
	uaddr_t to = ualloc(sizeof(l));

	become_root();
	CHECK_EQ(sc(__NR_setrlimit, RLIMIT_NOFILE, uput(&l, sizeof(l))), -EINVAL);
	l = (struct rlimit){ 10, 20 };
	CHECK_EQ(sc(__NR_prlimit64, 0, RLIMIT_NOFILE, uput(&l, sizeof(l)), to), 0);
	CHECK(peek64(to) > 20);
	CHECK_EQ(rlimit(RLIMIT_NOFILE), 10);
	CHECK_EQ(sc(__NR_getrlimit, RLIMIT_NOFILE, to), 0);
	CHECK(peek64(to) == 10 && peek64(to + 8) == 20);
	CHECK_EQ(limit_check(current->proc, RLIMIT_NOFILE, 10), 0);
	CHECK_EQ(limit_check(current->proc, RLIMIT_NOFILE, 11), -EAGAIN);
	CHECK_EQ(sc(__NR_setuid, 1), 0);
	l = (struct rlimit){ 10, 21 };
	CHECK_EQ(sc(__NR_setrlimit, RLIMIT_NOFILE, uput(&l, sizeof(l))), -EPERM);
	CHECK_EQ(sc(__NR_prlimit64, 999, RLIMIT_NOFILE, null, to), -ESRCH);
	CHECK_EQ(sc(__NR_getrlimit, 16, to), -EINVAL);
}

VM_TEST(groups)
{
	u32 ids[3] = { 7, 8, 9 };
	uaddr_t list = uput(ids, sizeof(ids)), to = ualloc(64);

	become_root();
	CHECK_EQ(sc(__NR_setgroups, 3, list), 0);
	CHECK_EQ(sc(__NR_getgroups, 0, 0), 3);
	CHECK_EQ(sc(__NR_getgroups, 2, to), -EINVAL);
	CHECK_EQ(sc(__NR_getgroups, 3, to), 3);
	CHECK_EQ(peek32(to + 8), 9);
	CHECK(cred_in_group(current->cred, 8) && !cred_in_group(current->cred, 6));
	CHECK_EQ(sc(__NR_setgroups, 2000, list), -EINVAL);
	CHECK_EQ(sc(__NR_setgroups, 1, 8), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_gives_up_everything),
		cmocka_unit_test(a_daemon_goes_back_and_forth),
		cmocka_unit_test(file_system_ids),
		cmocka_unit_test(capabilities_can_be_kept),
		cmocka_unit_test(capset_only_takes_away),
		cmocka_unit_test(capget_versions),
		cmocka_unit_test(ambient_needs_permitted_and_inheritable),
		cmocka_unit_test(exec_of_set_id_programs),
		cmocka_unit_test(exec_by_root),
		cmocka_unit_test(exec_of_files_with_capabilities),
		cmocka_unit_test(attributes_of_files_with_capabilities),
		cmocka_unit_test(equal_rights_have_one_number),
		cmocka_unit_test(many_rights_do_not_exhaust_the_numbers),
		cmocka_unit_test(limits),
		cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
