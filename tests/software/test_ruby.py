"""Ruby: its threads, processes and servers."""

import pytest
from marks import software

CASES = {}

CASES["threads, queues, fork, Open3, signals, time-outs"] = r"""
cat >t.rb <<'END'
require 'open3'; require 'timeout'; require 'socket'; require 'tempfile'; require 'pty'; require 'io/console'; $stdout.sync = true
q = Queue.new; r = Queue.new; t = 8.times.map { Thread.new { while (n = q.pop) != :end do r << n * n end } }; 1000.times { |n| q << n }; 8.times { q << :end }; t.each(&:join); s = 0; s += r.pop until r.empty?; p s
p 10.times.map { |n| fork { exit n } }.map { |pid| Process.wait2(pid)[1].exitstatus }
o, e, st = Open3.capture3('sh', '-c', 'cat; echo err >&2; exit 5', stdin_data: "in\n"); p o, e, st.exitstatus; p Open3.pipeline_r('seq 100', 'grep 7', 'wc -l') { |out, _| out.read }
begin; Timeout.timeout(0.1) { sleep 60 }; rescue Timeout::Error => x; p x.class; end
got = []; trap('USR1') { got << 1 }; Process.kill('USR1', $$); sleep 0.01 while got.empty?; p got; pid = spawn('sleep 100', pgroup: true); Process.kill('KILL', -pid); p Process.wait2(pid)[1].termsig
rd, wr = IO.pipe; fork { rd.close; 1000.times { |i| wr.puts i } }; wr.close; p rd.readlines.size; Process.wait; p IO.select([rd], nil, nil, 1)[0].size; begin; rd.read_nonblock(1); rescue EOFError => x; p x.class; end
m = Mutex.new; c = ConditionVariable.new; ready = false; a = Thread.new { m.synchronize { c.wait(m) until ready; :woken } }; m.synchronize { ready = true; c.signal }; p a.value
PTY.spawn('stty size; tty | sed s/[0-9]*$/N/; read x; echo got $x') { |i, o2, cpid| o2.puts 'typed'; out = +''; begin; loop { out << i.readpartial(100) }; rescue Errno::EIO, EOFError; end; Process.wait cpid; p out.include?('got typed'), out.include?('/dev/pts/N') }
srv = TCPServer.new('127.0.0.1', 0); Thread.new { loop { Thread.new(srv.accept) { |k| k.puts k.gets.reverse; k.close } } }; p 20.times.map { |i| Thread.new { k = TCPSocket.new('127.0.0.1', srv.addr[1]); k.puts i; k.read.size } }.map(&:value).sum
UNIXServer.open('/tmp/r.sock') { |u| Thread.new { k = u.accept; k.send_io($stdout); k.close }; k = UNIXSocket.new('/tmp/r.sock'); io = k.recv_io; io.puts 'by another descriptor' }
File.open('l', 'w') { |f| p f.flock(File::LOCK_EX); p fork { exit(File.open('l').flock(File::LOCK_EX | File::LOCK_NB) == false ? 3 : 4) }.then { |i| Process.wait2(i)[1].exitstatus } }; p Ractor.new(20) { |n| (1..n).sum }.take, Process.clock_gettime(Process::CLOCK_MONOTONIC) > 0, Dir.mktmpdir { |d| File.write("#{d}/a", 'x'); Dir.children(d) }, Process.getrlimit(:NOFILE); Process.daemon(true, true) if false; at_exit { puts 'end' }; exit! 0 if false; abort 'bye' rescue p $!.status
END
ruby -rtmpdir -W0 t.rb 2>&1; echo $?; gem list 2>/dev/null | grep -E '^(json|rake|webrick)' | sed 's/ .*//'; printf '1 + 1\nx = 5; x * 2\nputs :a\n' | irb -f --noecho 2>/dev/null | tail -3; ruby -e 'GC.stress = false; a = []; 300000.times { |i| a << i.to_s * 3 }; GC.compact rescue 0; p a.size, GC.count > 0'
"""

CASES["WEBrick, and puma with two processes of four threads and a restart"] = r"""
cat >w.rb <<'END'
require 'webrick'; s = WEBrick::HTTPServer.new(Port: 0, BindAddress: '127.0.0.1', DocumentRoot: '/etc', AccessLog: [], Logger: WEBrick::Log.new(File::NULL)); s.mount_proc('/p') { |q, r| r.body = q.body.to_s.reverse + q.path }; trap('TERM') { s.shutdown }; File.write('port', s.listeners[0].addr[1]); s.start; puts 'stopped'
END
ruby w.rb & p=$!; until [ -s port ]; do sleep 0.1; done; u=http://127.0.0.1:$(cat port); curl -sS $u/p; curl -sS $u/hosts | md5sum; curl -sS -d abc $u/p/x; curl -sS -o /dev/null -w '%{http_code}\n' $u/none; for i in $(seq 30); do curl -sS $u/p/$i & done | wc -c; kill $p; wait $p; echo $?
cat >config.ru <<'END'
run ->(e) { e['PATH_INFO'] == '/pid' ? [200, {}, ["#{$$}\n"]] : [200, { 'content-type' => 'text/plain' }, ["hello #{e['rack.input'].read.size} #{e['rack.multithread']} #{e['rack.multiprocess']}\n"]] }
END
puma -q -w 2 -t 4:4 -b unix:///tmp/j/puma.sock -b tcp://127.0.0.1:0 --pidfile pid config.ru >log 2>&1 & m=$!; c='curl -sS --unix-socket puma.sock http://x'; until $c/ >/dev/null 2>&1; do sleep 0.2; done
until [ $(grep -c 'booted' log) -ge 2 ]; do sleep 0.1; done; $c/; head -c 200000 /dev/zero | $c/ --data-binary @-; for i in $(seq 60); do $c/ & done | sort | uniq -c; before=$($c/pid); kill -USR1 $m; until [ $(grep -c 'booted' log) -ge 4 ]; do sleep 0.1; done; [ "$($c/pid)" != "$before" ] && echo new
kill -9 $($c/pid); until [ $(grep -c 'booted' log) -ge 5 ]; do sleep 0.1; done; $c/; kill $m; wait $m; echo $?
"""


@software("ruby", layer="ruby")
@pytest.mark.parametrize("name", CASES)
def test_ruby(same, name):
    """Scripts and servers"""
    same("mkdir /tmp/j; cd /tmp/j; " + CASES[name], timeout=150)
