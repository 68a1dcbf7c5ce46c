#!/usr/bin/env bash
# Set-up, build, then every suite to its end; the last line sums them: N passed, N failed.
# usage: setup/run-tests.sh test | check | soak     TEST='word ...' runs only the tests whose names hold one of the words
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
cd "$root" || exit 1

what=${1:-test}
filter=${TEST:-}
log=out/$what.log
mkdir -p out
: >"$log"
passed=0
failed=0
faults=()
began=$SECONDS

say() {
    echo "$*" | tee -a "$log"
}

# run COMMAND...: into the terminal and the log; answers the command's own exit status.
run() {
    say "--- $*"
    "$@" </dev/null 2>&1 9>&- | tee -a "$log"
    return "${PIPESTATUS[0]}"
}

note() {
    say "--- $1: $2 ($((SECONDS - started)) s)"
    [ "$2" = ok ] || faults+=("$1")
}

# check NAME COMMAND...: counts as one.
check() {
    local name=$1
    shift
    started=$SECONDS
    if run "$@"; then
        passed=$((passed + 1))
        note "$name" ok
    else
        failed=$((failed + 1))
        note "$name" FAILED
        return 1
    fi
}

# suite NAME COMMAND...: a cargo test run; counts each of its tests.
suite() {
    local name=$1 from status ran bad targets reported lost
    shift
    started=$SECONDS
    from=$(wc -l <"$log")
    run "$@"
    status=$?
    read -r ran bad reported targets < <(tail -n +$((from + 1)) "$log" | setup/sum-results.sh)
    # A test binary that died left no result line, and a run that could not compile left none at all.
    lost=$((targets > reported ? targets - reported : 0))
    [ $status != 0 ] && [ $((bad + lost)) = 0 ] && lost=1
    passed=$((passed + ran))
    failed=$((failed + bad + lost))
    if [ $((bad + lost)) = 0 ]; then note "$name" ok; else note "$name" FAILED; fi
}

finish() {
    say "--- $((SECONDS - began)) s in all; the whole output is in $log"
    [ ${#faults[@]} = 0 ] || say "--- failed: ${faults[*]}"
    say "$passed passed, $failed failed"
    [ $failed = 0 ] && [ $passed != 0 ]
    exit
}

advisories() {
    if ! timeout 10 git ls-remote --quiet https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; then
        say "--- advisories: SKIPPED, the advisory database cannot be reached from here"
        return
    fi
    check advisories cargo deny --all-features check advisories
}

fmt=(cargo fmt --all --check)
clippy=(cargo clippy --workspace --all-targets --quiet -- -D warnings)
# Libraries and binaries apart, since a binary may be called like a library. --examples makes cargo choose the same
# features as for the tests; without it half the dependencies would be checked a second time.
# shellcheck disable=SC2317 # called through check
docs() {
    local -x RUSTDOCFLAGS='-D warnings'
    cargo doc --workspace --no-deps --quiet --lib --examples &&
        cargo doc --workspace --no-deps --quiet --bins --examples
}

case $what in
    check)
        check set-up setup/install.sh build || finish
        . "$root/setup/claim.sh"
        check guests setup/build.sh guests
        check fmt "${fmt[@]}"
        check clippy "${clippy[@]}"
        suite tidy cargo test --workspace --test tidy
        check docs docs
        ;;
    test)
        check set-up setup/install.sh build kafka registry python prometheus deny || finish
        . "$root/setup/claim.sh"
        check build setup/build.sh dev
        built=$?
        if [ -z "$filter" ]; then
            check fmt "${fmt[@]}"
            check clippy "${clippy[@]}"
            check deny cargo deny --all-features check licenses bans sources
            advisories
        fi
        if [ $built = 0 ]; then
            # shellcheck disable=SC2086 # one word per filter
            suite tests cargo test --workspace --no-fail-fast -- $filter
        else
            say "--- tests: not run, the build failed"
        fi
        [ -n "$filter" ] || check docs docs
        ;;
    soak)
        check set-up setup/install.sh build || finish
        . "$root/setup/claim.sh"
        check build setup/build.sh dev || finish
        export WEIR_FUZZ_SECONDS="${SECONDS_EACH:-120}"
        suite fuzz cargo test --workspace --no-fail-fast --test fuzz -- --nocapture
        suite fuzz cargo test --workspace --no-fail-fast --lib -- --nocapture fuzz::
        export WEIR_KILLS="${KILLS:-60}"
        suite kills cargo test --workspace --no-fail-fast --test distributed -- --nocapture every_record_is_there
        ;;
    *)
        echo "run-tests: no such run: $what. Say test, check or soak" >&2
        exit 1
        ;;
esac
finish
