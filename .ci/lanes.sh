# shellcheck shell=bash
# One function for each lane: `lane_NAME`, with `_` for `-`. Sourced by `run`.

# What every user is told to try first, and what it must print.
# shellcheck disable=SC2016 # the isolated shell expands it
readonly DEMO_SCRIPT='echo $$ $(hostname) $(id -u)'
readonly DEMO_PATTERN='^1 [^ ]+ 0$'
readonly DENY_VERSION=0.20.2

# `name directory` of each member of the workspace. What is a workspace of its own is none.
members() {
    local manifest
    for manifest in */Cargo.toml; do
        ! grep -q '^\[workspace\]' "$manifest" || continue
        printf '%s %s\n' "$(awk -F'"' '/^name *=/ { print $2; exit }' "$manifest")" "${manifest%/Cargo.toml}"
    done
}

# Tools that tests and benches use if they are there. Nothing that a user of the library needs.
lane_install() {
    local pair missing=() package
    for pair in crun:crun runc:runc bwrap:bubblewrap busybox:busybox-static strace:strace newuidmap:uidmap \
        cc:gcc readelf:binutils setpriv:util-linux useradd:passwd \
        qemu-system-x86_64:qemu-system-x86 modprobe:kmod xz:xz-utils \
        mmdebstrap:mmdebstrap buildah:buildah podman:podman skopeo:skopeo umoci:umoci \
        conmon:conmon containerd:containerd; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    # A static program needs the static C library.
    cc -print-file-name=libc.a 2>/dev/null | grep -q / || missing+=(libc6-dev)
    if ((${#missing[@]} == 0)); then
        note "all there"
        return
    fi
    note "missing: ${missing[*]}"
    if ! is_root || ! command -v apt-get >/dev/null; then
        skip "only root, with apt-get, installs: ${missing[*]}"
        return
    fi
    export DEBIAN_FRONTEND=noninteractive
    # None of them is fatal here: a lane that cannot do without says so itself.
    run -t 300 apt-get -q update
    # A package of its own since Debian 13, a part of qemu before.
    ! apt-cache show virtiofsd >/dev/null 2>&1 || missing+=(virtiofsd)
    if ! run -t 600 apt-get -q install -y --no-install-recommends "${missing[@]}"; then
        for package in "${missing[@]}"; do
            run -t 300 apt-get -q install -y --no-install-recommends "$package" || note "goes without $package"
        done
    fi
    lane_ok=true
}

# The only lane that insists on the lock file: should it be behind, the others still tell something.
lane_lock() {
    run cargo fetch --locked
}

lane_fmt() {
    run cargo fmt --all --check
}

# Checks the use of the standard library against `rust-version` as well (incompatible_msrv).
lane_clippy() {
    run cargo clippy --workspace --all-targets --all-features -- -D warnings
}

# The commands of the README are those that the lanes run.
lane_readme() {
    local command
    for command in 'cargo test --workspace' 'cargo run --release --bin isolate' \
        "cargo run --release --bin isolate -- sh -c '$DEMO_SCRIPT'"; do
        note "README.md has: $command"
        # Alone on its line, but for indentation, a prompt, or a remark behind it.
        awk -v want="$command" '
            { sub(/^[ \t]*(\$ )?/, ""); sub(/[ \t]+#.*$/, ""); sub(/[ \t]+$/, "") }
            $0 == want { found = 1 }
            END { exit !found }' README.md 2>>"$lane_log" || fail "README.md has no line \`$command\`"
    done
}

lane_docs() {
    run env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --all-features
}

# Each crate by itself: no feature that only a neighbour in the workspace turns on.
lane_alone() {
    local name
    while read -r name _; do
        run cargo clippy -p "$name" --no-default-features -- -D warnings
        run cargo clippy -p "$name" --all-features -- -D warnings
    done < <(members)
}

lane_test_root() {
    is_root || { skip "needs root"; return; }
    run_tests env REQUIRE_ALL=1 -- --workspace
}

lane_test_features() {
    local name directory environment=() tests=()
    ! is_root || environment=(env REQUIRE_ALL=1)
    while read -r name directory; do
        grep -q '^\[features\]' "$directory/Cargo.toml" || continue
        if [[ $name == cofferdam || $name == cofferdam-examples ]]; then
            # The examples have that feature on, so the workspace's own run has tested it.
            mapfile -t tests < <(tests_without_oci "$directory")
            # A test runs them, and they are only built along with everything.
            [[ ! -d $directory/examples ]] || run cargo build -p "$name" --all-features --examples
            run_tests "${environment[@]}" -- -p "$name" --all-features --doc
            run_tests "${environment[@]}" -- -p "$name" --all-features "${tests[@]}"
        else
            run_tests "${environment[@]}" -- -p "$name" --all-features
        fi
    done < <(members)
}

# The targets of a crate but for the tests of containers by the OCI runtime-spec, as words for cargo.
tests_without_oci() {
    local path name
    echo --lib
    for path in "$1"/tests/*; do
        [[ $path == *.rs || -e $path/main.rs ]] || continue
        name=${path##*/}
        [[ $name =~ ^(oci_|common|configs|config_schema|prop_config) ]] || printf -- '--test\n%s\n' "${name%.rs}"
    done
}

# The README's first commands, behind the words given.
demo() {
    local output=$logs/demo.out line
    run -o "$output" "$@" cargo run --release --bin isolate &&
        { [[ -s $output ]] || fail "it printed nothing"; }
    quote <"$output"
    run -t 120 -o "$output" "$@" cargo run --release --bin isolate -- sh -c "$DEMO_SCRIPT" || return
    line=$(<"$output")
    note "it printed: $line"
    [[ $line =~ $DEMO_PATTERN ]] || fail "that is not \`1 HOSTNAME 0\`"
}

lane_demo_root() {
    is_root || { skip "needs root"; return; }
    demo
}

lane_test_user() {
    if ! is_root; then
        run_tests -- --workspace
        return
    fi
    ensure_user || return
    run_tests "${user_words[@]}" -- --workspace
    show_left_over
}

lane_demo_user() {
    ! is_root || ensure_user || return
    if ! "${user_words[@]}" unshare --user true 2>>"$lane_log"; then
        skip "this host does not let ordinary users make user namespaces"
        return
    fi
    demo "${user_words[@]}"
}

# Where real images are, and stay. Not below the build directory: podman takes no long paths.
images_directory() {
    printf '%s/cofferdam-ci/images' "${XDG_CACHE_HOME:-$HOME/.cache}"
}

# Makes the real images, unless they are there. False, with a reason in the lane, where they cannot be had.
ensure_images() {
    local tool directory before=$lane_ok
    directory=$(images_directory)
    for tool in mmdebstrap buildah podman skopeo umoci; do
        command -v "$tool" >/dev/null || { skip "no $tool on PATH"; return 1; }
    done
    if ! run -t 400 ci/images/make "$directory"; then
        # Most of it is another's work: the packages come over the network.
        lane_ok=$before
        skip "the images could not be made"
        return 1
    fi
}

# Real images, and what others make of them.
lane_images() {
    is_root || { skip "needs root"; return; }
    ensure_images || return
    ensure_user || return
    run_counted env REQUIRE_ALL=1 COFFERDAM_TEST_IMAGES="$(images_directory)" COFFERDAM_TEST_USER="$user" \
        COFFERDAM_TEST_KILLS=20 cargo test --release -p cofferdam-examples --test real --no-fail-fast -- \
        --ignored --skip worker:: --show-output
    show_left_over
}

# Engines with our runtime.
lane_engines() {
    local tool
    is_root || { skip "needs root"; return; }
    ensure_images || return
    for tool in podman conmon containerd ctr; do
        command -v "$tool" >/dev/null || { skip "no $tool on PATH"; return; }
    done
    run_counted env REQUIRE_ALL=1 COFFERDAM_TEST_IMAGES="$(images_directory)" \
        cargo test -p cofferdam-examples --test engines --no-fail-fast -- --ignored --show-output
}

# What leaks a little shows itself: many containers, one after the other and at once. The command line takes longer.
lane_many() {
    is_root || { skip "needs root"; return; }
    # Of the workspace, as other lanes have built most of that.
    run_counted env REQUIRE_ALL=1 COFFERDAM_TEST_MANY=5000,500 \
        cargo test --release --workspace --test oci_many -- --show-output
    run_counted env REQUIRE_ALL=1 COFFERDAM_TEST_MANY=300,100 \
        cargo test --release --workspace --test oci_cli_many -- --show-output
}

# What is only run by hand still builds.
lane_fuzz() {
    command -v c++ >/dev/null || { skip "no C++ compiler on PATH"; return; }
    run env CARGO_TARGET_DIR="$target/fuzz" cargo check --manifest-path fuzz/Cargo.toml
}

# The C library linked in: the program asks for no interpreter and runs anywhere.
lane_static() {
    local program=$target/static/x86_64-unknown-linux-gnu/release/isolate output=$logs/static.out
    run env RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR="$target/static" \
        cargo build --release --target x86_64-unknown-linux-gnu --bin isolate || return
    run -o "$output" readelf --wide --program-headers "$program" || return
    ! grep -q INTERP "$output" || fail "$program asks for an interpreter"
    run -t 60 -o "$output" "$program" -- sh -c "$DEMO_SCRIPT" || return
    note "it printed: $(<"$output")"
    [[ $(<"$output") =~ $DEMO_PATTERN ]] || fail "that is not \`1 HOSTNAME 0\`"
}

# What would be published builds from its own archive. The tests may have left nothing in the tree: it must be clean.
lane_package() {
    local name directory options=()
    while read -r name directory; do
        ! grep -Eq '^publish *= *false' "$directory/Cargo.toml" || options+=(--exclude "$name")
    done < <(members)
    [[ -n ${CI-} ]] || options+=(--allow-dirty)
    run cargo package --workspace "${options[@]}"
}

# Known vulnerabilities are not asked for: their database is not at hand everywhere.
lane_deny() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/cofferdam-ci deny name
    note "deny.toml says why, for each direct dependency"
    while read -r name; do
        grep -Eq "^#   $name +[^ ]" deny.toml || fail "deny.toml has no line on $name"
    done < <(awk '/^\[/ { on = $0 == "[workspace.dependencies]" } on && /^[a-z]/ && !/path *=/ { print $1 }' Cargo.toml)
    deny=$(command -v cargo-deny || true)
    [[ -n $deny ]] || deny=$cache/bin/cargo-deny
    if [[ ! -x $deny ]]; then
        # Unoptimised: it builds in a fraction of the time and has little to do.
        if ! run -t 720 env CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$target/deny" \
            cargo install cargo-deny --version "$DENY_VERSION" --locked --debug --root "$cache"; then
            lane_ok=true
            skip "cargo-deny did not install within 12 minutes"
            return
        fi
        rm -rf "$target/deny"
    fi
    run "$deny" check bans
    run "$deny" --all-features check licenses sources
}

# Times mean nothing on a shared machine: that each bench runs, ends in time and writes what it promises is checked.
lane_bench() {
    bench_writes_results spawn
    # Its cgroups need root, or one that was delegated.
    ! is_root || bench_writes_results cgroup_ops --syscalls
    bench_writes_results mount --syscalls
    # Files get owners, containers the default configuration.
    is_root || return
    # The command line, which that bench leaves out where it is not built.
    run cargo build --release --bin cofferdam
    bench_writes_results oci
    if ensure_images; then
        bench_writes_results layer_unpack --rootfs "$(images_directory)/base.tar"
    else
        note "without layer_unpack: $lane_skip"
        lane_skip=''
    fi
}

# $1: the bench. Then flags.
bench_writes_results() {
    local bench=$1 json=$logs/$1.jsonl
    local number='-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?' text='"[^"\\]+"' field pattern
    shift
    run -o "$logs/$bench.out" cargo bench -p cofferdam-benches --bench "$bench" -- --quick --json "$json" "$@" || return
    quote <"$logs/$bench.out"
    pattern="\"bench\":\"$bench\",\"case\":$text,\"subject\":$text,\"n\":[0-9]+"
    for field in min_us p50_us p99_us; do
        pattern+=",\"$field\":$number"
    done
    # Then a ratio, null where there is no floor to compare with, and fields that only some cases have.
    pattern="^\\{$pattern,\"vs_floor\":($number|null)(,\"[a-z_]+\":($number|\\[($text(,$text)*)?\\]))*\\}\$"
    [[ -s $json ]] || { fail "no results in $json"; return; }
    note "$(wc -l <"$json") results"
    if grep -Evn "$pattern" "$json" >>"$lane_log"; then
        fail "lines that are not as promised"
    fi
}
