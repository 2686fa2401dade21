"""HTTP servers and clients of language run-times, in processes of their own, and curl beside them."""

from marks import software

GO = r"""
export HOME=/tmp/go GO111MODULE=off GOFLAGS=-p=2 CGO_ENABLED=0; mkdir -p /tmp/go; cd /tmp/go
cat >h.go <<'END'
package main

import ("bytes"; "context"; "crypto/ecdsa"; "crypto/elliptic"; "crypto/rand"; "crypto/sha256"; "crypto/tls"; "crypto/x509"; "fmt"; "io"; "log"; "math/big"; "net"
	"net/http"; "os"; "os/signal"; "strings"; "sync"; "sync/atomic"; "syscall"; "time")

func certificate() tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, _ := x509.CreateCertificate(rand.Reader, &t, &t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
func serve() {
	big := bytes.Repeat([]byte("0123456789abcdef"), 200000)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { h := sha256.New(); n, _ := io.Copy(h, r.Body); fmt.Fprintf(w, "%s %d %x", r.Proto, n, h.Sum(nil)) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { http.ServeContent(w, r, "big", time.Unix(1e9, 0), bytes.NewReader(big)) })
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) { for i := 0; i < 100; i++ { fmt.Fprintln(w, i); w.(http.Flusher).Flush() } })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { select { case <-r.Context().Done(): case <-time.After(60 * time.Second): } })
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir("/etc"))))
	quiet := log.New(io.Discard, "", 0)
	plain, secure := &http.Server{Handler: mux, ErrorLog: quiet}, &http.Server{Handler: mux, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
	a, err := net.Listen("tcp", "127.0.0.1:0"); b, err2 := net.Listen("tcp", "[::1]:0"); if err != nil || err2 != nil { log.Fatal(err, err2) }
	go plain.Serve(a); go secure.ServeTLS(b, "", "")
	os.WriteFile("ports.new", []byte(a.Addr().String() + " " + b.Addr().String()), 0644); os.Rename("ports.new", "ports")
	ch := make(chan os.Signal, 1); signal.Notify(ch, syscall.SIGTERM); <-ch
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second); defer stop()
	fmt.Println("server", plain.Shutdown(ctx), secure.Shutdown(ctx))
}
func main() {
	if os.Args[1] == "serve" { serve(); return }
	text, _ := os.ReadFile("ports"); ports := strings.Fields(string(text)); urls := []string{"http://" + ports[0], "https://" + ports[1]}
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 50}
	c := &http.Client{Transport: t, Timeout: 120 * time.Second}
	for _, u := range urls {
		var wg sync.WaitGroup; var good, bytesIn int64; protos := sync.Map{}
		for g := 0; g < 50; g++ { wg.Add(1); go func(g int) { defer wg.Done(); for i := 0; i < 40; i++ {
			body := bytes.Repeat([]byte{byte(g)}, g*i*10); r, err := c.Post(u + "/echo", "x/y", bytes.NewReader(body)); if err != nil { fmt.Println(err); return }
			got, _ := io.ReadAll(r.Body); r.Body.Close(); want := fmt.Sprintf("%s %d %x", r.Proto, len(body), sha256.Sum256(body))
			protos.Store(r.Proto, true); if string(got) == want { atomic.AddInt64(&good, 1); atomic.AddInt64(&bytesIn, int64(len(body))) } } }(g) }
		wg.Wait(); protos.Range(func(k, v any) bool { fmt.Println(k, good, bytesIn); return true })
		for _, path := range []string{"/big", "/chunks", "/files/passwd", "/none"} { r, err := c.Get(u + path); if err != nil { fmt.Println(err); continue }; h := sha256.New(); n, err := io.Copy(h, r.Body); r.Body.Close(); fmt.Printf("%s %d %d %x %v\n", path, r.StatusCode, n, h.Sum(nil)[:4], err) }
		q, _ := http.NewRequest("GET", u + "/big", nil); q.Header.Set("Range", "bytes=100-199"); r, _ := c.Do(q); part, _ := io.ReadAll(r.Body); r.Body.Close(); fmt.Println(r.StatusCode, string(part[:20]), len(part))
		ctx, stop := context.WithTimeout(context.Background(), 200*time.Millisecond); q, _ = http.NewRequestWithContext(ctx, "GET", u + "/slow", nil); _, err := c.Do(q); fmt.Println(err != nil, ctx.Err()); stop()
	}
	_, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", "127.0.0.1:1"); fmt.Println(err)
	t.CloseIdleConnections()
}
END
go build -o h h.go || exit 1
./h serve & until [ -e ports ]; do sleep 0.05; done; ./h client; read -r plain secure <ports
curl -sS http://$plain/big | md5sum; curl -sSk --http2 -w ' %{http_version}\n' https://$secure/echo -d text; curl -sSk --http1.1 -w ' %{http_version}\n' https://$secure/echo -d text
kill $!; wait; rm ports; GOMAXPROCS=1 ./h serve & until [ -e ports ]; do sleep 0.05; done; ./h client | md5sum; kill $!; wait
"""

JAVA = r"""
mkdir /tmp/j; cd /tmp/j
cat >Server.java <<'END'
import com.sun.net.httpserver.*; import java.io.*; import java.net.*; import java.nio.file.*; import java.util.concurrent.*;
public class Server { public static void main(String[] a) throws Exception {
	byte[] big = new byte[3_000_000]; for (int i = 0; i < big.length; i++) big[i] = (byte) (i * 31 >> 3);
	HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 500); var pool = Executors.newFixedThreadPool(20); s.setExecutor(pool);
	s.createContext("/echo", x -> { byte[] b = x.getRequestBody().readAllBytes(); x.sendResponseHeaders(200, b.length == 0 ? -1 : b.length); try (var o = x.getResponseBody()) { if (b.length > 0) o.write(b); } });
	s.createContext("/big", x -> { x.sendResponseHeaders(200, big.length); try (var o = x.getResponseBody()) { o.write(big); } });
	s.createContext("/chunks", x -> { x.sendResponseHeaders(200, 0); try (var o = x.getResponseBody()) { for (int i = 0; i < 200; i++) { o.write((i + "\n").getBytes()); o.flush(); } } });
	s.createContext("/thread", x -> { byte[] b = "pool".getBytes(); if (!Thread.currentThread().getName().startsWith("pool")) b[0] = 0; x.sendResponseHeaders(200, b.length); x.getResponseBody().write(b); x.close(); });
	s.start(); Files.writeString(Path.of("port.new"), "" + s.getAddress().getPort()); Files.move(Path.of("port.new"), Path.of("port"));
	Runtime.getRuntime().addShutdownHook(new Thread(() -> { s.stop(0); pool.shutdown(); System.out.println("server stopped"); })); } }
END
cat >Client.java <<'END'
import java.net.*; import java.net.http.*; import java.nio.file.*; import java.time.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class Client { public static void main(String[] a) throws Exception {
	String u = "http://127.0.0.1:" + Files.readString(Path.of("port")); var c = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(60)).build(); long sum = 0;
	for (int round = 0; round < 4; round++) {
		List<CompletableFuture<Integer>> all = new ArrayList<>();
		for (int i = 0; i < 200; i++) { byte[] b = new byte[i * 100]; Arrays.fill(b, (byte) i); all.add(c.sendAsync(HttpRequest.newBuilder(URI.create(u + "/echo")).POST(HttpRequest.BodyPublishers.ofByteArray(b)).build(), HttpResponse.BodyHandlers.ofByteArray()).thenApply(r -> Arrays.equals(r.body(), b) ? b.length : -1000000)); }
		for (var f : all) sum += f.get(); }
	System.out.println(sum);
	var big = c.send(HttpRequest.newBuilder(URI.create(u + "/big")).build(), HttpResponse.BodyHandlers.ofByteArray()); System.out.println(big.statusCode() + " " + Arrays.hashCode(big.body()));
	System.out.println(c.send(HttpRequest.newBuilder(URI.create(u + "/chunks")).build(), HttpResponse.BodyHandlers.ofLines()).body().mapToInt(Integer::parseInt).sum());
	var h = (HttpURLConnection) new URL(u + "/none").openConnection(); System.out.println(h.getResponseCode());
	System.out.println(new String(new URL(u + "/thread").openStream().readAllBytes()));
	try { c.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:1/")).build(), HttpResponse.BodyHandlers.discarding()); } catch (ConnectException e) { System.out.println("refused"); } } }
END
javac -d . Server.java Client.java || exit 1
java -Xmx128m Server & until [ -e port ]; do sleep 0.1; done; java -Xmx128m Client; u=http://127.0.0.1:$(cat port)
curl -sS $u/big | md5sum; curl -sS $u/chunks | md5sum; seq 30 | xargs -P 10 -I@ curl -sS -m 60 -o o@ $u/big; md5sum o* | cut -d' ' -f1 | uniq -c
kill $!; wait; echo $?
"""


@software("golang-1.19-go", layer="go")
def test_go(same):
    """net/http: 50 clients at a time over HTTP/1.1 and HTTP/2 with TLS; ranges, chunks, files, cancelled requests, shutdown"""
    same(GO, timeout=150)


@software("openjdk-17-jdk-headless", layer="java")
def test_java(same):
    """HttpServer with a pool of threads, and HttpClient with 200 requests at a time"""
    same(JAVA, timeout=120)
