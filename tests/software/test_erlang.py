"""Erlang: schedulers on threads, ports, sockets, distributed nodes."""

import pytest
from marks import software

CASES = {}

CASES["processes, ports, gen_tcp, gen_udp, files, ets, signals"] = r"""
cat >t.erl <<'END'
-module(t).
-export([main/0]).
main() ->
    Self = self(), N = 20000,
    [spawn(fun() -> Self ! X * X end) || X <- lists:seq(1, N)], io:format("~p~n", [lists:sum([receive Y -> Y end || _ <- lists:seq(1, N)])]),
    Ring = lists:foldl(fun(_, To) -> spawn(fun() -> relay(To) end) end, Self, lists:seq(1, 2000)), Ring ! {token, 0}, receive {token, T} -> io:format("~p~n", [T]) end,
    io:format("~s", [os:cmd("echo out; id -un; exit 3")]),
    P = open_port({spawn_executable, "/bin/cat"}, [binary, {packet, 4}, exit_status]), ok,
    P2 = open_port({spawn, "sh -c 'read x; echo got $x; exit 7'"}, [binary, exit_status, stream]), port_command(P2, "line\n"),
    receive {P2, {data, D}} -> io:format("~s", [D]) end, receive {P2, {exit_status, S}} -> io:format("~p~n", [S]) end,
    Big = binary:copy(<<"x">>, 300000), port_command(P, Big), receive {P, {data, Big}} -> io:format("cat~n") after 20000 -> io:format("none~n") end, port_close(P),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127,0,0,1}}, {backlog, 100}]), {ok, Port} = inet:port(L),
    [spawn(fun() -> accept(L) end) || _ <- lists:seq(1, 4)],
    Rs = [begin spawn(fun() -> {ok, C} = gen_tcp:connect("127.0.0.1", Port, [binary, {active, false}, {packet, 4}]), ok = gen_tcp:send(C, integer_to_binary(I)), {ok, R} = gen_tcp:recv(C, 0, 20000), Self ! {r, R}, gen_tcp:close(C) end) end || I <- lists:seq(1, 100)],
    io:format("~p ~p~n", [length(Rs), lists:sum([receive {r, R} -> binary_to_integer(R) end || _ <- Rs])]),
    {ok, U} = gen_udp:open(0, [binary, {ip, {127,0,0,1}}]), {ok, UP} = inet:port(U), ok = gen_udp:send(U, {127,0,0,1}, UP, "datagram"), receive {udp, U, _, _, M} -> io:format("~s~n", [M]) end,
    {ok, Un} = gen_tcp:listen(0, [binary, {ifaddr, {local, "/tmp/e.sock"}}]), {ok, C1} = gen_tcp:connect({local, "/tmp/e.sock"}, 0, [binary]), {ok, C2} = gen_tcp:accept(Un), gen_tcp:send(C1, "unix"), receive {tcp, C2, X2} -> io:format("~s~n", [X2]) end,
    ok = file:write_file("f", [[integer_to_list(I), "\n"] || I <- lists:seq(1, 30000)]), {ok, F} = file:open("f", [read, raw, binary, read_ahead]), io:format("~p~n", [lines(F, 0)]), {error, E} = file:read_file("/no"), io:format("~p ~p~n", [E, filelib:file_size("f")]),
    {ok, Names} = file:list_dir("/etc/ssl"), ok = file:make_symlink("f", "l"), io:format("~p ~p~n", [length(Names), file:read_link("l")]),
    ets:new(tab, [named_table, public, {write_concurrency, true}]), ets:insert(tab, {n, 0}), Ws = [spawn_monitor(fun() -> [ets:update_counter(tab, n, 1) || _ <- lists:seq(1, 10000)] end) || _ <- lists:seq(1, 8)], [receive {'DOWN', Ref, _, _, _} -> ok end || {_, Ref} <- Ws], io:format("~p~n", [ets:lookup(tab, n)]),
    {Pid, Ref2} = spawn_monitor(fun() -> exit({bad, ets:lookup_element(tab, n, 2)}) end), receive {'DOWN', Ref2, process, Pid, Why} -> io:format("~p~n", [Why]) end,
    erlang:send_after(30, self(), tick), receive tick -> io:format("tick~n") end, io:format("~p ~p~n", [erlang:system_info(smp_support), erlang:system_info(schedulers) > 0]), dets(), halt(5).
relay(To) -> receive {token, N} -> To ! {token, N + 1} end.
accept(L) -> case gen_tcp:accept(L) of {ok, C} -> inet:setopts(C, [{packet, 4}]), {ok, B} = gen_tcp:recv(C, 0), gen_tcp:send(C, integer_to_binary(binary_to_integer(B) * 2)), gen_tcp:close(C), accept(L); _ -> ok end.
lines(F, N) -> case file:read_line(F) of {ok, L} -> lines(F, N + byte_size(L)); eof -> N end.
dets() -> {ok, d} = dets:open_file(d, [{file, "d.dets"}]), [dets:insert(d, {I, I}) || I <- lists:seq(1, 1000)], io:format("~p~n", [dets:info(d, size)]), dets:close(d).
END
erlc t.erl && erl -noshell -s t main; echo $?; echo 'io:format("~p~n", [lists:seq(1, 3)]), halt().' | erl -noshell -eval '{ok, T, _} = io:parse_erl_exprs(""), {value, _, _} = erl_eval:exprs(T, []).'
erl -noshell -eval 'io:format("ready~n"), receive stop -> ok end.' >out & p=$!; until grep -q ready out; do sleep 0.1; done; kill -TERM $p; wait $p; echo $?; erl -noshell +S 1 -eval 'io:format("~p~n", [erlang:system_info(schedulers)]), halt().' 2>/dev/null
"""

CASES["three nodes by epmd: messages, links, global names, a Mnesia table that outlives a node's kill -9"] = r"""
cat >n.erl <<'END'
-module(n).
-export([main/0]).
nodes_up(N) -> case length(nodes()) of N -> ok; _ -> timer:sleep(50), nodes_up(N) end.
eventually(F) -> case F() of true -> ok; _ -> timer:sleep(50), eventually(F) end.
main() ->
    [A, B] = [list_to_atom(X ++ "@127.0.0.1") || X <- ["a", "b"]], eventually(fun() -> lists:all(fun(X) -> net_adm:ping(X) == pong end, [A, B]) end), nodes_up(2),
    io:format("~p~n", [lists:sort(nodes())]), io:format("~p~n", [[rpc:call(X, erlang, node, []) || X <- [A, B]]]),
    S = self(), spawn(A, fun() -> S ! {from, node()} end), receive {from, W} -> io:format("~p~n", [W]) end,
    Bin = binary:copy(<<7>>, 3000000), spawn(B, fun() -> S ! {size, byte_size(Bin)} end), receive {size, Z} -> io:format("~p~n", [Z]) end,
    G = spawn(A, fun F() -> receive {P, M} -> P ! {echo, M}, F() end end), yes = global:register_name(echo, G), ok = rpc:call(B, global, sync, []), rpc:call(B, global, send, [echo, {S, hi}]), receive {echo, M} -> io:format("~p~n", [M]) end,
    All = [node(), A, B], {_, []} = rpc:multicall(All, mnesia, start, []), {ok, _} = mnesia:change_config(extra_db_nodes, [A, B]), {atomic, ok} = mnesia:create_table(t, [{ram_copies, All}]), {atomic, ok} = mnesia:transaction(fun() -> [mnesia:write({t, I, I}) || I <- lists:seq(1, 500)], ok end),
    eventually(fun() -> [rpc:call(X, mnesia, table_info, [t, size]) || X <- All] == [500, 500, 500] end), io:format("500~n"), monitor_node(B, true), os:cmd("kill -9 " ++ rpc:call(B, os, getpid, [])), receive {nodedown, B} -> io:format("down~n") end,
    eventually(fun() -> mnesia:system_info(running_db_nodes) -- [B] == mnesia:system_info(running_db_nodes) end), {atomic, ok} = mnesia:transaction(fun() -> mnesia:write({t, 501, 1}) end), io:format("~p ~p~n", [rpc:call(A, mnesia, table_info, [t, size]), nodes()]), rpc:call(A, init, stop, []), init:stop().
END
erlc n.erl; for x in a b; do erl -noshell -kernel logger_level none -name $x@127.0.0.1 -setcookie c -kernel inet_dist_use_interface '{127,0,0,1}' & eval $x=$!; done; erl -noshell -kernel logger_level none -name m@127.0.0.1 -setcookie c -kernel inet_dist_use_interface '{127,0,0,1}' -s n main; echo $?; wait $a; echo $?; wait $b 2>/dev/null; echo $?; epmd -names | tail -n +2 | wc -l
"""


@software("erlang-base", layer="erlang")
@pytest.mark.parametrize("name", CASES)
def test_erlang(same, name):
    """Programs compiled in the container"""
    same("mkdir /tmp/j; cd /tmp/j; export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((20000 + RANDOM % 9999)); " + CASES[name])
