#!/bin/bash
# deps.sh SET...: install the Debian packages of a set (build, test, vm, demo, bench, deb, lint, fuzz) which are
# not there yet, saying which and why. Quiet when all of them are.
set -euo pipefail

build_packages='
gcc            compiles everything
libc6-dev      the C library for the host side
linux-libc-dev the uapi headers of the guest kernel
binutils       linker and the build checks
meson          describes the build
ninja-build    runs it
pkgconf        finds libraries
python3        generates the system call table
git            names the commit in --version
libjansson-dev reads config.json
libcap-dev     drops capabilities
libseccomp-dev compiles linux.seccomp of config.json to BPF
libzydis-dev   finds instruction boundaries at call sites
scdoc          writes the man pages
libsystemd-dev the header for cgroups made by systemd
g++            compiles the reader of TOML
libtomlplusplus-dev parses TOML: Debian has no library in C
nettle-dev     hashes executables for connection policies
libncurses-dev is the screen of callgate top
libcmocka-dev  unit tests'
test_packages='
python3-pytest runs the tests
python3-pytest-rerunfailures gives a test that failed a second try
python3-pyte   is the screen of terminal tests
mmdebstrap     makes their Debian root file system
runc           the runtime that answers are compared with
strace         shows host calls from outside
libtracefs-dev reads what the kernel of a host traces of itself
util-linux     namespaces and mounts for tests
iproute2       network namespaces for tests
procps         looks at host processes
attr           extended attributes from outside
redis-tools    talks to redis in a container from the host
curl           talks to servers in a container from the host
man-db         reads the man pages
zsh            reads its completion
fish           runs its completion
python3-prometheus-client parses the metrics
python3-yaml   reads the Kubernetes manifest
docker.io      an engine under test
containerd     an engine under test
podman         an engine under test
conmon         watches what podman runs
catatonit      is the init that podman adds
netavark       makes the networks of podman
aardvark-dns   resolves names in them
slirp4netns    is the network of podman for ordinary users
uidmap         gives ordinary users ranges of ids
fuse-overlayfs is the storage of podman for ordinary users
iptables       makes the networks of docker
cppcheck       checks the sources'
deb_packages='
dpkg-dev       finds the libraries that the package depends on
xz-utils       packs it'
vm_packages='
mmdebstrap     makes the Debian of the virtual machine
e2fsprogs      makes its disks, and reads what came out
busybox-static is what runs in the smallest of them beside callgate
qemu-system-x86 is the machine'
demo_packages='
mmdebstrap     makes the Debian root file system
curl           talks to the container from the host'
lint_packages='
clang-tidy     checks the host side
cppcheck       checks everything'
fuzz_packages='
clang          has libFuzzer
libclang-rt-14-dev is its run-time part'
bench_packages='
runc           peer
crun           peer
conmon         starts idle containers as Podman does
dpkg           unpacks the peer that is not installed
strace         counts host calls
python3-matplotlib draws the plot'

# wanted SET: lines of "package reason"; every set needs the build.
wanted() {
	case $1 in
	build) echo "$build_packages" ;;
	test) echo "$build_packages$test_packages$deb_packages" ;;
	vm) echo "$build_packages$vm_packages" ;;
	demo) echo "$build_packages$demo_packages" ;;
	deb) echo "$build_packages$deb_packages" ;;
	lint) echo "$build_packages$lint_packages" ;;
	fuzz) echo "$build_packages$fuzz_packages" ;;
	bench) echo "$build_packages$test_packages$bench_packages" ;;
	*) echo "usage: $0 build|test|vm|demo|bench|deb|lint|fuzz ..." >&2 && return 2 ;;
	esac
}

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# known PACKAGE: apt has a version of it to install.
known() {
	apt-cache show "$1" >/dev/null 2>&1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
for set in "${@:-build}"; do
	list=$(wanted "$set")
	while read -r package reason; do
		[ -n "$package" ] || continue
		if ! installed "$package" && [[ " ${missing[*]-} " != *" $package "* ]]; then
			echo "deps: installing $package ($reason)"
			missing+=("$package")
		fi
	done <<<"$list"
done
[ ${#missing[@]} -gt 0 ] || exit 0

export DEBIAN_FRONTEND=noninteractive
for package in "${missing[@]}"; do
	if ! known "$package"; then
		as_root apt-get -q update
		break
	fi
done
install=(apt-get -q -y --no-install-recommends install "${missing[@]}")
# A stale list names versions that the mirror has dropped: refresh it and try once more.
as_root "${install[@]}" </dev/null || { as_root apt-get -q update && as_root "${install[@]}" </dev/null; }
