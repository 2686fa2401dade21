"""OpenJDK: threads, memory, processes, files, and the tools that look into a running JVM."""

import pytest
from marks import software
from bundle import edit_config

CASES = {}

CASES["javac of a package; a server of 200 threads with NIO selectors beside it"] = r"""
mkdir -p src/p; cat >src/p/Echo.java <<'END'
package p;
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*; import java.util.*; import java.util.concurrent.*; import java.util.concurrent.atomic.*;
public class Echo {
	static void threads(ServerSocket s) { new Thread(() -> { while (true) try { Socket c = s.accept(); new Thread(() -> { try (c) { c.getInputStream().transferTo(c.getOutputStream()); } catch (IOException e) {} }).start(); } catch (IOException e) { return; } }).start(); }
	static void selector(ServerSocketChannel s) throws IOException {
		Selector sel = Selector.open(); s.configureBlocking(false); s.register(sel, SelectionKey.OP_ACCEPT);
		new Thread(() -> { ByteBuffer b = ByteBuffer.allocateDirect(65536); try { while (s.isOpen()) { sel.select(); for (var i = sel.selectedKeys().iterator(); i.hasNext();) { var k = i.next(); i.remove();
			if (k.isAcceptable()) { var c = s.accept(); if (c != null) { c.configureBlocking(false); c.register(sel, SelectionKey.OP_READ); } }
			else { var c = (SocketChannel) k.channel(); b.clear(); if (c.read(b) < 0) { c.close(); continue; } b.flip(); while (b.hasRemaining()) c.write(b); } } } } catch (Exception e) { System.out.println(e); } }).start();
	}
	static long client(int port, int n) throws Exception {
		try (Socket c = new Socket("127.0.0.1", port)) { c.setTcpNoDelay(true); var in = new DataInputStream(c.getInputStream()); var out = new DataOutputStream(c.getOutputStream()); long sum = 0;
			for (int i = 0; i < 50; i++) { out.writeInt(i * n); out.flush(); sum += in.readInt(); } return sum; }
	}
	public static void main(String[] a) throws Exception {
		var s = new ServerSocket(0, 300, InetAddress.getLoopbackAddress()); threads(s);
		var n = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0), 300); selector(n);
		for (int port : new int[] { s.getLocalPort(), n.socket().getLocalPort() }) {
			var pool = Executors.newFixedThreadPool(200); var all = new ArrayList<Future<Long>>(); for (int i = 0; i < 200; i++) { int k = i; all.add(pool.submit(() -> client(port, k))); }
			long sum = 0; for (var f : all) sum += f.get(); pool.shutdown(); System.out.println(sum);
		}
		System.exit(0);
	}
}
END
javac -Xlint:all -d out src/p/Echo.java && jar --create --file echo.jar --main-class p.Echo -C out . && java -jar echo.jar && jar tf echo.jar
"""

CASES["processes, mapped files, locks, a watch service, attributes"] = r"""
cat >T.java <<'END'
import java.io.*; import java.nio.*; import java.nio.channels.*; import java.nio.file.*; import java.nio.file.attribute.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class T {
	public static void main(String[] a) throws Exception {
		var p = new ProcessBuilder("tr", "a-z", "A-Z").redirectErrorStream(true).start(); p.getOutputStream().write("text\n".getBytes()); p.getOutputStream().close(); System.out.print(new String(p.getInputStream().readAllBytes())); System.out.println(p.waitFor());
		System.out.println(new ProcessBuilder("sh", "-c", "echo $X; pwd; exit 7").directory(new File("/usr")).inheritIO().start().waitFor());
		try { new ProcessBuilder("/no/such").start(); } catch (IOException e) { System.out.println(e.getMessage()); }
		var sleep = new ProcessBuilder("sleep", "100").start(); System.out.println(sleep.toHandle().info().command().get() + ProcessHandle.current().children().count()); sleep.destroy(); System.out.println(sleep.waitFor() + " " + sleep.toHandle().onExit().get().isAlive());
		System.out.println(Stream.of("a", "b", "c").map(x -> new ProcessBuilder("cat")).count() + " " + ProcessBuilder.startPipeline(List.of(new ProcessBuilder("seq", "100"), new ProcessBuilder("grep", "7"), new ProcessBuilder("wc", "-l"))).get(2).inputReader().readLine());
		Path f = Path.of("/tmp/map"); try (var c = FileChannel.open(f, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			var m = c.map(FileChannel.MapMode.READ_WRITE, 0, 64 << 20); for (int i = 0; i < m.capacity(); i += 4096) m.putInt(i, i); m.force();
			var r = c.map(FileChannel.MapMode.READ_ONLY, 4096, 8192); System.out.println(r.getInt(4096) + " " + c.size());
			var priv = c.map(FileChannel.MapMode.PRIVATE, 0, 4096); priv.putInt(0, 99); System.out.println(m.getInt(0));
			try (var l = c.lock(0, 100, false)) { System.out.println(l.isValid()); try { c.tryLock(50, 10, false); } catch (OverlappingFileLockException e) { System.out.println(e); } }
			System.out.println(c.transferTo(0, 5000000, FileChannel.open(Path.of("/tmp/copy"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)));
		}
		var w = FileSystems.getDefault().newWatchService(); Path d = Files.createTempDirectory("w"); d.register(w, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE, StandardWatchEventKinds.ENTRY_MODIFY);
		Files.writeString(d.resolve("x"), "1"); Files.move(d.resolve("x"), d.resolve("y")); Files.delete(d.resolve("y")); var seen = new TreeSet<String>();
		while (!seen.contains("ENTRY_DELETE y")) { var k = w.poll(30, TimeUnit.SECONDS); for (var e : k.pollEvents()) seen.add(e.kind() + " " + e.context()); k.reset(); } System.out.println(seen);
		Files.setPosixFilePermissions(f, PosixFilePermissions.fromString("rw-r-----")); Files.createSymbolicLink(Path.of("/tmp/link"), f); Files.getFileAttributeView(f, UserDefinedFileAttributeView.class).list();
		System.out.println(PosixFilePermissions.toString(Files.readAttributes(Path.of("/tmp/link"), PosixFileAttributes.class).permissions()) + Files.getOwner(f).getName() + Files.isSymbolicLink(Path.of("/tmp/link")) + Files.getFileStore(f).supportsFileAttributeView("posix"));
		try (var s = Files.walk(Path.of("/etc/ssl"))) { System.out.println(s.filter(Files::isRegularFile).count()); }
		System.out.println(System.getProperty("os.name") + System.getProperty("user.name") + (Runtime.getRuntime().maxMemory() > 1 << 20) + new File("/").getTotalSpace() / (1L << 60));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook"))); System.exit(5);
	}
}
END
X=variable java T.java; echo $?
"""

CASES["jps, jcmd, jstack, jmap, jinfo of a running JVM; signals"] = r"""
cat >W.java <<'END'
public class W { static class Held { } public static void main(String[] a) throws Exception {
	Object lock = new Object(); var keep = new Held[777]; for (int i = 0; i < 777; i++) keep[i] = new Held();
	for (int i = 0; i < 5; i++) { var t = new Thread(() -> { synchronized (lock) { try { lock.wait(); } catch (Exception e) {} } }, "waiter-" + i); t.setDaemon(true); t.start(); }
	Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook"))); Thread.sleep(200); System.out.println("ready"); Thread.sleep(1000000); System.out.println(keep.length); } }
END
javac W.java; java -Xmx64m W >out & pid=$!; until grep -q ready out; do sleep 0.1; done
[ "$(jps | grep W)" = "$pid W" ] && echo jps; jcmd $pid VM.flags | grep -o MaxHeapSize=[0-9]*; jstack $pid >stack; grep -c '"waiter-' stack; grep -c 'Object.wait' stack
jmap -histo:live $pid | awk '$4 == "W$Held" { print $2 }'; jinfo -flag MaxHeapSize $pid; jcmd $pid GC.heap_dump -overwrite /tmp/j/dump | grep -o created; jcmd $pid Thread.print | grep -c waiter-
jcmd $pid VM.command_line | grep java_command; jcmd $pid PerfCounter.print | grep -c java.; jstat -gc $pid | wc -l
kill -QUIT $pid; until grep -q 'Full thread dump' out; do sleep 0.1; done; kill $pid; wait $pid; echo $?; tail -1 out
"""

CASES["garbage collectors under a heap of 64 MB; a heap and a stack that overflow"] = r"""
cat >G.java <<'END'
import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class G {
	static int deep(int n) { return deep(n + 1) + 1; }
	public static void main(String[] a) throws Exception {
		if (a.length > 0) { var l = new ArrayList<byte[]>(); try { while (true) l.add(new byte[1 << 20]); } catch (OutOfMemoryError e) { int n = l.size(); l = null; System.out.println(n > 10 && n < 64); } try { deep(0); } catch (StackOverflowError e) { System.out.println("deep"); } return; }
		var m = new ConcurrentHashMap<Integer, byte[]>(); var pool = Executors.newFixedThreadPool(4); var all = new ArrayList<Future<?>>();
		for (int t = 0; t < 4; t++) { int s = t; all.add(pool.submit(() -> { var r = new Random(s); for (int i = 0; i < 100000; i++) m.put(r.nextInt(2000), new byte[r.nextInt(8000)]); })); }
		for (var f : all) f.get(); pool.shutdown(); System.out.println(m.size());
		System.out.println(IntStream.range(0, 3000000).parallel().mapToLong(i -> i % 7).sum());
		int nulls = 0; for (int i = 0; i < 20000; i++) try { Object o = i % 2 == 0 ? null : "x"; o.hashCode(); } catch (NullPointerException e) { nulls++; } System.out.println(nulls);
	}
}
END
javac G.java; for gc in G1 Serial Parallel Z Shenandoah; do echo $gc; java -Xmx64m -XX:+Use${gc}GC G; done; java -Xmx64m -Xss512k G x
"""

LIMITED = r"""
java -XX:+PrintFlagsFinal -version 2>/dev/null | awk '$2 ~ /^(MaxHeapSize|UseG1GC|UseSerialGC|ParallelGCThreads|CICompilerCount)$/ { print $2, $4 }'
cat >L.java <<'END'
public class L { public static void main(String[] a) throws Exception { var l = new java.util.LinkedList<byte[]>(); long sum = 0; for (int i = 0; i < 3000; i++) { l.add(new byte[1 << 19]); if (l.size() > 60) l.remove(); sum += l.size(); }
	System.out.println(Runtime.getRuntime().availableProcessors() + " " + (Runtime.getRuntime().maxMemory() >> 20) + " " + sum); } }
END
java -XX:+UseG1GC -XX:+AlwaysPreTouch -Xms128m L.java; java -Xlog:os+container=trace -version 2>/dev/null | grep -E 'Memory Limit is|CPU Quota is|CPU Period is|OSContainer::init: is_containerized' | sed 's/^[^]]*]//; s/^\[.*\]//' | sort -u
"""

START = "mkdir /tmp/j; cd /tmp/j; "


@software("openjdk-17-jdk-headless", layer="java")
@pytest.mark.parametrize("name", CASES)
def test_java(same, name):
    """Programs compiled in the container"""
    same(START + CASES[name], timeout=180)


@software("openjdk-17-jdk-headless", layer="java")
@pytest.mark.parametrize("cpus", (1, 2))
def test_limits(start, cpus):
    """A container of 512 MB and 1 or 2 CPUs: what the JVM makes of it, and G1 at work in it"""
    def limit(bundle):
        def change(config):
            config["linux"]["resources"] = {"memory": {"limit": 512 << 20}, "cpu": {"quota": cpus * 100000, "period": 100000}}
            config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "noexec", "nodev"]})
            config["linux"]["namespaces"].append({"type": "cgroup"})
        edit_config(bundle, change)
    there, here = (start("/bin/bash", "-c", START + LIMITED, prepare=limit, **runtime).wait(180) for runtime in ({"runtime": "runc"}, {}))
    assert (here.stdout, here.status) == (there.stdout, there.status) and here.status == 0, f"{here}\n=== runc: {there}"
    assert "134217728" in here.stdout  # a quarter of the limit
