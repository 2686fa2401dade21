from marks import software

RUNIT = r"""
export SVDIR=/tmp/v; mkdir -p /tmp/v/a/log /tmp/v/b /tmp/logs; cd /tmp/v
printf '#!/bin/sh\nexec 2>&1\necho starting\necho x >>/tmp/starts\nexec sleep 1000\n' >a/run
printf '#!/bin/sh\nexec svlogd -ttt /tmp/logs\n' >a/log/run
printf '#!/bin/sh\nexec chpst -u tester -o 50 sh -c "id -un >/tmp/who; ulimit -n >>/tmp/who; exec sleep 2000"\n' >b/run
printf '#!/bin/sh\necho finish $1 $2 >>/tmp/finish\n' >b/finish; chmod 777 /tmp
chmod 755 a/run a/log/run b/run b/finish; : >/tmp/who; chmod 666 /tmp/who; runsvdir -P /tmp/v & p=$!
until sv check a b >/dev/null 2>&1; do sleep 0.2; done; until [ "$(wc -l </tmp/who)" = 2 ]; do sleep 0.1; done; cat /tmp/who
sv status a b | sed 's/(pid [0-9]*)//g; s/ [0-9]*s//g'; kill -9 $(cat a/supervise/pid); until [ "$(wc -l </tmp/starts)" = 2 ]
do sleep 0.1; done; until grep -c starting /tmp/logs/current | grep -qx 2; do sleep 0.1; done
sv -w 20 down b >/dev/null; cat /tmp/finish; sv status b | sed 's/ [0-9]*s//g'; sv pause a
until grep -q T /proc/$(cat a/supervise/pid)/stat; do sleep 0.1; done; sv cont a; sv -w 20 up b >/dev/null; sv hup a
until [ "$(wc -l </tmp/starts)" = 3 ]; do sleep 0.1; done
mkdir /tmp/c; printf '#!/bin/sh\nexec sleep 3000\n' >/tmp/c/run; chmod 755 /tmp/c/run; mv /tmp/c /tmp/v/c
until sv check c >/dev/null 2>&1; do sleep 0.3; done; kill -HUP $p; wait $p; echo $?; while pgrep -x 'sleep|runsv' >/dev/null
do sleep 0.1; done; cat /tmp/finish
"""

S6 = r"""
mkdir -p /tmp/v/a/log /tmp/v/b /tmp/v/.s6-svscan /tmp/logs; cd /tmp/v
printf '#!/bin/sh\nexec 2>&1\necho starting\necho x >>/tmp/starts\nuntil [ -e /tmp/ready ]; do sleep 0.1; done; echo >&3; exec 3>&-; exec sleep 1000\n' >a/run
printf '#!/bin/sh\nexec s6-log t /tmp/logs\n' >a/log/run; echo 3 >a/notification-fd
printf '#!/bin/sh\nexec s6-setuidgid tester sleep 2000\n' >b/run; printf '#!/bin/sh\necho finish $1 $2 >>/tmp/finish\n' >b/finish
chmod 755 a/run a/log/run b/run b/finish; printf '#!/bin/sh\necho over\n' >.s6-svscan/finish; chmod 755 .s6-svscan/finish
s6-svscan /tmp/v & p=$!; until s6-svstat b 2>/dev/null | grep -q '^up'; do sleep 0.1; done
(sleep 1; touch /tmp/ready) & s6-svwait -U -t 20000 a && echo ready; kill -9 $(s6-svstat -o pid b); s6-svwait -d -t 9000 b
until [ -s /tmp/finish ]; do sleep 0.1; done; cat /tmp/finish; until s6-svstat -o up b | grep -q true; do sleep 0.1; done
s6-svc -wD -T 20000 -d b; s6-svstat -o up,wantedup b; s6-svc -wu -T 20000 -u b; s6-svstat -o up b; s6-svc -r a
until [ "$(wc -l </tmp/starts)" = 2 ]; do sleep 0.1; done; s6-svscanctl -t .; wait $p; echo $?; ps -C sleep -o pid= | wc -l
grep -c starting /tmp/logs/current
"""

SUPERVISORD = r"""
mkdir -p /tmp/s/sv/run /tmp/s/sv/log; cd /tmp/s
cat >conf <<'END'
[unix_http_server]
file=/tmp/s/sock
[supervisord]
logfile=/tmp/s/log
pidfile=/tmp/s/pid
user=root
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///tmp/s/sock
[program:one]
command=/bin/sh -c 'echo start; echo x >>/tmp/s/starts; trap "echo term; exit 0" TERM; while :; do sleep 0.1; done'
stdout_logfile=/tmp/s/one.log
[program:two]
command=/bin/sleep 1000
user=tester
process_name=%(program_name)s-%(process_num)d
numprocs=3
[program:short]
command=/bin/sh -c 'exit 3'
startsecs=0
autorestart=false
[program:bad]
command=/bin/false
startretries=1
startsecs=1
END
sed -i '/^\[eventlistener/,$d' conf
supervisord -c conf; c() { supervisorctl -c conf "$@"; }
until c status bad | grep -q FATAL; do sleep 0.2; done; c status | awk '{ print $1, $2 }'
ps -C sleep -o user= | sort | uniq -c | grep tester
kill -9 $(c pid one); until [ "$(wc -l <starts)" = 2 ]; do sleep 0.1; done; until c status one | grep -q RUNNING; do sleep 0.1; done
c stop one; cat one.log; c restart two:two-1; c start one; c tail one | tail -1; c signal TERM one
until c status one | grep -q EXITED; do sleep 0.1; done
c shutdown; while [ -e pid ]; do sleep 0.1; done; grep -c 'exited: one' log; ps -C sleep -o pid= | wc -l
"""

CRON = r"""
cd /tmp; touch out; chmod 666 out; printf '* * * * * echo tester $(id -un) $SHELL $HOME $FOO >>/tmp/out\n' >t; sed -i '1i FOO=bar' t
crontab -u tester t; crontab -u tester -l | wc -l
printf '* * * * * root cd /tmp && echo system $(id -un) $(tty) >>/tmp/out\n' >/etc/cron.d/x; cron -f & p=$!
until grep -q tester out && grep -q system out; do sleep 0.2; done; sort -u out
crontab -u tester -r; crontab -u tester -l 2>&1; kill $p; wait $p; echo $?
"""


@software("runit", layer="core")
def test_runit(same_apart):
    """Services with a log, limits and another user: killed, paused, hung up, down and up, added, and all ended"""
    same_apart(RUNIT, timeout=60)


@software("s6", layer="tools")
def test_s6(same_apart):
    """Services with readiness, log and another user: killed, down and up, restarted, and all ended"""
    same_apart(S6, timeout=60)


@software("supervisor", layer="tools")
def test_supervisord(same_apart):
    """Programs that run, exit and fail; killed, stopped, restarted, signalled; shutdown"""
    same_apart(SUPERVISORD, timeout=90)


@software("cron", layer="tools")
def test_cron(same_apart):
    """A user's crontab with a variable, one in /etc/cron.d"""
    same_apart(CRON, timeout=150)
