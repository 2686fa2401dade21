"""Rust and C++: compilers, and programs of their standard libraries."""

from marks import software

RUST = r"""
export HOME=/tmp/j CARGO_NET_OFFLINE=true; mkdir -p p/src p/tests; cd p; printf '[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n[profile.dev]\ndebug = 0\n' >Cargo.toml
cat >src/lib.rs <<'END'
//! ```
//! assert_eq!(p::fib(20), 6765);
//! ```
pub fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
#[cfg(test)]
mod tests {
    #[test] fn small() { assert_eq!(super::fib(10), 55); }
    #[test] #[should_panic(expected = "divide by zero")] fn panics() { let z = super::fib(0); let _ = 1 / z; }
    #[test] #[ignore] fn ignored() {}
}
END
cat >tests/files.rs <<'END'
#[test] fn files() { let d = std::env::temp_dir().join("rs"); std::fs::create_dir_all(d.join("a/b")).unwrap(); std::fs::write(d.join("a/f"), "x").unwrap(); assert_eq!(std::fs::read_dir(d.join("a")).unwrap().count(), 2); std::fs::remove_dir_all(&d).unwrap(); assert!(!d.exists()); }
END
cat >src/main.rs <<'END'
use std::{collections::HashMap, fs::File, io::{prelude::*, BufReader, ErrorKind}, net::*, os::unix::{net::UnixStream, process::{CommandExt, ExitStatusExt}}, process::{Command, Stdio}, sync::{atomic::*, mpsc, Arc, Barrier, Condvar, Mutex, RwLock}, thread, time::{Duration, Instant}};
fn main() {
    let n = Arc::new(AtomicU64::new(0)); let m = Arc::new(Mutex::new(HashMap::new())); let b = Arc::new(Barrier::new(8));
    let t: Vec<_> = (0..8).map(|i| { let (n, m, b) = (n.clone(), m.clone(), b.clone()); thread::spawn(move || { b.wait(); for k in 0..20000u64 { n.fetch_add(k, Ordering::Relaxed); if k % 100 == 0 { *m.lock().unwrap().entry(k).or_insert(0) += i; } } i * 2 }) }).collect();
    println!("{} {} {}", t.into_iter().map(|t| t.join().unwrap()).sum::<i32>(), n.load(Ordering::SeqCst), m.lock().unwrap().values().sum::<i32>());
    let (tx, rx) = mpsc::channel(); for i in 0..10 { let tx = tx.clone(); thread::spawn(move || for k in 0..100 { tx.send(i * k).unwrap(); }); } drop(tx); println!("{}", rx.iter().sum::<i32>());
    println!("{:?}", thread::spawn(|| if true { panic!("in a thread") }).join().unwrap_err().downcast_ref::<&str>());
    let pair = Arc::new((Mutex::new(false), Condvar::new())); let p2 = pair.clone(); thread::spawn(move || { *p2.0.lock().unwrap() = true; p2.1.notify_one(); }); let mut g = pair.0.lock().unwrap(); while !*g { g = pair.1.wait(g).unwrap(); } println!("woken {}", pair.1.wait_timeout(g, Duration::from_millis(20)).unwrap().1.timed_out());
    let rw = RwLock::new(5); thread::scope(|s| { for _ in 0..4 { s.spawn(|| *rw.write().unwrap() += 1); } }); println!("{}", rw.read().unwrap());
    let mut c = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap(); c.stdin.take().unwrap().write_all(b"text").unwrap(); println!("{}", String::from_utf8(c.wait_with_output().unwrap().stdout).unwrap());
    println!("{:?} {:?}", Command::new("/no/such").spawn().unwrap_err().kind(), Command::new("sh").args(["-c", "exit 7"]).status().unwrap().code()); let mut k = Command::new("sleep").arg("100").spawn().unwrap(); k.kill().unwrap(); println!("{:?} {:?}", k.wait().unwrap().signal(), Command::new("id").uid(1000).gid(1000).arg("-u").output().unwrap().stdout);
    let l = TcpListener::bind("127.0.0.1:0").unwrap(); let a = l.local_addr().unwrap(); thread::spawn(move || for s in l.incoming() { thread::spawn(move || { let s = s.unwrap(); let mut line = String::new(); BufReader::new(&s).read_line(&mut line).unwrap(); (&s).write_all(line.to_uppercase().as_bytes()).unwrap(); }); });
    println!("{}", (0..50).map(|i| thread::spawn(move || { let mut s = TcpStream::connect(a).unwrap(); s.set_nodelay(true).unwrap(); writeln!(s, "line {i}").unwrap(); let mut o = String::new(); s.read_to_string(&mut o).unwrap(); o.len() })).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).sum::<usize>());
    let (mut x, mut y) = UnixStream::pair().unwrap(); x.write_all(b"pair").unwrap(); let mut buf = [0; 4]; y.read_exact(&mut buf).unwrap(); y.set_read_timeout(Some(Duration::from_millis(20))).unwrap(); println!("{:?} {:?}", buf, y.read(&mut buf).unwrap_err().kind() == ErrorKind::WouldBlock);
    let u = UdpSocket::bind("127.0.0.1:0").unwrap(); u.send_to(b"datagram", u.local_addr().unwrap()).unwrap(); let mut d = [0; 20]; println!("{:?}", u.recv(&mut d).unwrap()); let t = Instant::now(); thread::sleep(Duration::from_millis(30)); println!("{}", t.elapsed() >= Duration::from_millis(30));
    let mut f = File::create("/tmp/j/f").unwrap(); for i in 0..50000 { writeln!(f, "{i}").unwrap(); } println!("{} {:?}", BufReader::new(File::open("/tmp/j/f").unwrap()).lines().map(|l| l.unwrap().len()).sum::<usize>(), File::open("/tmp/j/f/x").unwrap_err().raw_os_error()); println!("{} {}", thread::available_parallelism().unwrap().get() > 0, p::fib(25)); fn deep(n: u64) -> u64 { let a = [n; 100]; if n == 0 { 0 } else { deep(n - 1) + a[50] } } println!("{}", thread::Builder::new().stack_size(64 << 20).spawn(|| deep(30000)).unwrap().join().unwrap()); std::process::exit(3);
}
END
cargo build -q -j2 2>&1; target/debug/p 2>/dev/null; echo $?; cargo test -q 2>&1 | sed 's/finished in .*//'; cargo build -q --release -j2; target/release/p 2>/dev/null | md5sum; touch src/lib.rs; cargo build 2>&1 | grep -c Compiling
printf 'fn main() { fn f(n: u64) -> u64 { if n == 0 { 0 } else { f(n + 1) + std::hint::black_box(1) } } println!("{}", f(1)); }' >o.rs; rustc -O o.rs 2>/dev/null; ./o 2>&1 | grep -o 'has overflowed its stack'; echo ${PIPESTATUS[0]}
"""

CPP = r"""
cat >t.cc <<'END'
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <numeric>
#include <regex>
#include <shared_mutex>
#include <thread>
#include <coroutine>
namespace fs = std::filesystem;
struct gen { struct promise_type { int v; gen get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; } std::suspend_always initial_suspend() { return {}; } std::suspend_always final_suspend() noexcept { return {}; } std::suspend_always yield_value(int n) { v = n; return {}; } void return_void() {} void unhandled_exception() {} }; std::coroutine_handle<promise_type> h; };
gen count() { for (int i = 0;; i++) co_yield i; }
template <int N> struct fact { static constexpr long value = N * fact<N - 1>::value; }; template <> struct fact<0> { static constexpr long value = 1; };
thread_local int tls = 7;
int main()
{
	std::vector<std::jthread> t; std::atomic<long> sum{0}; std::shared_mutex m; std::map<int, int> map;
	for (int i = 0; i < 8; i++) t.emplace_back([&, i] { tls += i; for (int k = 0; k < 10000; k++) { sum += tls; if (k % 50 == 0) { std::unique_lock l(m); map[k]++; } else { std::shared_lock l(m); sum += map.count(k) * 0; } } });
	t.clear(); std::cout << sum << ' ' << map.size() << ' ' << tls << '\n';
	std::vector<std::future<int>> f; for (int i = 0; i < 20; i++) f.push_back(std::async(std::launch::async, [i] { if (i == 13) throw std::runtime_error("thirteen"); return i * i; })); int s = 0; for (auto &x : f) try { s += x.get(); } catch (std::exception &e) { std::cout << e.what() << '\n'; } std::cout << s << '\n';
	fs::create_directories("d/e/f"); for (int i = 0; i < 100; i++) std::ofstream("d/e/" + std::to_string(i)) << std::string(i, 'x'); std::uintmax_t size = 0; for (auto &e : fs::recursive_directory_iterator("d")) if (e.is_regular_file()) size += e.file_size(); fs::copy("d", "c", fs::copy_options::recursive); fs::create_symlink("d", "l"); std::cout << size << ' ' << fs::remove_all("c") << ' ' << fs::read_symlink("l") << ' ' << fs::exists("c") << ' ' << (fs::space("/").capacity > 0) << '\n';
	std::error_code e; fs::rename("no", "x", e); std::cout << e.message() << '\n'; std::vector<int> v(2000000); std::iota(v.begin(), v.end(), 0); std::reverse(v.begin(), v.end()); std::sort(v.begin(), v.end()); std::cout << v[777] << ' ' << fact<15>::value << ' ' << std::regex_replace("a1b22", std::regex("[0-9]+"), "N") << '\n';
	std::mutex q; std::condition_variable cv; std::unique_lock l(q); std::cout << (cv.wait_for(l, std::chrono::milliseconds(20)) == std::cv_status::timeout) << '\n'; auto g = count(); int n = 0; for (int i = 0; i < 10; i++) { g.h.resume(); n += g.h.promise().v; } g.h.destroy(); std::cout << n << '\n'; try { std::vector<char> big(1ul << 60); } catch (std::bad_alloc &) { std::cout << "bad_alloc\n"; } return 3;
}
END
for o in '-O0 -g' '-O2 -flto -fPIE -pie' '-O1 -static'; do g++ -std=c++20 $o -o t t.cc -pthread && (rm -rf d l; ./t; echo $?); done; g++ -std=c++20 -O1 -fsanitize=address,undefined -o s t.cc -pthread && (rm -rf d l; ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 ./s 2>/dev/null | md5sum)
printf '#include <stdlib.h>\nint main(int c, char **v) { char *p = malloc(8); free(p); return p[c]; }\n' >u.c; gcc -g -fsanitize=address u.c -o u && ./u 2>&1 | grep -o 'heap-use-after-free on address' ; printf '#include <thread>\nint n; int main() { std::thread a([] { for (int i = 0; i < 100000; i++) n++; }), b([] { for (int i = 0; i < 100000; i++) n++; }); a.join(); b.join(); }\n' >r.cc; g++ -g -fsanitize=thread r.cc -o r && ./r 2>&1 | grep -m1 -o 'data race'
"""


@software("rustc", layer="rust")
def test_rust(same):
    """cargo build, test and release of a package: threads, processes, sockets, files, a stack that overflows"""
    same("mkdir /tmp/j; cd /tmp/j; " + RUST, timeout=280)


@software("g++", layer="rust")
def test_cpp(same):
    """g++ with LTO, static, and with sanitizers: threads, futures, filesystem, coroutines"""
    same("mkdir /tmp/j; cd /tmp/j; " + CPP, timeout=280)
