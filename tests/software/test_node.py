"""Node.js: what its event loop, threads and processes ask of the kernel."""

import pytest
from marks import software

CASES = {}

CASES["worker threads with shared memory and messages"] = r"""
const { Worker, isMainThread, parentPort, workerData, MessageChannel } = require('worker_threads');
if (isMainThread) {
	const shared = new Int32Array(new SharedArrayBuffer(64)), sums = [];
	let left = 6;
	for (let i = 0; i < 6; i++) {
		const w = new Worker(__filename, { workerData: { shared, i } });
		w.on('message', m => sums.push(m)).on('exit', code => {
			if (--left) return;
			console.log(shared[0], sums.sort((a, b) => a - b), code);
		});
		w.postMessage(new Uint8Array(1e6).fill(i));
	}
} else {
	parentPort.once('message', bytes => {
		for (let n = 0; n < 20000; n++) Atomics.add(workerData.shared, 0, 1);
		Atomics.wait(workerData.shared, 1, 0, 20);
		parentPort.postMessage(bytes.reduce((a, b) => a + b, 0));
	});
}
"""

CASES["child processes: spawn, exec, fork with messages, signals, time-outs"] = r"""
const cp = require('child_process'), assert = require('assert');
if (process.argv[2] == 'child') {
	process.on('message', m => m.end ? process.disconnect() : process.send({ twice: m.n * 2 }));
} else (async () => {
	console.log(cp.execSync('echo out; echo err >&2; tr a-z A-Z', { input: 'text\n', stdio: ['pipe', 'pipe', 'ignore'] }).toString());
	console.log(cp.spawnSync('sh', ['-c', 'exit 7']).status, cp.spawnSync('/no/such').error.code, cp.spawnSync('sleep', ['60'], { timeout: 100 }).signal);
	const cat = cp.spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] }); let bytes = 0;
	cat.stdout.on('data', d => bytes += d.length);
	for (let i = 0; i < 50; i++) if (!cat.stdin.write(Buffer.alloc(100000))) await new Promise(r => cat.stdin.once('drain', r));
	cat.stdin.end(); await new Promise(r => cat.on('close', r)); console.log(bytes);
	const child = cp.fork(__filename, ['child']); let sum = 0, n = 0;
	const all500 = new Promise(r => child.on('message', m => { sum += m.twice; if (++n == 500) r(); }));
	for (let n = 0; n < 500; n++) child.send({ n });
	await all500; child.send({ end: 1 }); await new Promise(r => child.on('exit', r)); console.log(sum);
	const sleeper = cp.spawn('sleep', ['60'], { detached: true }); process.kill(-sleeper.pid, 'SIGKILL');
	console.log(await new Promise(r => sleeper.on('exit', (c, s) => r([c, s]))));
	const all = await Promise.all([...Array(20).keys()].map(i => new Promise(r => cp.exec(`exit ${i}`, e => r(e ? e.code : 0)))));
	console.log(all.join());
	process.once('SIGUSR2', s => console.log(s)); process.kill(process.pid, 'SIGUSR2');
})();
"""

CASES["fs.watch, fs.watchFile, fs.promises.watch"] = r"""
const fs = require('fs'), path = require('path'), wait = ms => new Promise(r => setTimeout(r, ms));
const until = async f => { while (!f()) await wait(20); };
(async () => {
	const dir = fs.mkdtempSync('/tmp/w'), seen = new Set(); let stats = 0;
	fs.writeFileSync(dir + '/old', '1');
	const w = fs.watch(dir, (what, name) => seen.add(what + ' ' + name));
	fs.watchFile(dir + '/old', { interval: 50 }, () => stats++);
	fs.writeFileSync(dir + '/new', 'x'); await until(() => seen.has('rename new') && seen.has('change new'));
	fs.renameSync(dir + '/new', dir + '/moved'); await until(() => seen.has('rename moved'));
	fs.unlinkSync(dir + '/moved'); fs.mkdirSync(dir + '/d'); await until(() => seen.has('rename d'));
	fs.appendFileSync(dir + '/old', '2'); await until(() => stats && seen.has('change old'));
	w.close(); fs.unwatchFile(dir + '/old'); seen.clear(); fs.writeFileSync(dir + '/none', ''); await wait(100);
	console.log(seen.size);
	const aborter = new AbortController(), names = [];
	const loop = (async () => { try { for await (const e of fs.promises.watch(dir, { signal: aborter.signal })) names.push(e.filename); } catch (e) { console.log(e.name); } })();
	await wait(50); fs.writeFileSync(dir + '/p', ''); await until(() => names.includes('p')); aborter.abort(); await loop;
	for (const [name, o] of [['/absent', {}], ['', { recursive: true }]]) try { fs.watch(dir + name, o).close(); } catch (e) { console.log(e.code); }
})();
"""

CASES["http: keep-alive, chunked bodies of megabytes, 300 requests at a time, a unix socket"] = r"""
const http = require('http'), crypto = require('crypto'), agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
const server = () => http.createServer((q, s) => {
	if (q.method != 'POST') return s.end('hello ' + q.url);
	const h = crypto.createHash('md5'); q.on('data', d => h.update(d)).on('end', () => { s.setHeader('x-md5', h.digest('hex')); q.headers.big ? s.end(Buffer.alloc(3e6, 'a')) : s.end(); });
});
const ask = (o, body) => new Promise((ok, bad) => { const q = http.request(o, s => { let n = 0; s.on('data', d => n += d.length).on('end', () => ok([s.statusCode, n, s.headers['x-md5']])); }).on('error', bad); for (const b of body || []) q.write(b); q.end(); });
const tcp = server().listen(0, '127.0.0.1', async () => {
	const port = tcp.address().port, host = '127.0.0.1';
	const all = await Promise.all([...Array(300).keys()].map(i => ask({ host, port, agent, path: '/' + i % 10 })));
	console.log(all.length, new Set(all.map(String)));
	console.log(await ask({ host, port, agent, method: 'POST', headers: { big: 1 } }, Array(40).fill(Buffer.alloc(1e5, 'b'))));
	const unix = server().listen('/tmp/http.sock', async () => {
		console.log(await ask({ socketPath: '/tmp/http.sock', path: '/u' })); unix.close(); agent.destroy(); tcp.close();
		ask({ host, port }).catch(e => console.log(e.code));
	});
});
"""

CASES["cluster: three workers share a port; one is killed and replaced"] = r"""
const cluster = require('cluster'), http = require('http');
if (cluster.isPrimary) {
	const get = p => new Promise((ok, bad) => http.get({ port: p, host: '127.0.0.1', agent: false }, s => { let b = ''; s.on('data', d => b += d).on('end', () => ok(b)); }).on('error', bad));
	let port, n = 0, deaths = [];
	for (let i = 0; i < 3; i++) cluster.fork();
	cluster.on('exit', (w, code, signal) => { deaths.push(signal || code); if (signal == 'SIGKILL') cluster.fork(); });
	cluster.on('listening', async (w, a) => {
		port = a.port;
		if (++n == 3) {
			const seen = new Set(await Promise.all([...Array(30)].map(() => get(port)))); console.log(seen.size);
			Object.values(cluster.workers)[0].process.kill('SIGKILL');
		} else if (n == 4) {
			const seen = new Set(await Promise.all([...Array(30)].map(() => get(port)))); console.log(seen.size);
			cluster.disconnect(() => console.log(deaths.map(String).sort()));
		}
	});
} else http.createServer((q, s) => s.end(String(process.pid))).listen(0, '127.0.0.1');
"""

CASES["streams: gzip of 20 MB through a pipeline of files; readline; fs.promises"] = r"""
const fs = require('fs'), zlib = require('zlib'), crypto = require('crypto'), { pipeline } = require('stream/promises'), readline = require('readline');
(async () => {
	const f = fs.createWriteStream('/tmp/lines'); for (let i = 0; i < 400000; i++) if (!f.write(`line ${i} of a file with many lines\n`)) await new Promise(r => f.once('drain', r));
	f.end(); await new Promise(r => f.on('close', r));
	await pipeline(fs.createReadStream('/tmp/lines'), zlib.createGzip(), fs.createWriteStream('/tmp/lines.gz'));
	const h = crypto.createHash('sha1'); await pipeline(fs.createReadStream('/tmp/lines.gz'), zlib.createGunzip(), h); console.log(h.digest('hex'));
	let n = 0; for await (const line of readline.createInterface({ input: fs.createReadStream('/tmp/lines', { start: 100, end: 200000 }) })) n += line.length; console.log(n);
	const p = fs.promises; await p.mkdir('/tmp/t/a/b/c', { recursive: true }); await Promise.all([...Array(200).keys()].map(i => p.writeFile(`/tmp/t/a/f${i}`, 'x'.repeat(i))));
	await p.cp('/tmp/t', '/tmp/u', { recursive: true }); const sizes = await Promise.all((await p.readdir('/tmp/u/a')).map(async x => (await p.stat('/tmp/u/a/' + x)).isFile() ? (await p.readFile('/tmp/u/a/' + x)).length : 0));
	console.log(sizes.reduce((a, b) => a + b)); await p.rm('/tmp/t', { recursive: true }); console.log(fs.existsSync('/tmp/t'), await p.access('/tmp/u/a/b/c').then(() => 'there'));
	for (const [name, e] of [['/tmp/u', 'EISDIR'], ['/tmp/u/a/f1/x', 'ENOTDIR'], ['/no', 'ENOENT']]) await p.readFile(name).catch(x => console.log(x.code == e));
})();
"""

CASES["sockets, UDP, DNS of /etc/hosts, timers, process and os information"] = r"""
const net = require('net'), dgram = require('dgram'), os = require('os'), dns = require('dns');
console.log(os.platform(), os.hostname(), os.cpus().length > 0, os.totalmem() > os.freemem(), os.userInfo().username, process.getuid(), process.cwd(), os.endianness());
console.log(process.memoryUsage().rss > 1e7, process.resourceUsage().maxRSS > 1e4, process.uptime() < 60, process.umask().toString(8), process.title);
const echo = net.createServer(s => s.pipe(s)).listen(0, '127.0.0.1', () => {
	const c = net.connect(echo.address().port, '127.0.0.1'); let n = 0;
	c.setNoDelay().setKeepAlive(true, 1000); c.on('data', d => { n += d.length; if (n == 5e6) c.end(); }).on('close', () => { console.log(n); echo.close(); }); c.write(Buffer.alloc(5e6));
});
const u = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => { u.setRecvBufferSize(1e5); u.send('datagram', u.address().port, '127.0.0.1'); }).on('message', (m, from) => { console.log(m.toString(), from.address); u.close(); });
dns.lookup('localhost', { family: 4 }, (e, a) => console.log(a));
const t0 = process.hrtime.bigint(); setTimeout(() => console.log(process.hrtime.bigint() - t0 >= 49000000n), 50);
let ticks = 0; const i = setInterval(() => ++ticks == 5 && (clearInterval(i), console.log('ticks')), 5); setImmediate(() => console.log('immediate'));
process.on('exit', c => console.log('exit', c)); process.exitCode = 3;
"""


@software("nodejs", layer="core")
@pytest.mark.parametrize("name", CASES)
def test_node(run_both, name):
    """Scripts: the event loop, threads and processes"""
    result = run_both("/bin/bash", "-c", "cat >/tmp/t.js <<'END'\n" + CASES[name] + "\nEND\nnode /tmp/t.js | sort; exit ${PIPESTATUS[0]}", timeout=90)
    assert result.status == (3 if "sockets" in name else 0), str(result)
    assert result.stdout
