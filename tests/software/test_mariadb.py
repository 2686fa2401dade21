from marks import software

LOAD = r"""
mkdir /tmp/m; chown mysql /tmp/m; cd /tmp/m
q() { mariadb --socket=/tmp/m/sock -N -B "$@"; }
up() { setpriv --reuid=mysql --regid=mysql --clear-groups mariadbd --no-defaults --datadir=/tmp/m/d --socket=/tmp/m/sock --pid-file=/tmp/m/pid --skip-networking --innodb-buffer-pool-size=64M >>log 2>&1 & p=$!
	until mariadb-admin --socket=/tmp/m/sock ping >/dev/null 2>&1; do sleep 0.1; kill -0 $p 2>/dev/null || { cat log; exit 1; }; done; }
mariadb-install-db --no-defaults --user=mysql --datadir=/tmp/m/d --auth-root-authentication-method=normal >install.log 2>&1 || { cat install.log
exit 1; }
up
q -e 'create database t; use t; create table a (k int auto_increment primary key, w int, v varchar(200), index (v)) engine=innodb; create table y (k int primary key, n int) engine=aria; insert into y values (1, 0);'
for w in 1 2 3 4; do (for i in $(seq 20)
do echo "begin; insert into a (w, v) select $w, concat(repeat('x', seq), $w) from seq_1_to_100; update y set n = n + 100; commit;"
done | q t) & jobs="$jobs $!"; done; wait $jobs
q t -e 'select count(*), count(distinct v), sum(length(v)), (select n from y) from a; check table a, y; alter table a add index (w, k), add column c int default 7; select w, count(*), sum(c) from a group by w; analyze table a;'
q t -e "select count(*) from a join a b using (k) where b.v like 'xxx%'; create fulltext index f on a (v); optimize table a" | tail -4
q -e 'create table t.c (k int auto_increment primary key, n int) engine=innodb'
(while :; do echo "begin; insert into c (n) values (5); insert into c (n) values (-5); commit;"; done | q t 2>/dev/null) & l=$!
until [ $(q t -e 'select count(*) from c') -gt 200 ]; do sleep 0.1; done; n=$(q t -e 'select count(*) from c'); kill -9 $p
wait $p 2>/dev/null; wait $l
up; q t -e "select count(*) >= $n, sum(n), count(*) % 2 from c; check table a, c, y; select count(*) from a"
grep -c 'Starting crash recovery' log; mariadb-admin --socket=/tmp/m/sock shutdown; wait $p; echo $?
grep -iE 'io_uring|aio' log | sed 's/^[^[]*//' | sort -u >&2
"""


@software("mariadb-server", layer="data", differs="io_uring is not there: threads do the I/O")
def test_mariadb(same_apart):
    """Data base made, four clients with InnoDB and Aria, alter, full text, check; killed during transactions, recovery"""
    same_apart(LOAD, timeout=150)
