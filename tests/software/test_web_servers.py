from marks import software

APACHE = r"""
mkdir -p /tmp/a/www /tmp/a/cgi; cd /tmp/a; seq 20000 >www/seq; echo hello >www/index.html; truncate -s 3M www/big
cat >cgi/env <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'; echo "$REQUEST_METHOD $QUERY_STRING $SERVER_SOFTWARE" | cut -d/ -f1; cat | md5sum
END
chmod 755 cgi/env; m=/usr/lib/apache2/modules
for mpm in prefork event worker; do
cgi=cgid; [ $mpm = prefork ] && cgi=cgi
cat >conf <<END
LoadModule mpm_module $m/mod_mpm_$mpm.so
ServerRoot /tmp/a
PidFile /tmp/a/pid
ErrorLog /tmp/a/error-$mpm
ServerName localhost
Listen 127.0.0.1:8080
User www-data
Group www-data
$(for n in authz_core mime dir status alias $cgi deflate filter reqtimeout; do echo "LoadModule ${n}_module $m/mod_$n.so"; done)
TypesConfig /etc/mime.types
DocumentRoot /tmp/a/www
DirectoryIndex index.html
ScriptAlias /cgi/ /tmp/a/cgi/
$([ $cgi = cgid ] && echo ScriptSock /tmp/a/cgisock)
<Location /status>
SetHandler server-status
</Location>
StartServers 2
END
sed -i "s/mpm_module/mpm_${mpm}_module/" conf; : >>/etc/mime.types
u=http://127.0.0.1:8080; c='curl -sS'
apache2 -f /tmp/a/conf || cat error-$mpm; until $c $u/ >/dev/null 2>&1; do sleep 0.1; done
echo $mpm; $c $u/; $c $u/seq | md5sum; $c $u/big | md5sum; $c -r 100-199 $u/seq | md5sum
$c -o /dev/null -w '%{http_code} %{size_download}\n' $u/none $u/index.html; $c "$u/cgi/env?x=1"; $c --data-binary @www/seq $u/cgi/env
for i in $(seq 60); do echo "url=$u/seq"; echo "output=/tmp/a/o$i"; done | curl -sS -Z --no-progress-meter -K - 
md5sum o* | cut -d' ' -f1 | uniq -c
for i in $(seq 20); do echo "url=$u/cgi/env?$i"; echo "output=/tmp/a/p$i"; done | curl -sS -Z --no-progress-meter -K - 
cat p* | grep -c GET
$c "$u/status?auto" | grep -E 'ServerMPM'; apache2 -f /tmp/a/conf -k graceful; sleep 0.5; $c $u/
apache2 -f /tmp/a/conf -k graceful-stop; while [ -e pid ]; do sleep 0.1; done
grep -E "exit signal|segfault|:crit|:emerg" error-$mpm; rm -f o* p*
done
"""

HAPROXY = r"""
mkdir /tmp/h; cd /tmp/h; for n in 1 2; do mkdir www$n; echo server $n >www$n/id; seq 50000 >www$n/seq; (cd www$n
exec python3 -m http.server --bind 127.0.0.1 809$n >/dev/null 2>&1) & eval "s$n=$!"; done
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost -days 9 2>/dev/null; cat key cert >pem
cat >conf <<'END'
global
 nbthread 2
 master-worker
 stats socket /tmp/h/ctl mode 600 level admin expose-fd listeners
defaults
 mode http
 timeout connect 5s
 timeout client 9s
 timeout server 9s
frontend f
 bind 127.0.0.1:8080
 bind 127.0.0.1:8443 ssl crt /tmp/h/pem alpn h2,http/1.1
 bind /tmp/h/sock
 http-request deny if { path /denied }
 default_backend b
backend b
 balance roundrobin
 option httpchk GET /id
 server s1 127.0.0.1:8091 check inter 200
 server s2 127.0.0.1:8092 check inter 200
listen t
 mode tcp
 bind 127.0.0.1:8081
 server s1 127.0.0.1:8091
END
for p in 8091 8092; do until curl -s 127.0.0.1:$p/id >/dev/null; do sleep 0.1; done; done
haproxy -c -q -f conf || exit 1; haproxy -W -f conf >log 2>&1 & h=$!; c='curl -sS'; u=http://127.0.0.1:8080
until $c $u/id >/dev/null 2>&1; do sleep 0.1; done
for i in $(seq 20); do $c $u/id; done | sort | uniq -c; $c -k --http2 -w '%{http_version}\n' https://127.0.0.1:8443/seq | md5sum
$c --unix-socket sock http://x/seq | md5sum; $c 127.0.0.1:8081/id; $c -o /dev/null -w '%{http_code}\n' $u/denied
for i in $(seq 60); do echo "url=$u/seq"; echo "output=/tmp/h/o$i"; done | $c -Z --no-progress-meter -K -
md5sum o* | cut -d' ' -f1 | uniq -c
ask() { python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect("/tmp/h/ctl"); s.sendall(sys.argv[1].encode() + b"\n"); print(s.makefile().read().strip())' "$1"
}
kill $s2; until ask 'show stat' | grep -q '^b,s2.*,DOWN,'; do sleep 0.1; done; for i in $(seq 6); do $c $u/id; done | uniq -c
ask 'set server b/s1 state maint'; $c -o /dev/null -w '%{http_code}\n' $u/id; ask 'set server b/s1 state ready'
until $c $u/id | grep -q 'server 1'; do sleep 0.1; done
kill -USR2 $h; sleep 1; $c $u/id; kill -USR1 $h; wait $h; echo $?; kill $s1
"""

NGINX = r"""
mkdir -p /tmp/n/www; cd /tmp/n; seq 20000 >www/seq; echo hello >www/index.html; truncate -s 3M www/big
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost -days 9 2>/dev/null
cat >conf <<'END'
worker_processes 2; pid /tmp/n/pid; error_log /tmp/n/error.log warn; events { worker_connections 256; }
http { access_log /tmp/n/access.log; include /etc/nginx/mime.types; sendfile on; aio threads; gzip on; gzip_types text/plain;
proxy_cache_path /tmp/n/cache keys_zone=c:1m; limit_req_zone $uri zone=l:1m rate=1r/m;
server { listen 127.0.0.1:8080 reuseport; listen [::1]:8080; listen unix:/tmp/n/sock; root /tmp/n/www; location /limited { limit_req zone=l; try_files /index.html =404; } }
server { listen 127.0.0.1:8443 ssl http2; ssl_certificate cert; ssl_certificate_key key; location / { proxy_pass http://127.0.0.1:8080; proxy_cache c; proxy_cache_valid 1m; add_header X $upstream_cache_status; } } }
END
chmod 755 /tmp/n; /usr/sbin/nginx -p /tmp/n -c conf || exit 1; u=http://127.0.0.1:8080; t=https://127.0.0.1:8443; c='curl -sSk'
until $c $t/ >/dev/null 2>&1; do sleep 0.1; done
$c $u/seq | md5sum; $c $u/big | md5sum; $c -r 100-199,300-310 $u/seq | grep -c Content-Range; $c --compressed $u/seq | md5sum
$c -g "http://[::1]:8080/"; $c --unix-socket sock http://x/
for i in 1 2; do $c --http2 -D - -o /dev/null $t/seq | tr -d '\r' | grep -iE '^(HTTP|x:)'; done; find cache -type f | wc -l
for i in 1 2; do $c -o /dev/null -w '%{http_code}\n' $u/limited; done
for i in $(seq 60); do echo "url=$t/seq?$i"; echo "output=/tmp/n/o$i"; done | $c -Z --no-progress-meter -K -
md5sum o* | cut -d' ' -f1 | uniq -c
old=$(cat pid); kill -HUP $old; sleep 0.5; $c $u/; mv access.log moved; kill -USR1 $old; until [ -e access.log ]; do sleep 0.1; done
kill -USR2 $old; until [ -e pid.oldbin ] && [ -s pid ] && [ "$(cat pid)" != $old ]; do sleep 0.1; done; kill -WINCH $old; sleep 0.5
$c $u/; kill -QUIT $old; while [ -e pid.oldbin ]; do sleep 0.1; done; $c $u/
kill -9 $(pgrep -P $(cat pid) | head -1); sleep 0.5; $c $u/; new=$(cat pid); nginx -p /tmp/n -c conf -s quit; while [ -e pid ]
do sleep 0.1; done; grep -E 'emerg|crit' error.log; grep -c 'exited on signal 9' error.log
"""


@software("apache2", layer="servers")
def test_apache(same_apart):
    """prefork, event and worker: files, ranges, CGI, 60 requests at once, status, graceful restart and stop"""
    same_apart(APACHE, timeout=120)


@software("haproxy", layer="servers")
def test_haproxy(same_apart):
    """HTTP, HTTP/2 with TLS, unix socket and TCP before two servers; checks, one goes down, control socket, reload"""
    same_apart(HAPROXY, timeout=90)


@software("nginx", layer="servers")
def test_nginx(same_apart):
    """Two workers: files by threads, ranges, HTTP/2 before a proxy with a cache, limits; reload, log rotation, new
    binary, a worker killed, quit"""
    same_apart(NGINX, timeout=90)
