from marks import software

TERMINALS = r"""
cd /tmp; seq 1000 >t; vim.tiny -u NONE -i NONE -es -N t <<'END'
%s/7/seven/g
g/seven/m0
5,10d
wq
END
md5sum t; export TERM=screen; tmux -f /dev/null new-session -d -s a -x 100 -y 30 'PS1="> " bash --norc' || exit 1
k() { tmux send-keys -t a "$@"; }; w() { for i in $(seq 300); do tmux capture-pane -p -t a | grep -q "$1" && return; sleep 0.1; done
echo "no $1"; tmux capture-pane -p -t a; }
w '^>'; k 'echo $((6 * 7)) $TERM; stty size' Enter; w '^42 '; w '^30 100\|^29 100'; k 'vim.tiny -u NONE -i NONE new' Enter; w 'new'
k i 'hello vim' Escape ':set number' Enter; w '1 hello vim'; k 'yy5p' ; w '6 hello vim'; k ':!echo from-$((1+1))-shell' Enter
w 'from-2-shell'; k Enter; k ':wq' Enter; w '^>'; until [ -e new ]; do sleep 0.1; done; sleep 0.5; cat new
tmux split-window -t a -h sleep\ 1000; tmux list-panes -t a -F '#{pane_index} #{pane_width}x#{pane_height}'; tmux kill-pane -t a:0.1
tmux list-panes -t a | wc -l
tmux set-buffer 'echo pasted'; tmux paste-buffer -t a:0.0; tmux send-keys -t a:0.0 Enter; w '^pasted'
tmux send-keys -t a:0.0 'exit' Enter; while tmux has-session -t a 2>/dev/null; do sleep 0.2; done; echo over
"""


@software("tmux", layer="tools")
def test_tmux_vim(same_apart):
    """vim in ex mode and in tmux: typing, yank, a shell; panes, paste, end"""
    same_apart(TERMINALS, timeout=120)
