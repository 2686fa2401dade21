from marks import software

DNS = r"""
mkdir /tmp/u; cd /tmp/u; cat >hosts <<'END'
192.0.2.1 one.lan
192.0.2.2 two.lan
END
dnsmasq --conf-file=/dev/null --port 5300 --listen-address=127.0.0.1 --bind-interfaces --no-resolv --addn-hosts=/tmp/u/hosts --no-hosts --user=nobody --pid-file=/tmp/u/pid --local=/lan/ --txt-record=t.lan,text --mx-host=lan,mail.lan,5 --cname=c.lan,one.lan --srv-host=_s._tcp.lan,one.lan,99 --log-facility=/tmp/u/dnsmasq.log
until [ -s pid ]; do sleep 0.05; done
cat >conf <<'END'
server:
  interface: 127.0.0.1
  interface: ::1
  port: 5353
  num-threads: 2
  chroot: ""
  directory: "/tmp/u"
  username: unbound
  pidfile: /tmp/u/upid
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "here.lan." static
  local-data: "a.here.lan. 60 IN A 192.0.2.9"
remote-control:
  control-enable: yes
  control-interface: /tmp/u/ctl
  control-use-cert: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5300
END
chmod 777 /tmp/u; unbound-checkconf conf; unbound -c /tmp/u/conf || exit 1
d() { dig +short +time=5 +tries=3 -p 5353 "$@"; }
for how in @127.0.0.1 @::1 "+tcp @127.0.0.1"; do d $how one.lan; d $how c.lan | tail -1; d $how t.lan TXT; d $how lan MX
d $how _s._tcp.lan SRV; d $how a.here.lan; done
dig -p 5353 @127.0.0.1 none.lan | grep -o 'status: [A-Z]*'; for i in $(seq 200); do echo "one.lan A"; echo "two.lan A"; done >batch
dig +short +time=5 -p 5353 @127.0.0.1 -f batch | sort | uniq -c
echo '192.0.2.3 one.lan' >hosts; kill -HUP $(cat pid); until [ "$(dig +short -p 5300 @127.0.0.1 one.lan)" = 192.0.2.3 ]
do sleep 0.1; done; d @127.0.0.1 one.lan; unbound-control -c conf flush one.lan; d @127.0.0.1 one.lan
unbound-control -c conf stats_noreset | grep -E '^num.query|total.num.queries=' ; unbound-control -c conf stop; kill $(cat pid)
while [ -e upid ] || [ -e pid ]; do sleep 0.1; done; echo ended
"""


@software("unbound", layer="servers")
def test_unbound_dnsmasq(same_apart):
    """unbound before dnsmasq: IPv4, IPv6, TCP, 400 queries, local zones, reload, flush, control socket"""
    same_apart(DNS, timeout=60)
