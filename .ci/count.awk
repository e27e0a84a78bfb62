# Counts the output of `cargo test -- --show-output`.
# First line out: passed, failed and skipped. Then one line for each skipped test: its reason.
#
# Some tests start their own test binary once more, with the same output: what it says counts as a part of them, not
# as tests. So results count at the outermost level only, and the captured output of tests is not looked at for them.

function take(line, words, n, i) {
    n = split(line, words, /[ ;]+/)
    for (i = 2; i <= n; i++) {
        if (words[i] == "passed") passed += words[i - 1]
        if (words[i] == "failed") failed += words[i - 1]
        if (words[i] == "ignored") skipped += words[i - 1]
    }
    taken = 1
}

# The next test binary begins. One whose level went wrong (a test's child that died early) still has its last result.
function next_binary() {
    if (!taken && last != "") take(last)
    depth = 0; taken = 0; last = ""; captured = 0; part = ""
}

/^ +Running / || /^ +Doc-tests / { next_binary(); next }
/^(successes|failures):$/ { part = $1; captured = 0; next }
/^---- .* ----$/ && part != "" { captured = 1; told = 0; next }
captured && part == "successes:" && /^skipped: / && !told {
    reasons[++count] = substr($0, length("skipped: ") + 1)
    told = 1
    next
}
captured { next }
/^running [0-9]+ tests?$/ { depth++; part = ""; next }
/^test result: / {
    last = $0
    if (--depth <= 0) { take($0); depth = 0 }
    part = ""
}

END {
    next_binary()
    # The harness calls a test that skipped itself passed.
    print passed - count, failed + 0, skipped + count
    for (i = 1; i <= count; i++) print reasons[i]
}
