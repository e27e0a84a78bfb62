# shellcheck shell=bash
# An ordinary user in a cgroup of its own, both as systemd makes them for whoever logs in. Sourced by `start`.

readonly uid=1000 name=vm home=/home/vm

# Makes the user, and has the command run as that.
make_user() {
    make_account
    delegate_cgroup
    open_ways
    # The last words that run as root are those of `as_user`.
    words=(bash "$work/guest/as-user" "$uid" "$leaf" "${words[@]}")
    # shellcheck disable=SC2034 # for the command
    export HOME=$home USER=$name LOGNAME=$name SHELL=/bin/sh XDG_RUNTIME_DIR=/run/user/$uid TMPDIR=$home/tmp
}

# Account, home and subordinate ids. The host may have a user of that number: in the guest it is this one.
make_account() {
    local file
    sed -i "/^$name:/d; /^[^:]*:[^:]*:$uid:/d" /etc/passwd /etc/group
    echo "$name:x:$uid:$uid::$home:/bin/sh" >>/etc/passwd
    echo "$name:x:$uid:" >>/etc/group
    for file in /etc/subuid /etc/subgid; do
        [[ -e $file ]] && sed -i "/^$name:/d; /^$uid:/d" "$file"
        echo "$name:100000:65536" >>"$file"
    done
    mkdir -p "$home" "/run/user/$uid"
    # The layer over the host's files can be no upper directory of a union mount, and holds no whiteouts: a home can.
    mount -t tmpfs -o mode=755 home "$home"
    mkdir "$home/tmp"
    chmod 700 "/run/user/$uid"
    chown -R "$uid:$uid" "$home" "/run/user/$uid"
}

# A cgroup that the user owns as far as the kernel says it is safe, with a leaf in it for the command. The controllers
# are enabled down to the first: whether and what for they are used below is the user's business.
delegate_cgroup() {
    local path=/sys/fs/cgroup part controller
    for part in user.slice "user-$uid.slice" "user@$uid.service"; do
        for controller in cpuset cpu io memory pids; do
            echo "+$controller" >"$path/cgroup.subtree_control"
        done
        path+=/$part
        mkdir "$path"
    done
    leaf=$path/init.scope
    mkdir "$leaf"
    hand_over "$path"
    hand_over "$leaf"
}

hand_over() {
    local file
    chown "$uid:$uid" "$1"
    while read -r file; do
        [[ ! -e $1/$file ]] || chown "$uid:$uid" "$1/$file"
    done </sys/kernel/cgroup/delegate
}

# What is the host's root's alone has to be found by the user too: directories on the way to the working directory and
# to what the command names can be passed. In the guest only, like everything that is written.
open_ways() {
    local path
    for path in "$work/command" "${command_words[@]}"; do
        while [[ $path == /?* ]]; do
            path=${path%/*}
            [[ -z $path ]] || chmod a+x "$path" 2>/dev/null || true
        done
    done
}
