# shellcheck shell=bash
# Lanes that run tests in a virtual machine: with another kernel, in an unmixed cgroup v2 hierarchy. Sourced by `run`.
# ../ci/vm/README.md has what is in the machine.

# The packages whose tests depend on the kernel.
readonly VM_PACKAGES=(cofferdam-cgroups cofferdam-process cofferdam-namespaces cofferdam-overlay cofferdam cofferdam-examples)
# Programs of the examples whose use of cgroups others test, too; each starts dozens of others, which takes minutes in there.
# Of containers, what does not depend on the kernel or is tried many times.
readonly VM_SLOW='/(examples|runtime-core)\s.*/(isolate|examples|engines|oci_cli(_exec|_faults|_many|_passed|_tty)?|oci_security|oci_faults|oci_leaks|oci_many|prop_config|config_schema)-[0-9a-f]+$'
# What makes an AppArmor guest one.
readonly VM_APPARMOR='grep -q apparmor /sys/kernel/security/lsm && cat /proc/self/attr/apparmor/current'

# False, with a reason in the lane, where no machine can be had.
vm_ready() {
    local reason
    is_root || { skip "needs root"; return 1; }
    mkdir -p "$target"
    if ! reason=$(timeout --kill-after=20 600 ci/vm/run --check "$root" "$target" "$logs" 2>&1); then
        printf '%s\n' "$reason" >>"$lane_log"
        skip "no virtual machine: ${reason##*$'\n'}"
        return 1
    fi
}

# Builds the test binaries, and lists them for ci/vm/tests. $1: the list. $2: a pattern of those wanted.
vm_binaries() {
    local name directory options=() artifacts=$logs/vm.json manifest binary
    while read -r name directory; do
        [[ " ${VM_PACKAGES[*]} " != *" $name "* ]] || options+=(-p "$name")
    done < <(members)
    run -o "$artifacts" cargo test "${options[@]}" --all-features --no-run --message-format=json-render-diagnostics ||
        return
    # Programs that are built for tests are artifacts too, but no tests.
    sed -n 's/.*"manifest_path":"\([^"]*\)".*"test":true},"features".*"executable":"\([^"]*\)".*/\1 \2/p' "$artifacts" |
        while read -r manifest binary; do
            printf '%s\t%s\n' "${manifest%/Cargo.toml}" "${binary#"$target/"}"
        done | grep -E "${2-.}" | grep -Ev "$VM_SLOW" | sort >"$1"
    [[ -s $1 ]] || fail "no test binaries"
}

# Runs test binaries in one machine. $1: a pattern of those wanted. Then options of ci/vm/run, `--`, and words before
# the command.
vm_tests() {
    local pattern=$1 options=() list=$logs/vm.list
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    vm_ready || return
    vm_binaries "$list" "$pattern" || return
    note "$(wc -l <"$list") test binaries"
    run_counted ci/vm/batch "$target" "$list" --time 1200 --memory 4096 "${options[@]}" -- "$@"
    vm_slowest
}

# Which test binaries took longest: what is quick outside may be slow in there.
vm_slowest() {
    local seconds binary
    sed -n 's/^\(.*\): exit status [0-9]*, \([0-9]*\) s$/\2 \1/p' "$lane_log" | sort -rn | head -n 3 |
        while read -r seconds binary; do
            ((seconds < 10)) || note "took $seconds s: ${binary##*/}"
        done
}

lane_vm_root() {
    vm_tests . -- env SLOW_MACHINE=1 REQUIRE_ALL=1
}

lane_vm_user() {
    vm_tests . --user -- env SLOW_MACHINE=1
}

# With labels on processes. Little is tested there that depends on them: the first programs, and plans with labels.
lane_vm_apparmor() {
    # shellcheck disable=SC2016 # the shell in the guest expands it
    vm_tests 'runtime-core.*/(basics|cofferdam)-' --append 'apparmor=1 security=apparmor' -- \
        env SLOW_MACHINE=1 REQUIRE_ALL=1 sh -c "$VM_APPARMOR"' && exec "$0" "$@"'
}
