from marks import software

POSTFIX = r"""
cd /tmp; useradd -m alice; useradd -m bob; echo test.example >/etc/mailname
postconf -e 'mydestination = test.example, localhost' 'myhostname = test.example' 'inet_interfaces = loopback-only' 'home_mailbox = Maildir/' 'maillog_file = /var/log/postfix.log' \
  'inet_protocols = all' 'mynetworks = 127.0.0.0/8 [::1]/128' 'alias_maps = hash:/etc/aliases' 'compatibility_level = 3.6'
echo 'carol: alice, bob, "|/bin/cat >>/tmp/piped"' >/etc/aliases; newaliases
chmod 1777 /tmp; postfix start 2>/dev/null || { cat /var/log/postfix.log; exit 1; }
n() { ls /home/$1/Maildir/new 2>/dev/null | wc -l; }
wait_n() { for i in $(seq 300); do [ $(n $1) -ge $2 ] && return; sleep 0.1; done; echo "$1: $(n $1)"; cat /var/log/postfix.log
mailq; }
printf 'Subject: one\n\nby sendmail\n' | sendmail alice; wait_n alice 1
python3 - <<'END'
import smtplib, threading
def send(w):
    with smtplib.SMTP("127.0.0.1" if w % 2 else "::1", 25) as s:
        for i in range(5): s.sendmail("x@test.example", ["bob@test.example"], f"Subject: {w}-{i}\r\n\r\n" + "line\r\n" * 2000)
        if w == 0:
            print(s.ehlo()[0], s.verify("alice")[0])
            try: s.sendmail("x@test.example", ["nobody-here@test.example"], "x")
            except smtplib.SMTPRecipientsRefused as e: print(list(e.recipients.values())[0][0])
            try: s.sendmail("x@test.example", ["a@other.example", "alice@test.example"], "Subject: relay\r\n\r\nx")
            except Exception as e: print(e)
ts = [threading.Thread(target=send, args=(w,)) for w in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
END
wait_n bob 20; cat /home/bob/Maildir/new/* | grep -c '^line'; grep -h ^Subject /home/bob/Maildir/new/* | sort
printf 'Subject: all\n\nalias\n' | sendmail carol; wait_n bob 21; until [ -s /tmp/piped ]; do sleep 0.1; done; wait_n alice 3
grep -c alias /tmp/piped; stat -c %U:%a /home/alice/Maildir/new/* | uniq -c
postqueue -p | tail -1; postfix reload 2>/dev/null; printf 'Subject: after\n\nreload\n' | sendmail bob; wait_n bob 22
postfix stop 2>/dev/null; grep -E 'fatal|panic|warning: .*(killed|exit)' /var/log/postfix.log || echo clean
"""


@software("postfix", layer="servers")
def test_postfix(same_apart):
    """sendmail, SMTP of four clients, Maildir, alias with a pipe, refusals, reload, stop"""
    same_apart(POSTFIX, timeout=100)
