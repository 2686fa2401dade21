"""What shows a system by /proc and /sys: the same of both, but for what differs from one moment to the next."""

from marks import software

PROCESSES = r"""
sleep 1001 & s=$!; until grep -q sleep /proc/$s/comm; do sleep 0.05; done
ps -eo user,tty,nlwp,policy,s,comm --no-headers | awk '$NF == "sleep"'
ps aux | awk 'NR == 1 { print NF, $1, $11 }'; ps -eLf | grep -c '[s]leep 1001'; ps -o args= -p $s; pgrep -fx 'sleep 1001' | grep -cx $s
pstree -A $$ | grep -c sleep; pidof sleep | grep -cx $s; fuser / 2>/dev/null | wc -w | awk '{ print $1 > 1 }'; pwdx $s | cut -d' ' -f2
top -b -n 1 | awk '/^Tasks:/ { t = 1 } /^%Cpu/ { c = 1 } /^MiB Mem/ { m = 1 } / sleep$/ { s = 1 } END { print t, c, m, s }'
prlimit -p $s --nofile --raw -o RESOURCE,SOFT,HARD; lsof -p $s | awk '$4 == "cwd" || $4 == "rtd" || $4 == "txt" { print $1, $4, $5, $NF }'
exec 5</etc/passwd; lsof -a -p $$ -d 5 | awk 'NR > 1 { print $1, $4, $5, $NF }'; exec 5>&-
taskset -p $s >/dev/null && echo mask; chrt -p $s | sed 's/pid [0-9]*//'; ionice -p $s; renice -n 15 -p $s | sed 's/.*, //'; cut -d' ' -f19 /proc/$s/stat
pmap $s | tail -1 | grep -c total; vmstat | awk 'NR == 2 { print NF }'; w -h | wc -l; uptime | grep -c 'load average'; kill $s; wait $s; echo $?
"""

MACHINE = r"""
nproc; nproc --all; getconf _NPROCESSORS_ONLN; lscpu | awk -F: '/^(Architecture|CPU op-mode|Byte Order|CPU\(s\)|Vendor ID|Model name|CPU family|Model|NUMA node\(s\))/ { gsub(/^ */, "", $2); print $1, $2 }'
lscpu -p=CPU,NODE | grep -vc '^#'; free -b | awk 'NR <= 2 { print NF } /^Mem/ { print ($2 > 0 && $3 + $4 <= $2) }'; numactl --show | head -3; numactl --hardware | head -1
numactl --cpunodebind=0 --membind=0 true; echo $?; numactl --interleave=all echo spread; numactl --physcpubind=0 nproc; numastat | head -1 | wc -w
hwloc-calc --number-of pu all; lstopo-no-graphics --of console --only pu | wc -l; lsns -o TYPE --noheadings -p $$ | sort; lsipc -g | wc -l
"""

SOCKETS = r"""
python3 -c 'import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 4001)); s.listen(); c = socket.create_connection(("127.0.0.1", 4001)); a = s.accept()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 4002)); open("/tmp/up", "w"); time.sleep(1000)' & p=$!
until [ -e /tmp/up ]; do kill -0 $p || exit; sleep 0.05; done
ss -Htln | awk '{ print $1, $4 }'; ss -Htnp state established | grep -c python3; ss -Hulnp | awk '{ print $4 }'; netstat -tln | awk '/4001/ { print $4, $6 }'
lsof -nP -iTCP:4001 | awk 'NR > 1 { print $1, $5, $8, $NF }' | sort | uniq -c | awk '{ print $2, $3, $4, $5 }' | sort | grep -c .; kill $p; wait $p; echo $?
"""

HTOP = r"""
export TERM=screen HOME=/tmp; cd /tmp; sleep $((7 * 143)) & s=$!; tmux -f /dev/null new-session -d -s a -x 100 -y 30 'htop --no-color; echo status-$?; sleep 2000'
# Its own shell's command line names no sleep of 1001 seconds: what is found is the sleep.
w() { for i in $(seq 300); do tmux capture-pane -p -t a | grep -q "$1" && { echo "$1"; return; }; sleep 0.1; done; echo "no $1"; tmux capture-pane -p -t a; }
w 'Tasks:'; w 'Mem\['; w 'Load average'; w 'sleep[ ]1001'; tmux send-keys -t a F5; tmux send-keys -t a '/' 'sleep 10' '01' Enter; tmux send-keys -t a k; w 'SIGTERM'
tmux send-keys -t a Enter; wait $s; echo $?; tmux send-keys -t a q; w 'status-0'; tmux kill-server
"""


@software("procps", layer="views")
def test_processes(same_apart):
    """ps, top, pstree, pgrep, fuser, lsof, pmap, vmstat, taskset, chrt, ionice, prlimit: a process is shown, changed and ended"""
    same_apart(PROCESSES, timeout=60)


@software("numactl", layer="views")
def test_machine(same_apart):
    """nproc, lscpu, free, numactl, numastat, lstopo, lsns, lsipc: what machine it is"""
    same_apart(MACHINE, timeout=60)


@software("iproute2", layer="views")
def test_sockets(same_apart):
    """ss, netstat, lsof: sockets and whose they are"""
    same_apart(SOCKETS, timeout=60)


@software("htop", layer="views")
def test_htop(same_apart):
    """On a terminal of tmux: its meters, a process found by a search and ended by it"""
    same_apart(HTOP, timeout=60)
