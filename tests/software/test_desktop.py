from marks import software

CHROMIUM = r"""
mkdir /tmp/c; cd /tmp/c; cat >p.html <<'END'
<!doctype html><title>start</title><body style="margin:0;background:#ff0000"><canvas id=c width=200 height=100></canvas><div id=d></div>
<script>
const x = document.getElementById("c").getContext("2d"); x.fillStyle = "#0000ff"; x.fillRect(0, 0, 200, 100);
const r = new XMLHttpRequest(); r.open("GET", "/text", false); r.send(); let n = 0; for (let i = 0; i < 3e6; i++) n = (n * 31 + i) | 0;
document.getElementById("d").textContent = "computed " + n + " fetched " + r.responseText.length;
</script>
END
seq 100 >text; python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 & s=$!; until curl -s 127.0.0.1:8000/text >/dev/null
do sleep 0.1; done
b() { timeout -k 5 100 chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=/tmp/c/u --window-size=200,300 --hide-scrollbars "$@" 2>>log
}
b --screenshot=/tmp/c/s.png http://127.0.0.1:8000/p.html; echo $?; identify -format '%wx%h\n' s.png
convert s.png -format '%[pixel:p{50,50}] %[pixel:p{50,250}]\n' info:
b --dump-dom http://127.0.0.1:8000/p.html | grep -o 'computed [-0-9]* fetched [0-9]*'
b --print-to-pdf=/tmp/c/o.pdf http://127.0.0.1:8000/p.html; pdftotext o.pdf - | grep computed; kill $s
[ -s s.png ] || tail -20 log >&2
"""

OFFICE = r"""
mkdir /tmp/l; cd /tmp/l; export HOME=/tmp/l; python3 - <<'END'
ns = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
open("a.fodt", "w").write(f'<?xml version="1.0" encoding="UTF-8"?><office:document {ns} office:mimetype="application/vnd.oasis.opendocument.text" office:version="1.2"><office:body><office:text>' +
  "".join(f"<text:p>Paragraph {i} of the text äöü</text:p>" for i in range(200)) + "</office:text></office:body></office:document>")
END
o() { timeout -k 5 200 soffice --headless --norestore "$@" 2>>log | sed 's/ using .*//'; }
o --convert-to odt a.fodt; o --convert-to docx a.odt; mkdir d; o --convert-to pdf --outdir d a.docx; o --convert-to pdf a.odt
for p in a.pdf d/a.pdf; do pdftotext $p - | grep Paragraph | md5sum; pdfinfo $p | grep Pages; done; o --convert-to txt:Text a.docx
md5sum a.txt; ls
"""


@software("chromium", layer="desktop")
def test_chromium(same_apart):
    """Headless without its sandbox: a page with a script that draws, computes and fetches: screenshot, document, PDF"""
    same_apart(CHROMIUM, timeout=200)


SANDBOX = r"""
mkdir /tmp/c; cd /tmp/c; echo '<p>hello<script>document.write(6*7)</script>' >p.html
b() { timeout -k 5 100 chromium --headless=new --disable-gpu --disable-dev-shm-usage --user-data-dir=/tmp/c/u "$@" 2>>log; }
b --dump-dom file:///tmp/c/p.html; echo $?; b --screenshot=/tmp/c/s.png file:///tmp/c/p.html; identify -format '%m\n' s.png
[ -s s.png ] || tail -20 log >&2
"""


@software("chromium", layer="desktop")
def test_chromium_sandbox(same_apart):
    """Headless as an ordinary user, with its sandbox of user namespaces and seccomp, without which it refuses to run"""
    same_apart(SANDBOX, timeout=200, uid=1000, gid=1000, env=["HOME=/tmp"])


@software("libreoffice-writer-nogui", layer="desktop")
def test_libreoffice(same_apart):
    """A document converted to odt, docx, PDF and text, and the PDF's text compared"""
    same_apart(OFFICE, timeout=300)
