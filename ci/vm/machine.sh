# shellcheck shell=bash
# The machine: what it sees of the host, how it starts, and how its output and its status come out. Sourced by `run`.

work=''       # directory of this run
processes=()  # what was started for it
devices=()    # what qemu is told about the directories that are served
mounts=()     # directories that the guest may write

# Runs the command in the machine, and exits as it did.
boot() {
    local code status
    work=$(mktemp -d "$cache/run.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    [[ $work != *[[:space:]]* ]] || die "no spaces, please, in $work"
    serve_all
    prepare_guest "$@"
    code=0
    start_machine || code=$?
    status=$(cat "$work/status" 2>/dev/null || true)
    [[ -z $status ]] || exit "$status"
    if [[ $code == 124 || $code == 137 ]]; then
        printf 'vm: stopped after %s s\n' "$seconds" >&2
        exit 124
    fi
    if [[ ! -s $work/started ]] && ((tries > 1)); then
        once_more
    fi
    cat "$work/qemu.log" "$work/console" >&2 2>/dev/null || true
    die "the machine ended without a status"
}

# For a machine that ended before it came to the command. Emulated processors are not always real enough.
once_more() {
    printf 'vm: the machine did not start; once more\n' >&2
    clean_up
    VM_TRIES=$((tries - 1)) exec "$here/run" "${arguments[@]}"
}

clean_up() {
    [[ ${#processes[@]} == 0 ]] || kill "${processes[@]}" 2>/dev/null || true
    # The mounts of those that serve directories end with them.
    wait
    rm -rf --one-file-system "$work"
}

# Other file systems than that of `/` are not shared.
visible() {
    local path
    for path; do
        [[ $(stat -c %m "$path") == / ]] || die "$path is not on the root file system, the guest would not see it"
    done
}

serve_all() {
    local directory
    serve root / ro
    for directory in "${shared[@]}"; do
        serve "share${#mounts[@]}" "$directory" rw
        mounts+=("$directory")
    done
}

# serve TAG DIR ro|rw: offers a directory to the guest. That it is read-only is the kernel's word, not the daemon's.
serve() {
    local tag=$1 cache_mode=auto socket=$work/$1.sock
    [[ $3 == rw ]] || cache_mode=always
    mkdir "$work/$tag"
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount --propagation private sh -euc '
        mount --bind "$2" "$1"
        mount -o "remount,bind,$3" "$1"
        exec "$4" --socket-path="$5" -o "source=$1,xattr,no_posix_lock,cache=$6,log_level=err"
    ' sh "$work/$tag" "$2" "$3" "$virtiofsd" "$socket" "$cache_mode" >"$work/$tag.log" 2>&1 </dev/null &
    processes+=($!)
    for _ in $(seq 200); do
        [[ ! -S $socket ]] || break
        sleep 0.05
    done
    if [[ ! -S $socket ]]; then
        cat "$work/$tag.log" >&2
        die "$2 cannot be served to the guest"
    fi
    devices+=(-chardev "socket,id=$tag,path=$socket" -device "vhost-user-fs-pci,chardev=$tag,tag=$tag")
}

# What the guest finds in the directory of the run: its first program, what to do, and the command.
prepare_guest() {
    cp -r "$here/guest" "$work/guest"
    chmod -R a+rX "$work"
    # What means nothing there, or something else.
    unset TMPDIR XDG_RUNTIME_DIR OLDPWD
    [[ -z $user ]] || unset HOME USER LOGNAME SHELL MAIL "${!XDG_@}"
    {
        export -p
        printf 'cd %q || exit 126\nexec' "$PWD"
        printf ' %q' "$@"
        echo
    } >"$work/command"
    # The second program of the guest finds the kernel by its line.
    {
        printf 'kernel=%q\nwork=%q\nuser=%q\n' "$kernel" "$work" "$user"
        printf 'command_words=('
        printf ' %q' "$PWD/" "$@"
        printf ' )\nmounts=('
        ((${#mounts[@]} == 0)) || printf ' %q' "${mounts[@]}"
        printf ' )\n'
    } >"$work/settings"
    mkfifo "$work/out" "$work/err"
    make_initramfs
}

make_initramfs() {
    local directory=$work/initramfs
    mkdir -p "$directory"/{bin,dev,proc,host,early}
    cp /bin/busybox "$directory/bin/"
    cp "$here/guest/first" "$directory/init"
    cp "$kernel"/early/* "$directory/early/"
    (cd "$directory" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initrd"
}

start_machine() {
    local readers=() machine code=0
    cat "$work/out" &
    readers+=($!)
    cat "$work/err" >&2 &
    readers+=($!)
    processes+=("${readers[@]}")
    # Emulated also where the host could do better: it takes the same way everywhere. One thread a processor.
    timeout --kill-after=5 "$seconds" qemu-system-x86_64 -M q35 -accel tcg,thread=multi,tb-size=512 -cpu max \
        -smp "$cpus" -m "$memory" -nodefaults -no-user-config -display none -no-reboot \
        -object "memory-backend-memfd,id=ram,size=${memory}M,share=on" -numa node,memdev=ram \
        "${devices[@]}" -device virtio-rng-pci -device virtio-serial-pci \
        -chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,nr=1 \
        -chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,nr=2 \
        -chardev "file,id=started,path=$work/started" -device virtserialport,chardev=started,nr=3 \
        -chardev "file,id=status,path=$work/status" -device virtserialport,chardev=status,nr=4 \
        -serial "file:$work/console" -kernel "$kernel/vmlinuz" -initrd "$work/initrd" \
        -append "$(command_line)" \
        </dev/null >"$work/qemu.log" 2>&1 &
    machine=$!
    processes+=("$machine")
    # In the background, so that a signal ends the wait.
    wait "$machine" || code=$?
    # A machine that never started did not open the pipes either: the readers would wait for ever.
    [[ -e $work/console ]] || kill "${readers[@]}" 2>/dev/null || true
    wait "${readers[@]}" || true
    return "$code"
}

command_line() {
    # Without the defences against the processor: they cost time, and there is nobody to defend against.
    printf 'console=ttyS0 quiet panic=-1 reboot=t nokaslr mitigations=off '
    # While it starts the kernel changes its own code most, which emulated processors may miss of one another.
    printf 'maxcpus=1 '
    printf 'vm.work=%s' "$work"
    [[ " ${append[*]-} " == *' apparmor='* ]] || printf ' apparmor=0'
    ((${#append[@]} == 0)) || printf ' %s' "${append[@]}"
}
