# shellcheck shell=bash
# How lanes are run, timed, logged and counted. Sourced by `run`.

# A run must end by itself, well before whoever started it gives up.
readonly RUN_SECONDS=$((75 * 60))
# What one command may take, unless its lane says otherwise.
readonly COMMAND_SECONDS=$((20 * 60))

passed=0 failed=0 skipped=0
rows=()      # one line of the final table each
logs=''      # directory of the logs
# The lane that runs: its log, whether all went well, why it is skipped, whether it counts tests, and how many.
lane_log='' lane_ok=true lane_skip='' lane_is_tests=false
lane_passed=0 lane_failed=0 lane_skipped=0

# Sets up what all lanes share.
prepare() {
    logs=$(mktemp -d "${TMPDIR:-/tmp}/ci.XXXXXX") || exit 2
    target=${CARGO_TARGET_DIR:-$root/target}
    [[ $target == /* ]] || target=$root/$target
    export CARGO_TARGET_DIR=$target CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
    # A fresh clone is built once: what would make the next build faster only fills the disk.
    [[ -z ${CI-} ]] || export CARGO_INCREMENTAL=0
    unset RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS REQUIRE_ALL
    trap finish EXIT
    trap 'exit 130' INT TERM HUP
    printf 'machine: %s, %s processors, uid %s\n' "$(uname -srm)" "$(nproc)" "$(id -u)"
    printf 'rust: %s; %s\n' "$(rustc --version)" "$(cargo --version)"
    printf 'logs: %s\n' "$logs"
}

finish() {
    remove_user
    ((failed)) || rm -rf "$logs"
}

is_root() {
    [[ $(id -u) == 0 ]]
}

# A command as a reader could type it.
show() {
    local word line=''
    if [[ $1 == setpriv ]]; then
        line=" [as $user]"
        shift "${#user_words[@]}"
    fi
    for word; do
        [[ $word =~ ^[A-Za-z0-9_./=:,+@%-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    printf '%s' "${line# }"
}

note() {
    printf '  %s\n' "$*"
}

# Fails the lane, with the reason.
fail() {
    lane_ok=false
    note "failed: $*"
    printf 'failed: %s\n' "$*" >>"$lane_log"
    return 1
}

# The lane as a whole cannot be had here, for this reason.
skip() {
    lane_skip=$*
}

# Runs one command of a lane: prints it, logs its output, fails the lane unless it ends with 0.
# -t SECONDS: at most so long. -o FILE: its standard output goes there and to the log.
run() {
    local seconds=$COMMAND_SECONDS output=/dev/null option OPTIND=1 OPTARG
    while getopts t:o: option; do
        case $option in
        t) seconds=$OPTARG ;;
        o) output=$OPTARG ;;
        *) return 2 ;;
        esac
    done
    shift $((OPTIND - 1))
    note "\$ $(show "$@")"
    printf '$ %s\n' "$(show "$@")" >>"$lane_log"
    local left=$((RUN_SECONDS - SECONDS)) from status
    ((left > 1)) || left=1
    ((seconds <= left)) || seconds=$left
    from=$(wc -c <"$lane_log")
    if [[ $output == /dev/null ]]; then
        timeout --kill-after=20 "$seconds" "$@" </dev/null >>"$lane_log" 2>&1
    else
        timeout --kill-after=20 "$seconds" "$@" </dev/null 2>>"$lane_log" >"$output"
    fi
    status=$?
    [[ $output == /dev/null ]] || cat "$output" >>"$lane_log"
    case $status in
    0) return 0 ;;
    124 | 137) fail "stopped after $seconds s: $(show "$@")" ;;
    *) fail "exit status $status: $(show "$@")" ;;
    esac
    excerpt "$from"
    return "$status"
}

# Runs `cargo test` with the given arguments, behind the command words before `--`, and counts its tests.
# A test that skips itself prints a line `skipped: REASON`; to see it although the test passes, the run shows outputs.
run_tests() {
    local before=()
    while [[ $1 != -- ]]; do
        before+=("$1")
        shift
    done
    shift
    run_counted "${before[@]}" cargo test "$@" --no-fail-fast -- --show-output
}

# Runs a command that runs tests, and counts them.
run_counted() {
    local from counts p f s
    lane_is_tests=true
    from=$(wc -c <"$lane_log")
    run -t $((25 * 60)) "$@"
    local status=$?
    counts=$(tail -c "+$((from + 1))" "$lane_log" | awk -f "$here/count.awk" | tee "$logs/count" | head -n 1)
    read -r p f s <<<"$counts"
    # What fails without a failing test: a build, a crash, a time-out.
    ((status == 0 || f > 0)) || f=1
    ((lane_passed += p, lane_failed += f, lane_skipped += s))
    note "$p passed, $f failed, $s skipped"
    tail -n +2 "$logs/count" | sort | uniq -c | sort -rn | while read -r times reason; do
        note "skipped $times: $reason"
    done
    return $status
}

# Indents, and takes colours out.
quote() {
    sed -e 's/\x1b[[(][0-9;]*[A-Za-z]//g' -e 's/^/  | /'
}

# What a failed command said last, and before that, of tests, what failed. $1: where in the log it began.
excerpt() {
    tail -c "+$(($1 + 1))" "$lane_log" >"$logs/excerpt"
    awk '/^failures:$/ { on = 1 } on { print } /^test result: / { on = 0 }' "$logs/excerpt" | head -n 300 | quote
    note "the end of its output:"
    grep -Ev '^ +(Compiling|Checking|Documenting|Downloaded|Downloading) |^\{"reason":' "$logs/excerpt" | tail -n 40 | quote
}

run_lane() {
    local name=$1 start=$SECONDS verdict
    lane_log=$logs/$name.log
    lane_ok=true lane_skip='' lane_is_tests=false
    lane_passed=0 lane_failed=0 lane_skipped=0
    : >"$lane_log"
    printf '\n== %s\n' "$name"
    "lane_${name//-/_}"
    if [[ -n $lane_skip && $lane_ok == true ]]; then
        lane_skipped=1 verdict=skipped
        note "skipped: $lane_skip"
    elif [[ $lane_is_tests == false ]]; then
        if [[ $lane_ok == true ]]; then lane_passed=1; else lane_failed=1; fi
    elif [[ $lane_ok == false && $lane_failed == 0 ]]; then
        lane_failed=1
    fi
    ((lane_failed == 0)) || verdict=FAILED
    ((passed += lane_passed, failed += lane_failed, skipped += lane_skipped))
    verdict=${verdict:-ok}
    rows+=("$(printf '%-14s %-8s %6d %7d %8d %8d s' \
        "$name" "$verdict" "$lane_passed" "$lane_failed" "$lane_skipped" $((SECONDS - start)))")
    printf '== %s: %s, %d s\n' "$name" "$verdict" $((SECONDS - start))
}

# The table and the sum, and the exit status of the run.
summary() {
    printf '\n%-14s %-8s %6s %7s %8s %10s\n' lane result passed failed skipped time
    printf '%s\n' "${rows[@]}"
    printf 'in %d s\n' "$SECONDS"
    ((failed == 0)) || printf 'logs: %s\n' "$logs"
    # The clean-up comes before the last line, so that this stays the last.
    remove_user
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0))
}
