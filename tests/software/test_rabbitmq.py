from marks import software

BROKER = r"""
mkdir /tmp/r; chown rabbitmq /tmp/r; cd /tmp/r; printf 'testcookie12345' >/var/lib/rabbitmq/.erlang.cookie
chown rabbitmq /var/lib/rabbitmq/.erlang.cookie; chmod 400 /var/lib/rabbitmq/.erlang.cookie
export HOME=/var/lib/rabbitmq RABBITMQ_NODENAME=r@localhost RABBITMQ_MNESIA_BASE=/tmp/r RABBITMQ_LOG_BASE=/tmp/r RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
as() { setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$@"; }
up() { as rabbitmq-server >out 2>&1 & p=$!; until as rabbitmqctl await_startup --timeout 100 >/dev/null 2>&1; do sleep 0.5
kill -0 $p || { cat out *.log; exit 1; }; done; }
up; cat >/tmp/w.py <<'END'
import pika, sys, threading
def channel():
    c = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1")); return c, c.channel()
def produce(w):
    c, ch = channel(); ch.confirm_delivery()
    for i in range(100): ch.basic_publish("x", f"k.{w}", b"m" * i, pika.BasicProperties(delivery_mode=2, headers={"n": i}), mandatory=True)
    c.close()
c, ch = channel()
if sys.argv[1] == "first":
    ch.exchange_declare("x", "topic", durable=True); ch.queue_declare("q", durable=True); ch.queue_bind("q", "x", "k.*")
    ts = [threading.Thread(target=produce, args=(w,)) for w in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]
    n = size = 0
    for method, props, body in ch.consume("q"):
        ch.basic_ack(method.delivery_tag); n += 1; size += len(body)
        if n == 300: break
    ch.cancel(); print(n)
else:
    print(ch.queue_declare("q", passive=True).method.message_count)
    while (m := ch.basic_get("q", auto_ack=True))[0]: pass
    print(ch.queue_declare("q", passive=True).method.message_count)
c.close()
END
python3 /tmp/w.py first; as rabbitmqctl -q list_queues name messages durable | tail -n +1; as rabbitmqctl -q add_user u pw
as rabbitmqctl -q list_users | sort
as rabbitmqctl -q stop 2>/dev/null; wait $p; up; python3 /tmp/w.py second
RABBITMQ_CTL_ERL_ARGS='-setcookie wrong' as rabbitmqctl -q status >/dev/null 2>&1; echo $?; as rabbitmqctl -q stop 2>/dev/null
wait $p; echo $?
"""


@software("rabbitmq-server", layer="servers")
def test_rabbitmq(same_apart):
    """Topic exchange, four publishers with confirms, a consumer; a restart keeps what was left; a wrong cookie is
    refused"""
    same_apart(BROKER, timeout=240)
