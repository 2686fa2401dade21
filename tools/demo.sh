#!/bin/bash
# demo.sh BUILD: a few real things on a guest kernel, each with a line of explanation. Ends with
# an error if any of them fails.
set -uo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath "${1:-$top/build}")
callgate=$build/callgate
work=$(mktemp -d /var/tmp/callgate-demo-XXXXXX)
failed=0
server=
script= # what a bundle runs, to be shown with its step

clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait 2>/dev/null
	! mountpoint -q "$work/bundle/rootfs" || umount "$work/bundle/rootfs"
	rm -rf "$work"
}
trap clean_up EXIT

bounded() {
	timeout --kill-after=5 60 "$@" </dev/null
}

# step WHAT EXPECTED COMMAND...: show and run the command; its output has to match EXPECTED.
step() {
	local what=$1 expected=$2 output status
	shift 2
	printf '\n\033[1m%s\033[0m\n$ %s\n' "$what" "$(shown "$@")"
	[ -z "$script" ] || printf '# in it: %s\n' "$script"
	output=$(bounded "$@" 2>&1)
	status=$?
	[ -z "$output" ] || printf '%s\n' "$output"
	if [ $status -ne 0 ] || ! grep -qE "$expected" <<<"$output"; then
		printf '\033[31mFAILED\033[0m (status %d, wanted output with "%s")\n' "$status" "$expected"
		failed=1
	fi
}

# The command as a person would type it.
shown() {
	local word text=
	for word; do
		[ "$word" != "$callgate" ] || word=callgate
		[[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]] || word="'$word'"
		text+="$word "
	done
	echo "${text% }"
}

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	return 1
}

on_the_hosts_files() {
	local inside="$callgate do --"
	step "The host runs $(uname -r). A command on the host's own files, on a kernel of its own:" \
		callgate $inside uname -a
	step "That kernel says of itself:" "Callgate" $inside cat /proc/version
	step "It has its own processes, and sees none of the host's:" "ps" $inside ps -ef
	step "Writing is fine, and thrown away:" "it is there" \
		$inside sh -c 'echo it is there >/etc/callgate-was-here; cat /etc/callgate-was-here'
	step "(the host never saw it)" "No such file" sh -c 'cat /etc/callgate-was-here 2>&1; true'
	step "A pipeline of processes:" "^ *[0-9]+" \
		$inside bash -c 'find /usr/bin | grep -v x | sort | sha256sum | wc -c'
	step "Python, with threads, child processes and asyncio:" "^328350 done True" \
		$inside /usr/bin/python3 -c "$python"
}

python='
import asyncio, subprocess, threading
squares = []
threads = [threading.Thread(target=lambda n=n: squares.append(n * n)) for n in range(100)]
[t.start() for t in threads]; [t.join() for t in threads]
async def main():
    p = await asyncio.create_subprocess_exec("echo", "done", stdout=subprocess.PIPE)
    return (await p.communicate())[0].decode().strip()
print(sum(squares), asyncio.run(main()), subprocess.run(["false"]).returncode == 1)'

over_tcp() {
	local port
	port=$(free_port)
	setsid /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /etc "$port" \
		>/dev/null 2>&1 </dev/null &
	server=$!
	wait_for curl -s "http://127.0.0.1:$port/"
	step "TCP out: fetch a file from a server on the host." "^1[0-9]" \
		"$callgate" do -- curl -s "http://127.0.0.1:$port/debian_version"
	kill "$server"
	wait "$server" 2>/dev/null
	port=$(free_port)
	setsid "$callgate" do -- /usr/bin/python3 -c "
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(('Hello from ' + ' '.join(__import__('os').uname()[0:3:2]) + chr(10)).encode())
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(('127.0.0.1', $port), Hello).serve_forever()" >/dev/null 2>&1 </dev/null &
	server=$!
	wait_for curl -s "http://127.0.0.1:$port/"
	step "TCP in: a web server in a guest, asked by the host." "Hello from Linux .*callgate" \
		curl -s "http://127.0.0.1:$port/"
	kill "$server"
	wait "$server" 2>/dev/null
	server=
}

# A bundle as `callgate spec` writes it, over a throw-away layer of Debian.
make_bundle() {
	local rootfs
	rootfs=$("$top/tests/rootfs.sh") || return
	mkdir -p "$work"/{bundle/rootfs,upper,layer}
	mount -t overlay callgate-demo "$work/bundle/rootfs" \
		-o "lowerdir=$rootfs,upperdir=$work/upper,workdir=$work/layer" ||
		cp -a "$rootfs/." "$work/bundle/rootfs"
	"$callgate" spec --bundle "$work/bundle"
}

# run_debian WHAT EXPECTED SCRIPT
run_debian() {
	/usr/bin/python3 - "$work/bundle/config.json" "$3" <<-'END'
		import json, sys
		config = json.load(open(sys.argv[1]))
		config["process"]["terminal"] = False
		config["process"]["args"] = ["/bin/bash", "-c", sys.argv[2]]
		config["root"]["readonly"] = False
		json.dump(config, open(sys.argv[1], "w"), indent=1)
	END
	script=$3
	step "$1" "$2" "$callgate" run --bundle "$work/bundle" "demo-$$-$RANDOM"
}

debian() {
	if ! make_bundle; then
		echo "FAILED: no bundle"
		failed=1
		return
	fi
	run_debian "An OCI bundle with Debian's userland:" "PRETTY_NAME.*Debian.*" \
		'grep PRETTY /etc/os-release; hostname; dpkg -l | wc -l; cat /proc/1/comm'
	run_debian "Compile, link and run a C program:" "^compiled in a guest" \
		'cd /tmp; echo "#include <stdio.h>
int main(void) { puts(\"compiled in a guest\"); return 0; }" >p.c; gcc -O2 -o p p.c && ./p'
	run_debian "git:" "first commit" \
		'cd /tmp; export HOME=/tmp; git init -q r && cd r && echo 1 >f && git add f &&
git -c user.name=N -c user.email=e@example.com commit -qm "first commit" && git log --oneline | cat'
	run_debian "redis, asked from another process:" "^42" \
		'redis-server --port 0 --unixsocket /tmp/s --save "" --daemonize yes >/dev/null
until redis-cli -s /tmp/s ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
redis-cli -s /tmp/s set n 41 >/dev/null; redis-cli -s /tmp/s incr n; redis-cli -s /tmp/s shutdown nosave'
}

on_the_hosts_files
over_tcp
debian
echo
if [ $failed = 0 ]; then
	echo "Everything above ran on guest kernels of its own, without hardware virtualization."
else
	echo "Something above FAILED."
fi
exit $failed
