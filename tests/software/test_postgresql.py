from marks import software

SQL = r"""
pg=/usr/lib/postgresql/15/bin; mkdir /tmp/pg; chown postgres /tmp/pg
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
q() { as psql -h /tmp/pg -XAtq -v ON_ERROR_STOP=1 "$@" postgres; }
up() { as $pg/pg_ctl -s -w -t 100 -D /tmp/pg/d -l /tmp/pg/log -o '-k /tmp/pg -h ""' start || { cat /tmp/pg/log; exit 1; }; }
as $pg/initdb -A trust -D /tmp/pg/d >/tmp/pg/initdb.log 2>&1 || { cat /tmp/pg/initdb.log; exit 1; }
cd /tmp/pg; cat >>d/postgresql.conf <<'END'
max_prepared_transactions = 4
wal_level = logical
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
max_parallel_workers_per_gather = 2
END
up; cat >sql <<'END'
create extension if not exists plpgsql;
create type mood as enum ('low', 'high'); create domain small as int check (value < 100000);
create table t (k small primary key, f float8, n numeric, s text, d timestamptz, a int[], j jsonb, m mood, r int4range, b bytea, i inet, u uuid);
insert into t select g, g / 7.0, g::numeric / 7, repeat(chr(97 + g % 26), g % 90), timestamptz '2001-01-01 00:00Z' + g * interval '1 hour', array[g, g % 3],
	jsonb_build_object('k', g % 100, 'l', array[g % 5]), case g % 2 when 0 then 'low' else 'high' end::mood, int4range(g, g + 5), decode(md5(g::text), 'hex'),
	inet '10.0.0.0' + g, md5(g::text)::uuid from generate_series(1, 20000) g;
create index on t using gin (j); create index on t using gist (r); create index on t using brin (d); create index on t using hash (s); create index on t using spgist (i);
analyze t; explain (costs off) select count(*), sum(n) from t where f > 3;
select count(*), round(sum(n), 3), sum(f)::numeric(20, 3), count(distinct s), min(d) at time zone 'utc', max(i) from t where f > 3;
select count(*) from t where j @> '{"k": 7}'; select count(*) from t where r && int4range(100, 110); select count(*) from t where i << '10.0.1.0/24';
select m, count(*), sum(rank) from (select m, k % 1000 as x, rank() over (partition by m order by f) from t) w group by rollup (m) order by m;
with recursive f(n, a, b) as (select 1, 0::numeric, 1::numeric union all select n + 1, b, a + b from f where n < 100) select max(b) from f;
select regexp_replace(string_agg(s, '-' order by k), '[aeiou]+', '', 'g') = '' from t where k < 50; select to_tsvector('english', 'The walls were walking') @@ to_tsquery('walk & wall');
create function fact(n numeric) returns numeric language plpgsql as $$ begin if n < 2 then return 1; end if; return n * fact(n - 1); exception when others then return -1; end $$; select fact(40);
do $$ begin perform 1 / 0; exception when division_by_zero then raise notice 'caught'; end $$;
create table log (what text, k int); create function note() returns trigger language plpgsql as $$ begin insert into log values (tg_op, new.k); return new; end $$;
create trigger tr after update on t for each row execute function note(); update t set f = 0 where k <= 100; select what, count(*), sum(k) from log group by 1;
create table p (k int, v text) partition by hash (k); create table p0 partition of p for values with (modulus 2, remainder 0); create table p1 partition of p for values with (modulus 2, remainder 1);
insert into p select g, g from generate_series(1, 5000) g; select tableoid::regclass, count(*) from p group by 1 order by 1::text;
create materialized view mv as select k % 10 as x, count(*) c from t group by 1; refresh materialized view mv; select sum(c) from mv; create unique index on mv (x); refresh materialized view concurrently mv;
set work_mem = '64kB'; select count(*) from (select * from t order by b, s) o; select count(*) from t x join t y on x.u = y.u; create index concurrently on t (b); reset work_mem;
begin; savepoint a; delete from t; rollback to a; delete from t where k > 19000; prepare transaction 'two'; select count(*) from t; commit prepared 'two'; select count(*) from t; vacuum (full, analyze) t; cluster t using t_pkey;
select * from pg_create_logical_replication_slot('s', 'test_decoding') \g /dev/null
insert into p values (-1, 'x'); delete from p where k = -1; select data from pg_logical_slot_get_changes('s', null, null) where data like 'table%'; select pg_drop_replication_slot('s');
\copy (select * from t order by k) to 't.csv' csv
create table t2 (like t including all);
\copy t2 from 't.csv' csv
select (select md5(string_agg(t::text, '' order by k)) from t) = (select md5(string_agg(t2::text, '' order by k)) from t2); select lo_from_bytea(77, 'large') > 0; select lo_get(77); reindex database postgres; checkpoint;
END
q -f sql 2>&1
# a deadlock is found, a listener is told, a query is canceled, a statement times out
q -c 'create table l (k int); insert into l values (1), (2)'
for w in "1 2" "2 1"; do set -- $w
q -c "begin; update l set k = k where k = $1; select pg_sleep(2); update l set k = k where k = $2; commit" >/dev/null 2>>dead & j="$j $!"
done; wait $j; grep -c 'deadlock detected' dead
(echo 'listen c;'; sleep 2; echo 'select 1;') | q >heard & l=$!; sleep 1; q -c "notify c, 'hi'"; wait $l; grep -c '"hi" received' heard
q -c "set statement_timeout = 300; select pg_sleep(50)" 2>&1; q -c 'select pg_sleep(50)' 2>&1 & l=$!; sleep 1
q -c "select pg_cancel_backend(pid) from pg_stat_activity where query like 'select pg_sleep%' and backend_type = 'client backend'" >/dev/null
wait $l
as pg_dump -h /tmp/pg -Fc -f dump postgres && as createdb -h /tmp/pg new && as pg_restore -h /tmp/pg -j 2 -d new dump && as psql -h /tmp/pg -XAtc 'select count(*), sum(k) from t' new
as pg_basebackup -h /tmp/pg -D /tmp/pg/d2 -X stream -c fast && as $pg/pg_verifybackup -q d2 && echo backup
as $pg/pg_ctl -s -D d stop; as $pg/pg_checksums -e -D d | tail -1; as $pg/pg_checksums -c -D d | grep Bad; grep -c PANIC log || true
"""

PGBENCH = r"""
pg=/usr/lib/postgresql/15/bin; mkdir /tmp/pg; chown postgres /tmp/pg
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
q() { as psql -h /tmp/pg -XAtq -v ON_ERROR_STOP=1 "$@" postgres; }
up() { as $pg/pg_ctl -s -w -t 100 -D /tmp/pg/d -l /tmp/pg/log -o '-k /tmp/pg -h ""' start || { cat /tmp/pg/log; exit 1; }; }
as $pg/initdb -A trust -D /tmp/pg/d >/tmp/pg/initdb.log 2>&1 || { cat /tmp/pg/initdb.log; exit 1; }
cd /tmp/pg; up
as pgbench -h /tmp/pg -i -s 2 -q postgres 2>/dev/null
as pgbench -h /tmp/pg -c 4 -j 2 -t 100 -n postgres 2>&1 | grep 'processed:'
q -c 'select count(*), (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history), (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history) from pgbench_history'
as $pg/pg_ctl -s -D /tmp/pg/d stop; up; q -c 'select count(*) from pgbench_history'; as $pg/pg_ctl -s -m immediate -D /tmp/pg/d stop
up
q -c 'select count(*) from pgbench_history'
"""

CRASH = r"""
pg=/usr/lib/postgresql/15/bin; mkdir /tmp/pg; chown postgres /tmp/pg
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
q() { as psql -h /tmp/pg -XAtq -v ON_ERROR_STOP=1 "$@" postgres; }
up() { as $pg/pg_ctl -s -w -t 100 -D /tmp/pg/d -l /tmp/pg/log -o '-k /tmp/pg -h ""' start || { cat /tmp/pg/log; exit 1; }; }
as $pg/initdb -A trust -D /tmp/pg/d >/tmp/pg/initdb.log 2>&1 || { cat /tmp/pg/initdb.log; exit 1; }
cd /tmp/pg; up; as pgbench -h /tmp/pg -i -s 2 -q postgres 2>/dev/null
whole() { q -c "select count(*) >= $1, (select sum(bbalance) from pgbench_branches) = sum(delta), (select sum(abalance) from pgbench_accounts) = sum(delta),
	(select sum(tbalance) from pgbench_tellers) = sum(delta) from pgbench_history"; }
load() { as pgbench -h /tmp/pg -c 4 -j 2 -T 60 -n postgres >bench.log 2>&1 & bench=$!; n=$1
	until [ "$(q -c 'select count(*) from pgbench_history' || echo 0)" -ge $n ]; do sleep 0.1; done; }
load 300; kill -9 $(q -c "select pid from pg_stat_activity where application_name = 'pgbench' limit 1"); wait $bench
until q -c 'select 1' >/dev/null 2>&1; do sleep 0.1; done; whole 300; grep -c 'terminated by signal 9' log
load 600; kill -9 $(head -1 d/postmaster.pid); wait $bench; while pgrep -u postgres postgres >/dev/null; do sleep 0.1; done
up; whole 600; grep -c 'automatic recovery in progress' log; as $pg/pg_ctl -s -D d stop; as $pg/pg_controldata d | grep state
"""


@software("postgresql-15", layer="data")
def test_sql(same_apart):
    """Types, indexes of six kinds, parallel plans, triggers, partitions, prepared transactions, logical decoding,
    COPY, dead locks, NOTIFY, cancel, dump and restore, base backup, checksums"""
    same_apart(SQL, timeout=200)


@software("postgresql-15", layer="data")
def test_pgbench(same_apart):
    """initdb, pgbench with four clients, stops of both kinds"""
    same_apart(PGBENCH, timeout=120)


@software("postgresql-15", layer="core")
def test_killed(same_apart):
    """A backend and then the postmaster are killed during pgbench; recovery, and all that was committed is there"""
    same_apart(CRASH, timeout=120)
