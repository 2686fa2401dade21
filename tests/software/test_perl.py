"""Perl: programs with what perlipc(1) and perlfunc(1) say of processes, signals, sockets and files."""

import pytest
from marks import software

CASES = {}

CASES["fork, pipes, signals, alarm, exit states"] = r"""
use strict; use warnings; use POSIX qw(:sys_wait_h :signal_h); $| = 1;
my %pids; for my $n (1 .. 20) { my $p = fork // die; exit $n unless $p; $pids{$p} = $n }
my $good = 0; while ((my $p = waitpid -1, 0) > 0) { $good++ if $? >> 8 == $pids{$p} } print "$good\n";
open my $f, '-|', 'sh', '-c', 'seq 5; exit 9' or die; print join(',', map { chomp; $_ } <$f>), "\n"; close $f; print $? >> 8, "\n";
open my $t, '|-', 'tr a-z A-Z' or die; print $t "upper\n"; close $t;
my $got = ''; $SIG{$_} = sub { $got .= "$_[0] " } for qw(USR1 USR2 WINCH); kill $_ => $$ for qw(USR1 USR2 WINCH); print "$got\n";
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; sleep 30; }; print $@;
my $k = fork; unless ($k) { $SIG{TERM} = 'DEFAULT'; sleep 100; exit } kill TERM => $k; waitpid $k, 0; print $? & 127, "\n";
pipe my $r, my $w; my $child = fork; unless ($child) { close $r; print $w "x" x 300000; exit } close $w; my $n = 0; while (sysread $r, my $b, 8192) { $n += length $b } print "$n\n"; waitpid $child, 0;
my $set = POSIX::SigSet->new(SIGUSR1); sigprocmask(SIG_BLOCK, $set); $got = ''; kill USR1 => $$; my $pend = POSIX::SigSet->new; sigpending($pend); print $pend->ismember(SIGUSR1), $got; sigprocmask(SIG_UNBLOCK, $set); print "$got\n";
print "parent\n" if getppid == 0 || getppid == 1; my @t = times; print scalar(@t), " ", `echo sub`, system('false') >> 8, " ", system('kill -9 $$') & 127, "\n"; print "$0 $^O\n"; $0 = "renamed"; print `tr '\\0' '\\n' </proc/$$/cmdline`;
"""
CASES["sockets, select, a forking server"] = r"""
use strict; use warnings; use IO::Socket::INET; use IO::Socket::UNIX; use IO::Select; use Socket; $SIG{CHLD} = 'IGNORE';
my $s = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die; my $port = $s->sockport; my $server = fork;
unless ($server) { while (my $c = $s->accept) { next if fork; while (<$c>) { print $c scalar reverse $_ } exit } }
my $sum = 0; for (1 .. 30) { my $c = IO::Socket::INET->new("127.0.0.1:$port") or die; print $c "line $_ of it\n"; $c->shutdown(1); my $l = do { local $/; <$c> }; $sum += length $l } print "$sum\n"; kill KILL => $server;
socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, 0 or die; my $sel = IO::Select->new($a, $b); print scalar($sel->can_read(0)), "\n"; syswrite $a, "hi"; print scalar($sel->can_read(5)), "\n";
my $u = IO::Socket::UNIX->new(Local => '/tmp/p.sock', Listen => 5) or die; my $c = IO::Socket::UNIX->new(Peer => '/tmp/p.sock') or die; my $d = $u->accept; print $c "over unix\n"; $c->flush; print scalar <$d>; print -S '/tmp/p.sock' ? "socket\n" : "none\n";
my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die; my $v = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $udp->sockport) or die; $v->send('datagram'); $udp->recv(my $m, 100); print "$m\n"; print join('.', unpack 'C4', scalar gethostbyname 'localhost'), ' ', scalar getservbyname('ssh', 'tcp') // 'none', "\n";
"""
CASES["files: flock, stat, glob, File::Find, File::Copy, DB_File of ties, sort of many lines"] = r"""
use strict; use warnings; use Fcntl qw(:flock :seek :mode); use File::Find; use File::Copy; use File::Temp; use File::Path; use Storable; use Digest::MD5; chdir '/tmp'; mkpath 'd/e/f'; for (1 .. 300) { open my $f, '>', "d/e/f$_" or die; print $f "x" x $_ }
my ($n, $size) = (0, 0); find({ wanted => sub { $n++; $size += -s if -f }, no_chdir => 1 }, 'd'); print "$n $size ", scalar(my @g = glob 'd/e/f1*'), "\n"; copy 'd/e/f300', 'c'; move 'c', 'm'; print -s 'm', (-e 'c' ? 1 : 0), "\n";
open my $l, '>>', 'count' or die; close $l; my @p = map { my $p = fork; unless ($p) { for (1 .. 50) { open my $f, '+<', 'count' or die; flock $f, LOCK_EX; my $v = <$f> // 0; seek $f, 0, SEEK_SET; truncate $f, 0; print $f $v + 1; close $f } exit } $p } 1 .. 4; waitpid $_, 0 for @p; open my $f, '<', 'count'; print <$f>, "\n";
open my $h, '>', 'held'; flock $h, LOCK_EX; unless (fork) { open my $o, '>', 'held'; print flock($o, LOCK_EX | LOCK_NB) ? "free" : "held: $!", "\n"; exit } wait; chmod 0640, 'm'; symlink 'm', 's'; link 'm', 'hard'; my @s = stat 'm'; printf "%o %d %d %s\n", S_IMODE($s[2]), $s[3], -l 's', readlink 's'; utime 1000, 2000, 'm'; print join(',', (stat 'm')[8, 9]), "\n"; rename 'no', 'x' or print "$!\n"; opendir my $d, 'd/e' or die; print scalar(grep !/^\./, readdir $d), "\n";
store { map { $_ => [$_ x 3] } 1 .. 1000 }, 'st'; print scalar keys %{ retrieve 'st' }, "\n"; open my $big, '>', 'big'; print $big "$_\n" for map { ($_ * 7919) % 100003 } 1 .. 100000; close $big; print Digest::MD5->new->addfile(do { open my $x, '-|', 'sort -n big'; $x })->hexdigest, "\n"; rmtree 'd'; print -d 'd' ? 1 : 0, "\n"; use threads; print join(',', map { $_->join } map { my $n = $_; threads->create(sub { $n ** 2 }) } 1 .. 8), "\n";
"""
OWN = r"""
cd /usr/share/perl/5.36*/ 2>/dev/null; for m in POSIX IO::Handle IPC::Open3 Socket Time::HiRes Sys::Hostname threads threads::shared Fcntl IPC::SysV File::Glob I18N::Langinfo; do perl -M$m -e "print '$m', ' ', $m->VERSION // 0, qq(\n)"; done
perl -MIPC::Open3 -MSymbol -e 'my $e = gensym; my $p = open3(my $i, my $o, $e, "sh", "-c", "cat; echo err >&2; exit 4"); print $i "in\n"; close $i; print <$o>, <$e>; waitpid $p, 0; print $? >> 8, "\n"'
perl -MIPC::SysV=:all -MIPC::Msg -MIPC::Semaphore -e 'my $m = IPC::Msg->new(IPC_PRIVATE, 0600 | IPC_CREAT); $m->snd(3, "message"); $m->rcv(my $b, 100, 3); print "$b\n"; $m->remove; my $s = IPC::Semaphore->new(IPC_PRIVATE, 2, 0600 | IPC_CREAT); $s->setall(1, 5); $s->op(1, -2, 0); print join(",", $s->getall), "\n"; $s->remove; my $id = shmget IPC_PRIVATE, 1000, 0600; shmwrite $id, "shared", 0, 6; unless (fork) { shmread $id, my $x, 0, 6; print "$x\n"; exit } wait; shmctl $id, IPC_RMID, 0'
perl -MTime::HiRes=usleep,setitimer,ITIMER_REAL,clock_gettime,CLOCK_MONOTONIC -e '$SIG{ALRM} = sub { $n++ }; setitimer ITIMER_REAL, 0.02, 0.02; select undef, undef, undef, 0.3 while $n < 5; setitimer ITIMER_REAL, 0; print $n >= 5 ? "ticks\n" : "none\n"; my $t = clock_gettime CLOCK_MONOTONIC; usleep 20000; print clock_gettime(CLOCK_MONOTONIC) - $t >= 0.02 ? "slept\n" : "short\n"'
perl -MPOSIX -e 'printf "%s %s %s\n", (uname)[0], ttyname(0) // "no tty", POSIX::sysconf(_SC_PAGESIZE); print POSIX::open("/no", O_RDONLY) // "$!\n"; print strftime("%Y-%m-%d", gmtime 0), "\n"; my ($r, $w) = POSIX::pipe; POSIX::write $w, "abc", 3; POSIX::read $r, $b, 9; print "$b\n"; setsid; print getpgrp == $$ ? "leader\n" : "not\n"; print POSIX::nice(3) ? "nice\n" : "no\n"'
"""


@software("perl", layer="core")
@pytest.mark.parametrize("name", CASES)
def test_perl(same, name):
    """Programs of processes, sockets and files"""
    same("cat >/tmp/t.pl <<'END'\n" + CASES[name] + "\nEND\ncd /tmp; perl t.pl")


@software("perl", layer="core")
def test_perl_modules(same):
    """POSIX, IPC::Open3, System V IPC, interval timers, by their modules"""
    same(OWN)
