"""PHP: scripts, and FastCGI processes behind nginx."""

from marks import software

FPM = r"""
mkdir -p /tmp/p/www; cd /tmp/p; cat >www/index.php <<'END'
<?php
session_save_path('/tmp/p'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
$db = new PDO('sqlite:/tmp/p/db'); $db->setAttribute(PDO::ATTR_TIMEOUT, 20); $db->exec('create table if not exists t (n integer)');
if (isset($_GET['add'])) { $f = fopen('/tmp/p/lock', 'c'); flock($f, LOCK_EX); $db->exec('insert into t values (' . (int) $_GET['add'] . ')'); flock($f, LOCK_UN); }
if (isset($_FILES['f'])) echo md5_file($_FILES['f']['tmp_name']), ' ', $_FILES['f']['size'], "\n";
if (isset($_GET['exec'])) echo shell_exec('id -un; echo sub');
if (isset($_GET['die'])) posix_kill(getmypid(), SIGKILL);
if (isset($_GET['big'])) echo str_repeat('0123456789', 300000);
else echo php_sapi_name(), ' ', $_SERVER['REQUEST_METHOD'], ' ', $_SESSION['n'], ' ', $db->query('select count(*), sum(n) from t')->fetch()[1], "\n";
END
cat >fpm.conf <<'END'
[global]
pid = /tmp/p/fpm.pid
error_log = /tmp/p/fpm.log
[www]
user = www-data
group = www-data
listen = /tmp/p/fpm.sock
listen.mode = 0666
pm = dynamic
pm.max_children = 6
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
pm.status_path = /status
slowlog = /tmp/p/slow
php_admin_value[opcache.enable] = 1
END
cat >nginx.conf <<'END'
worker_processes 1; pid /tmp/p/nginx.pid; error_log /tmp/p/nginx.log; events { }
http { access_log off; client_body_temp_path /tmp/p/body; server { listen unix:/tmp/p/http; root /tmp/p/www;
 location / { include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root/index.php; fastcgi_pass unix:/tmp/p/fpm.sock; }
 location /status { include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME /status; fastcgi_param SCRIPT_NAME /status; fastcgi_pass unix:/tmp/p/fpm.sock; } } }
END
chmod -R a+rwX .; php-fpm8.2 -y fpm.conf 2>/dev/null; nginx -c /tmp/p/nginx.conf 2>/dev/null; c='curl -sS --unix-socket /tmp/p/http'; until [ -S fpm.sock -a -S http ]; do sleep 0.1; done
$c -b j -c j http://x/; $c -b j -c j http://x/; $c -b j -c j -d a=b http://x/; $c http://x/?big=1 | md5sum; seq 100000 >up; md5sum <up; $c -F f=@up http://x/; $c http://x/?exec=1
for i in $(seq 60); do $c "http://x/?add=$i" >/dev/null & done; wait $(jobs -p); $c http://x/; $c http://x/status | grep -E '^(pool|process manager|max children reached)'
$c -o /dev/null -w '%{http_code}\n' 'http://x/?die=1'; $c http://x/; kill -USR2 $(cat fpm.pid); sleep 1; until $c http://x/ >/dev/null; do sleep 0.2; done; $c http://x/; grep -c 'SIGKILL' fpm.log
kill -QUIT $(cat nginx.pid); p=$(cat fpm.pid); kill -QUIT $p; while [ -e fpm.pid ]; do sleep 0.1; done; tail -1 fpm.log | sed 's/.*NOTICE/NOTICE/'
"""

CLI = r"""
cat >/tmp/t.php <<'END'
<?php
$p = proc_open(['sh', '-c', 'cat; echo err >&2; exit 6'], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $io); fwrite($io[0], "in\n"); fclose($io[0]); echo stream_get_contents($io[1]), stream_get_contents($io[2]), proc_close($p), "\n";
pcntl_async_signals(true); $n = 0; pcntl_signal(SIGUSR1, function () use (&$n) { $n++; }); for ($i = 0; $i < 5; $i++) posix_kill(posix_getpid(), SIGUSR1); echo $n > 0 ? "signal\n" : "none\n";
$kids = []; for ($i = 1; $i <= 10; $i++) { $k = pcntl_fork(); if (!$k) exit($i); $kids[$k] = $i; } $ok = 0; while (($k = pcntl_wait($s)) > 0) $ok += pcntl_wexitstatus($s) == $kids[$k]; echo $ok, "\n";
$srv = stream_socket_server('tcp://127.0.0.1:0'); $addr = stream_socket_get_name($srv, false); if (!pcntl_fork()) { $c = stream_socket_client("tcp://$addr"); fwrite($c, str_repeat('x', 500000)); exit; } $c = stream_socket_accept($srv); echo strlen(stream_get_contents($c)), "\n"; pcntl_wait($s);
[$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); fwrite($a, 'pair'); $r = [$b]; $w = $e = null; echo stream_select($r, $w, $e, 5), fread($b, 9), "\n";
$db = new PDO('sqlite::memory:'); $db->exec('create table t (k int, v text)'); $i = $db->prepare('insert into t values (?, ?)'); $db->beginTransaction(); for ($k = 0; $k < 5000; $k++) $i->execute([$k, md5($k)]); $db->commit(); echo $db->query('select count(*) || min(v) from t')->fetchColumn(), "\n";
$s = shmop_open(ftok('/tmp', 'x'), 'c', 0600, 100); shmop_write($s, 'shared', 0); echo shmop_read($s, 0, 6), "\n"; shmop_delete($s); $q = msg_get_queue(42); msg_send($q, 1, ['a' => 1]); msg_receive($q, 1, $t, 1000, $m); echo json_encode($m), "\n"; msg_remove_queue($q); $m = sem_get(7); echo sem_acquire($m) ? 'sem' : '', sem_release($m) ? "\n" : ''; sem_remove($m);
$it = new RecursiveIteratorIterator(new RecursiveDirectoryIterator('/etc/ssl', FilesystemIterator::SKIP_DOTS)); echo iterator_count($it), ' ', PHP_OS, ' ', php_uname('n'), ' ', count(stat('/etc/passwd')), ' ', get_current_user(), "\n"; $t = tmpfile(); fwrite($t, 'abc'); rewind($t); echo fgets($t), disk_free_space('/') > 0 ? " space\n" : "\n";
set_error_handler(fn ($n, $m) => print("$m\n")); fopen('/no/such', 'r'); mkdir('/etc/passwd/x'); echo preg_match_all('/a+/', str_repeat('aab', 100000)), ' ', memory_get_peak_usage() > 1e5, ' ', date('Y', 0), "\n"; $g = (function () { for ($i = 0; $i < 3; $i++) yield $i; })(); $f = new Fiber(function () { echo Fiber::suspend('fiber'), "\n"; }); echo $f->start(), "\n"; $f->resume('resumed'); echo array_sum(iterator_to_array($g)), "\n"; exit(3);
END
php /tmp/t.php; echo $?; php -r 'echo PHP_VERSION_ID > 80000, "\n";'; echo '<?= readline() ?? 1 ?>' >/tmp/r.php; echo typed | php /tmp/r.php
cd /tmp; echo '<?php echo $_SERVER["REQUEST_URI"];' >index.php; php -S 127.0.0.1:0 index.php 2>log & p=$!; until grep -q started log; do sleep 0.1; done; a=$(grep -o 'http://[0-9.:]*' log); curl -sS $a/path; kill -INT $p; wait $p; echo " $?"
"""


@software("php8.2-fpm", layer="php")
def test_fpm(same):
    """FastCGI processes behind nginx by a unix socket: sessions, uploads, SQLite, a child that is killed, a reload"""
    same(FPM)


@software("php8.2-cli", layer="php")
def test_cli(same):
    """A script: processes, signals, sockets, System V IPC, SQLite; the built-in web server"""
    same(CLI)
