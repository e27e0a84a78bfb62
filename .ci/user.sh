# shellcheck shell=bash
# An ordinary user to run as, when the run itself is root's. Sourced by `run`.
#
# It is a user as a machine's owner would make one: own uid and group, a home, a range of subordinate ids, no
# privilege. Root starts its processes with `setpriv`, which changes the ids and so gives up every capability; that none
# is left is checked, not assumed. In its home it has
#
#   toolchain/  the compiler of this run. Rustup's directory is often below /root, where nobody else may look, so
#               the files are linked (same file system: no time, no space) or else copied; where the user can already use
#               the original, nothing is done. The files stay root's, the user may only read them.
#   .cargo/     a cargo home of its own, with a copy of the packages already downloaded.
#   cofferdam/  a copy of the source tree, where it builds for itself.

user=''         # name, once made
user_home=''
user_path=''
user_words=()   # put before a command, they run it as the user, in its copy of the tree, with an environment of its own

# Makes the user. False, with a reason in the lane, where that is not possible.
ensure_user() {
    [[ -z $user ]] || return 0
    local tool name=cofferdam-ci-$$
    for tool in useradd userdel setpriv; do
        command -v "$tool" >/dev/null || { fail "no $tool on PATH"; return 1; }
    done
    run useradd --create-home --user-group --shell /bin/sh "$name" || return 1
    user=$name
    user_home=$(getent passwd "$user" | cut -d: -f6)
    chmod 755 "$user_home"
    # On most systems `useradd` has seen to it.
    grep -qs "^$user:" /etc/subuid || usermod --add-subuids 500000-565535 "$user" >>"$lane_log" 2>&1
    grep -qs "^$user:" /etc/subgid || usermod --add-subgids 500000-565535 "$user" >>"$lane_log" 2>&1
    user_toolchain && user_packages && user_source && user_is_ordinary
}

set_user_words() {
    local name variables=()
    for name in CI TZ http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE CARGO_HTTP_CAINFO; do
        [[ -z ${!name+set} ]] || variables+=("$name=${!name}")
    done
    user_words=(
        setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all --ambient-caps=-all
        env -i -C "$user_home/cofferdam" "HOME=$user_home" "USER=$user" "LOGNAME=$user" SHELL=/bin/sh LANG=C.UTF-8
        "PATH=$user_path" RUST_BACKTRACE=1 CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
        "${variables[@]}"
    )
}

user_toolchain() {
    local original place=$user_home/toolchain method
    original=$(rustc --print sysroot) || return 1
    mkdir -p "$user_home/cofferdam"
    for method in original link copy; do
        case $method in
        original) place=$original ;;
        link)
            place=$user_home/toolchain
            mkdir -p "$place"
            # Without `share`: manuals, and half of the size.
            cp -al "$original"/{bin,lib,libexec} "$place/" 2>>"$lane_log"
            ;;
        copy)
            rm -rf "$place" && mkdir -p "$place" && cp -a --reflink=auto "$original"/{bin,lib,libexec} "$place/" &&
                chmod -R a+rX "$place"
            ;;
        esac
        user_path=$place/bin:/usr/local/bin:/usr/bin:/bin
        set_user_words
        if "${user_words[@]}" cargo --version >>"$lane_log" 2>&1 && "${user_words[@]}" rustc -vV >>"$lane_log" 2>&1; then
            note "toolchain of the user: $place ($method)"
            return 0
        fi
    done
    fail "the user cannot use the toolchain"
}

user_packages() {
    local from=${CARGO_HOME:-$HOME/.cargo} part
    mkdir -p "$user_home/.cargo/registry" || return 1
    for part in index cache; do
        [[ ! -d $from/registry/$part ]] || cp -a --reflink=auto "$from/registry/$part" "$user_home/.cargo/registry/"
    done
    # Where packages come from may be set there.
    [[ ! -f $from/config.toml ]] || cp "$from/config.toml" "$user_home/.cargo/"
    chown -R "$user:$user" "$user_home/.cargo"
}

user_source() {
    if ! tar -C "$root" --exclude './target*' --exclude ./.git -cf - . | tar -C "$user_home/cofferdam" -xf -; then
        fail "the tree cannot be copied"
        return 1
    fi
    chown -R "$user:$user" "$user_home/cofferdam"
}

user_is_ordinary() {
    local status uid
    uid=$(id -u "$user")
    status=$("${user_words[@]}" cat /proc/self/status) || { fail "nothing runs as $user"; return 1; }
    printf '%s\n' "$status" >>"$lane_log"
    # Inheritable, permitted, effective and ambient: all empty. Each of the four uids is the user's.
    if grep -Eq '^Cap(Inh|Prm|Eff|Amb):.*[^0[:space:]]' <<<"$status" ||
        [[ $(awk '/^Uid:/ { print $2, $3, $4, $5 }' <<<"$status") != "$uid $uid $uid $uid" ]]; then
        fail "$user is not without privilege"
    fi
}

# Says what still runs as the user after its tests. No failure: a test that kills a shell leaves the shell's children to
# end by themselves; that the library leaves nothing behind has tests of its own.
show_left_over() {
    local process
    for process in $(find /proc -maxdepth 1 -user "$user" -printf '%f ' 2>/dev/null); do
        # Of what has ended already only the name is left.
        [[ -z $(tr -d '\0' 2>/dev/null <"/proc/$process/cmdline") ]] ||
            note "still runs: $process $(tr '\0' ' ' <"/proc/$process/cmdline")"
    done 2>/dev/null
}

remove_user() {
    [[ -n $user ]] || return 0
    find /proc -maxdepth 1 -user "$user" -printf '%f\n' 2>/dev/null | xargs --no-run-if-empty kill -KILL 2>/dev/null
    userdel --force --remove "$user" >/dev/null 2>&1
    rm -rf "$user_home"
    user=''
}
