"""Lua with its modules of POSIX calls and sockets; Tcl; expect."""

from marks import software

LUA = r"""
cat >/tmp/t.lua <<'END'
local p, socket = require 'posix', require 'socket'
local pids, n = {}, 0
for i = 1, 10 do local c = p.fork(); if c == 0 then p._exit(i) end; pids[c] = i end
for _ = 1, 10 do local c, why, code = p.wait(-1); if why == 'exited' and pids[c] == code then n = n + 1 end end; print(n)
local r, w = p.pipe(); if p.fork() == 0 then p.close(r); for i = 1, 1000 do p.write(w, i .. '\n') end; p._exit(0) end; p.close(w)
local all = ''; while true do local b = p.read(r, 4096); if not b or #b == 0 then break end; all = all .. b end; print(#all); p.wait(-1)
local got = 0; p.signal(p.SIGUSR1, function() got = got + 1 end); p.kill(p.getpid 'pid', p.SIGUSR1); for i = 1, 1e6 do if got > 0 then break end end; print(got)
local s = assert(socket.bind('127.0.0.1', 0)); local _, port = s:getsockname()
if p.fork() == 0 then for i = 1, 20 do local c = s:accept(); local l = c:receive(); c:send(l:reverse() .. '\n'); c:close() end; p._exit(0) end
local sum = 0; for i = 1, 20 do local c = socket.connect('127.0.0.1', port); c:send('line ' .. i .. '\n'); sum = sum + #c:receive(); c:close() end; print(sum); p.wait(-1)
local u = socket.udp(); u:setsockname('127.0.0.1', 0); local _, up = u:getsockname(); local v = socket.udp(); v:sendto('datagram', '127.0.0.1', up); print(u:receive())
local f = io.popen('seq 100 | grep 7 | wc -l'); print(f:read 'n', f:close()); print(os.execute 'exit 9'); print(os.getenv 'HOME', os.tmpname():sub(1, 5), os.rename('/no', '/x'))
local t = io.open('/tmp/f', 'w'); for i = 1, 50000 do t:write(i, '\n') end; t:close(); local c = 0; for l in io.lines '/tmp/f' do c = c + #l end; print(c, p.stat('/tmp/f').size, p.stat('/tmp').type, #p.dir '/etc/ssl')
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end); print(co(), co(), co()); print(pcall(function() local function f(n) return f(n + 1) + 1 end return f(1) end)); collectgarbage(); print(select(2, pcall(error, { 1 }))[1], utf8.len 'äöü', #string.rep('x', 1e8))
END
lua5.4 /tmp/t.lua; echo $?; echo 'print(1 + 1)' | lua5.4 -; luac5.4 -o /tmp/t.luac /tmp/t.lua && lua5.4 /tmp/t.luac | md5sum
"""

TCL = r"""
cat >/tmp/t.tcl <<'END'
package require Thread
set pool [tpool::create -minworkers 4]; set jobs {}; for {set i 0} {$i < 20} {incr i} { lappend jobs [tpool::post $pool "expr {$i * $i}"] }; set s 0; foreach j $jobs { tpool::wait $pool $j; incr s [tpool::get $pool $j] }; puts $s
proc serve {c a p} { fconfigure $c -buffering line -blocking 0; fileevent $c readable [list answer $c] }
proc answer {c} { if {[gets $c l] < 0} { if {[eof $c]} { close $c }; return }; puts $c [string reverse $l] }
set srv [socket -server serve -myaddr 127.0.0.1 0]; set port [lindex [fconfigure $srv -sockname] 2]; set left 30; set sum 0
proc got {c} { global left sum; if {[gets $c l] >= 0} { incr sum [string length $l]; close $c; if {[incr left -1] == 0} { set ::done 1 } } }
for {set i 0} {$i < 30} {incr i} { set c [socket 127.0.0.1 $port]; fconfigure $c -buffering line -blocking 0; puts $c "line $i"; fileevent $c readable [list got $c] }; vwait done; puts $sum
puts [exec sh -c {seq 100 | grep 7} | wc -l]; puts [catch {exec sh -c {echo err >&2; exit 7}} m o] ; puts $m; puts [dict get $o -errorcode]x
set p [open "|cat" r+]; puts $p hello; flush $p; puts [gets $p]; close $p; after 50 {set t 1}; vwait t; puts [file size /etc/passwd][file type /dev/null]; file mkdir /tmp/a/b; file copy /etc/ssl /tmp/a/c; puts [llength [glob /tmp/a/c/*]]; file delete -force /tmp/a; puts [file exists /tmp/a]; puts [clock format 0 -gmt 1 -format %Y]; exit 4
END
tclsh /tmp/t.tcl | sed 's/ [0-9]* 7x$/ N 7x/'; echo ${PIPESTATUS[0]}
cat >/tmp/e.exp <<'END'
set timeout 30; log_user 0; spawn bash --norc; send "PS1='ready> '\r"; expect -re {ready> $}; send "stty -echo; tty | sed 's/\[0-9\]*\$/N/'\r"; expect -re {/dev/pts/N}; puts terminal; expect -re {ready> $}; send "cat\r"; send "typed\r"; expect typed; send "\004"; expect -re {ready> $}; puts "end of file"
send "sleep 100\r"; sleep 0.5; send "\003"; expect -re {ready> $}; send "echo \$?\r"; expect -re {(\d+)}; puts "interrupted: $expect_out(1,string)"; expect -re {ready> $}; send "sleep 100\r"; sleep 0.5; send "\032"; expect Stopped; puts stopped; expect -re {ready> $}; send "kill %1; wait\r"; expect -re {ready> $}; send "stty rows 50 cols 99; stty size\r"; expect "50 99"; puts size; expect -re {ready> $}; send "exit 3\r"; expect eof; puts [lindex [wait] 3]
spawn python3 -q; expect ">>> "; send "6 * 7\r"; expect 42; puts "python: 42"; expect ">>> "; send "\004"; expect eof; puts [lindex [wait] 3]; spawn su - tester -c {id -un; tty >/dev/null && echo tty}; expect -re {tester.*tty}; puts su; expect eof; wait
END
expect /tmp/e.exp
"""


@software("lua5.4", layer="lua")
def test_lua(same):
    """Processes, pipes, signals and sockets by its modules; files; coroutines; byte code"""
    same(LUA)


@software("expect", layer="lua")
def test_expect(same):
    """Tcl: threads, events, sockets, pipes. expect: conversations with bash, Python and su on ptys, job control"""
    same(TCL)
