"""Go: its compiler and tools, and what its run-time does with threads and signals."""

import pytest
from marks import software

START = r"""
export HOME=/tmp/go GO111MODULE=off GOFLAGS=-p=2 CGO_ENABLED=0; mkdir -p /tmp/go/src/t; cd /tmp/go/src/t; export GOPATH=/tmp/go:/usr/share/gocode
"""
CASES = {}

CASES["processes, signals, pipes; go vet and go build"] = r"""
cat >t.go <<'END'
package main

import ("bufio"; "bytes"; "context"; "errors"; "fmt"; "io"; "os"; "os/exec"; "os/signal"; "runtime"; "sort"; "strings"; "sync"; "syscall"; "time")

func main() {
	c := exec.Command("tr", "a-z", "A-Z"); c.Stdin = strings.NewReader("text\n"); out, err := c.Output(); fmt.Print(string(out), err, "\n")
	err = exec.Command("sh", "-c", "exit 7").Run(); var e *exec.ExitError; fmt.Println(errors.As(err, &e), e.ExitCode())
	fmt.Println(exec.Command("/no/such").Run())
	ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond); fmt.Println(exec.CommandContext(ctx, "sleep", "100").Run()); stop()
	var wg sync.WaitGroup; var mu sync.Mutex; codes := []int{}
	for i := 0; i < 40; i++ { i := i; wg.Add(1); go func() { defer wg.Done(); c := exec.Command("sh", "-c", fmt.Sprint("exit ", i)); c.Run(); mu.Lock(); codes = append(codes, c.ProcessState.ExitCode()); mu.Unlock() }() }
	wg.Wait(); sort.Ints(codes); fmt.Println(codes)
	ch := make(chan os.Signal, 10); signal.Notify(ch, syscall.SIGUSR1, syscall.SIGCHLD); syscall.Kill(os.Getpid(), syscall.SIGUSR1); for s := range ch { if s == syscall.SIGUSR1 { fmt.Println(s); break } }
	signal.Reset(); signal.Ignore(syscall.SIGHUP); syscall.Kill(os.Getpid(), syscall.SIGHUP)
	p := exec.Command("cat"); in, _ := p.StdinPipe(); o, _ := p.StdoutPipe(); p.Start(); go func() { for i := 0; i < 100000; i++ { fmt.Fprintln(in, i) }; in.Close() }()
	n := 0; for s := bufio.NewScanner(o); s.Scan(); n++ { }; p.Wait(); fmt.Println(n)
	cred := exec.Command("id"); cred.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}, Setsid: true}; b, err := cred.Output(); fmt.Print(string(b), err, "\n")
	var ms runtime.MemStats; big := [][]byte{}; for i := 0; i < 3000; i++ { big = append(big, bytes.Repeat([]byte{1}, 100000)); if len(big) > 100 { big = nil } }; runtime.ReadMemStats(&ms); fmt.Println(ms.NumGC > 3, runtime.NumCPU() > 0)
	var total int64; for g := 0; g < 8; g++ { wg.Add(1); go func() { defer wg.Done(); for i := 0; i < 200000; i++ { mu.Lock(); total++; mu.Unlock() } }() }; wg.Wait(); fmt.Println(total)
	go func() { for { } }(); time.Sleep(30 * time.Millisecond); runtime.GC() // needs preemption by signals
	defer func() { fmt.Println(recover() != nil); r, w, _ := os.Pipe(); r.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); _, err := r.Read(make([]byte, 1)); fmt.Println(errors.Is(err, os.ErrDeadlineExceeded)); w.Close(); _, err = r.Read(make([]byte, 1)); fmt.Println(err == io.EOF); os.Exit(3) }()
	var null *int; *null = 1
}
END
go vet . ; go build -o prog . && ./prog; echo $?; GOMAXPROCS=1 ./prog | md5sum; GODEBUG=asyncpreemptoff=0 GOGC=5 ./prog | md5sum
"""

CASES["go test of two packages with benchmarks; fsnotify; net by pipes and unix sockets"] = r"""
mkdir a; cat >a/a.go <<'END'
package a

func Fib(n int) int { if n < 2 { return n }; return Fib(n-1) + Fib(n-2) }
END
cat >a/a_test.go <<'END'
package a

import ("fmt"; "io"; "net"; "os"; "path/filepath"; "testing"; "time"; "github.com/fsnotify/fsnotify")

func TestFib(t *testing.T) { t.Parallel(); for i, v := range []int{0, 1, 1, 2, 3, 5} { if Fib(i) != v { t.Fatal(i) } } }
func TestFails(t *testing.T) { t.Skip("not this one") }
func BenchmarkFib(b *testing.B) { for i := 0; i < b.N; i++ { Fib(15) } }
func ExampleFib() { fmt.Println(Fib(20)); // Output: 6765
}
func TestUnix(t *testing.T) {
	for _, kind := range []string{"unix", "unixpacket"} {
		l, err := net.Listen(kind, filepath.Join(t.TempDir(), "s")); if err != nil { t.Fatal(err) }
		go func() { for { c, err := l.Accept(); if err != nil { return }; go io.Copy(c, c) } }()
		c, err := net.Dial(kind, l.Addr().String()); if err != nil { t.Fatal(err) }
		c.Write([]byte("hello")); b := make([]byte, 9); c.SetReadDeadline(time.Now().Add(20 * time.Second)); if n, err := c.Read(b); n != 5 || err != nil { t.Fatal(n, err) }; c.Close(); l.Close()
	}
}
func TestNotify(t *testing.T) {
	w, err := fsnotify.NewWatcher(); if err != nil { t.Fatal(err) }; dir := t.TempDir(); w.Add(dir); name := filepath.Join(dir, "f")
	os.WriteFile(name, []byte("x"), 0644); os.Chmod(name, 0600); os.Rename(name, name + "2"); os.Remove(name + "2"); var all fsnotify.Op
	for all & (fsnotify.Create | fsnotify.Write | fsnotify.Chmod | fsnotify.Rename | fsnotify.Remove) != 31 { select { case e := <-w.Events: all |= e.Op; case <-time.After(20 * time.Second): t.Fatal(all) } }; w.Close()
}
END
mkdir b; printf 'package b\n\nimport "testing"\n\nfunc TestBad(t *testing.T) { t.Error("on purpose") }\n' >b/b_test.go
go test -v -bench . -benchtime 100x ./a ./b 2>&1 | sed 's/[0-9.]* *ns.op//; s/[0-9.]*s)$//; s/[0-9.]*s$//; /^cpu/d; /^BenchmarkFib/s/-[0-9]*//'; gofmt -l a | wc -l; go list ./...; go env GOOS GOARCH
"""

CASES["the race detector"] = r"""
export CGO_ENABLED=1; printf 'package main\nimport ("fmt"; "sync")\nfunc main() { n := 0; var w sync.WaitGroup; for i := 0; i < 2; i++ { w.Add(1); go func() { for k := 0; k < 1000; k++ { n++ }; w.Done() }() }; w.Wait(); fmt.Println(n > 0) }\n' >r.go
go build -race -o r r.go; ./r 2>&1 | grep -oE 'true|DATA RACE' | sort -u; echo ${PIPESTATUS[0]}; sed -i 's/n++/mu.Lock(); n++; mu.Unlock()/; s/n := 0/n := 0; var mu sync.Mutex/' r.go; go run -race r.go 2>&1
"""

CASES["its own tests of os/signal, os/exec, io/fs, time, sync, text/template"] = r"""
for p in os/exec os/signal io/fs time sync text/template path/filepath; do go test -short $p 2>&1 | sed 's/\t[0-9.]*s$//; s/([0-9.]*s)//'; done
"""
CASES["its own tests of os, syscall and net/http/httptest, as a user"] = r"""
chown -R tester /tmp/go; cd /usr/lib/go/src; for p in os syscall net/http/httptest; do su tester -c "HOME=/tmp/go GOFLAGS=-p=2 CGO_ENABLED=0 GO111MODULE=off go test -short $p 2>&1" | sed 's/\t[0-9.]*s$//; s/([0-9.]*s)//'; done
"""


@software("golang-1.19-go", layer="go")
@pytest.mark.parametrize("name", CASES)
def test_go(same, name):
    """Compiled and run in the container"""
    same(START + CASES[name], timeout=280)
