from marks import software

LOAD = r"""
cd /tmp; q() { sqlite3 -cmd '.timeout 20000' db "$@"; }
q 'pragma journal_mode = wal; create table t (k integer primary key, v text)'
for w in 1 2 3 4; do
	(for i in $(seq 25); do q "insert into t (v) select hex(zeroblob(50)) || $w from generate_series(1, 40)" || exit 1; done) &
done
wait; q 'select count(*), count(distinct v) from t; pragma integrity_check; pragma wal_checkpoint(truncate)'
q 'create index i on t (v); select count(*) from t where v > "0"; vacuum; pragma integrity_check; select max(k) from t'
ls db*; md5sum <(q 'select v from t order by v') | cut -d' ' -f1
"""

CRASH = r"""
cd /tmp; sqlite3 db 'pragma journal_mode = wal; create table t (n)' >/dev/null
(i=0; while :; do i=$((i + 1)); sqlite3 db "begin; insert into t values ($i); insert into t values (-$i); commit"; done) 2>/dev/null & loop=$!
until [ "$(sqlite3 -cmd '.timeout 9000' db 'select count(*) > 40 from t')" = 1 ]; do sleep 0.1; done
kill -9 $loop; wait $loop 2>/dev/null; sleep 0.2
sqlite3 -cmd '.timeout 9000' db 'pragma integrity_check; select sum(n), count(*) % 2 from t'
"""


@software("sqlite3", layer="core")
def test_writers(same):
    """Four processes write to one data base in WAL mode; index, vacuum, integrity check"""
    same(LOAD)


@software("sqlite3", layer="core")
def test_writer_killed(same):
    """Writers are killed in the middle of transactions; what is left is whole"""
    same(CRASH)
