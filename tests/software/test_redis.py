from marks import software

PERSISTENCE = r"""
cd /tmp; c() { redis-cli -p 6390 "$@"; }
up() { redis-server --port 6390 --dir /tmp --daemonize no --save '' "$@" >>log 2>&1 & p=$!; until [ "$(c ping 2>/dev/null)" = PONG ]
do sleep 0.05; kill -0 $p || { cat log; exit 1; }; done; }
up --enable-debug-command yes --appendonly yes --appendfsync always
redis-benchmark -p 6390 -q -n 3000 -r 100000 -t set,lpush,sadd,zadd >/dev/null
c eval 'for i = 1, 20000 do redis.call("hset", "h" .. i % 100, i, string.rep("x", i % 50)) end return 1' 0
redis-benchmark -p 6390 -q -n 15000 -r 1000 -t incr >/dev/null & b=$!
c bgsave >/dev/null; until c info persistence | grep -q 'rdb_bgsave_in_progress:0'; do sleep 0.05; done
c info persistence | tr -d '\r' | grep -E 'last_bgsave_status'
c bgrewriteaof >/dev/null; until c info persistence | tr -d '\r' | grep -qx 'aof_rewrite_in_progress:0'; do sleep 0.05; done
c info persistence | tr -d '\r' | grep -E 'aof_last_(bgrewrite|write)_status'
wait $b; d=$(c debug digest)
kill -9 $p; wait $p 2>/dev/null; up --enable-debug-command yes --appendonly yes --appendfsync always
[ "$(c debug digest)" = "$d" ] && echo "aof: same"
c save; c shutdown nosave; wait $p
up --enable-debug-command yes --appendonly no; [ "$(c debug digest)" = "$d" ] && echo "rdb: same"; c shutdown nosave; wait $p
redis-check-rdb dump.rdb | grep -c 'looks OK'
"""


@software("redis-server", layer="core")
def test_persistence(same_apart):
    """Append-only file and snapshots by fork under load; killed, and restarted from either"""
    same_apart(PERSISTENCE, timeout=120)
