from marks import software

SSH = r"""
usermod -p '*' tester; mkdir -p /run/sshd /tmp/k; cd /tmp/k; ssh-keygen -q -t ed25519 -N '' -f key
ssh-keygen -q -t ed25519 -N '' -f host; su tester -c 'mkdir -m 700 ~/.ssh'; cat key.pub >/home/tester/.ssh/authorized_keys
chown tester /home/tester/.ssh/authorized_keys
cat >conf <<'END'
Port 2222
ListenAddress 127.0.0.1
HostKey /tmp/k/host
PidFile /tmp/k/pid
UsePAM no
Subsystem sftp /usr/lib/openssh/sftp-server
END
/usr/sbin/sshd -f /tmp/k/conf -E /tmp/k/log || cat log; until [ -s pid ]; do sleep 0.1; done
o="-q -i /tmp/k/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"; s="ssh $o -p 2222 tester@127.0.0.1"
$s 'id -un; tty; echo $SSH_CONNECTION | cut -d" " -f4'; $s exit 7; echo $?; seq 300000 | $s 'md5sum; seq 100000' | md5sum
$s -tt 'stty size; tty | cut -c1-9; exit 5' </dev/null | tr -d '\r'; echo $?
cat >/tmp/login.py <<'END'
import os, pty, sys, time, select
pid, fd = pty.fork()
if pid == 0: os.execvp("ssh", sys.argv[1:])
seen = b""
def until(text):
    global seen
    end = time.time() + 30
    while text not in seen:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]: sys.exit(f"no {text}: {seen}")
        seen += os.read(fd, 4096)
    seen = seen[seen.index(text) + len(text):]
import fcntl, termios, struct
until(b"$ "); os.write(fd, b"PS1='rea''dy> '\n"); until(b"ready> ")
os.write(fd, b"stty -echo; echo lo''gin $(whoami)\n"); until(b"login tester"); until(b"ready> ")
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0)); time.sleep(0.5)
os.write(fd, b"stty size\n"); until(b"33 111"); until(b"ready> "); os.write(fd, b"sleep 100\n"); time.sleep(0.5); os.write(fd, b"\x03"); until(b"ready> ")
os.write(fd, b"echo st=$?\n"); until(b"st=130"); until(b"ready> "); os.write(fd, b"exit 3\n")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
TERM=xterm python3 /tmp/login.py ssh $o -t -p 2222 tester@127.0.0.1
mkdir d; for i in $(seq 50); do seq $i >d/f$i; done; head -c 5000000 /dev/urandom >d/big
scp $o -P 2222 -r d tester@127.0.0.1:/tmp/e && diff -r d /tmp/e && echo same
scp $o -O -P 2222 -r tester@127.0.0.1:/tmp/e f && diff -r d f && echo same
printf 'mkdir /tmp/s\ncd /tmp/s\nput d/big\nput -r d\nrename big large\nls -1\nget large got\nchmod 600 large\nrm large\n' | sftp $o -P 2222 -b - tester@127.0.0.1 | grep -v '^sftp>'
cmp got d/big && echo same
$s -f -N -L 127.0.0.1:2300:127.0.0.1:2222 -o ExitOnForwardFailure=yes; ssh $o -p 2300 tester@127.0.0.1 echo through; kill $(cat pid)
grep -E "fatal|error" log | grep -v "channel 0: open failed\|Connection reset"; echo done
"""


@software("openssh-server", layer="servers")
def test_ssh(same_apart):
    """Login with a terminal (window size, ^C, exit status), commands, scp by both protocols, sftp, a forwarded port"""
    same_apart(SSH, timeout=120)
