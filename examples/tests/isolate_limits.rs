//! Limits of `isolate`: held, shown, and gone with the program.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use cofferdam::cgroups::Hierarchies;
use common::{User, errors};

fn users() -> Vec<User> {
    common::users(env!("CARGO_BIN_EXE_isolate"), env!("CARGO_BIN_EXE_isolate"))
}

/// Those who have a cgroup to put programs into: root, and whom one was delegated to.
fn limited() -> Vec<User> {
    let may = |user: &User| {
        let output = user.run(&["--pids", "20", "true"]);
        let allowed = output.status.success();
        assert!(allowed || !user.root, "{}", errors(&output));
        allowed
    };
    users().into_iter().filter(may).collect()
}

/// The cgroups of programs that there are now, of whatever process.
fn cgroups() -> Vec<String> {
    let nest = Hierarchies::discover().and_then(|host| host.nest()).expect("a place for cgroups");
    let names = nest.children().expect("names").into_iter().filter_map(|name| name.into_string().ok());
    names.filter(|name| name.starts_with("cofferdam-dies-")).collect()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The sum of what the shell's `times` prints: `0m1.02s` for the shell and for its children.
fn seconds(times: &str) -> f64 {
    let one = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    times.split_whitespace().filter_map(one).sum()
}

const THREE: [&str; 6] = ["--memory", "64M", "--pids", "32", "--cpus", "0.5"];

#[test]
fn all_three_are_held() {
    for user in limited() {
        let run = |script: &str| {
            let mut args = THREE.to_vec();
            args.extend(["--", "sh", "-c", script]);
            user.run(&args)
        };
        // A killed child of the shell: 128 and the signal.
        let memory = run("tail /dev/zero; echo ended $?");
        assert!(text(&memory).contains("ended 137"), "{memory:?}");
        let pids =
            run("i=0; while [ $i -lt 40 ]; do sleep 60 >/dev/null 2>&1 & i=$((i + 1)); done; echo all");
        assert!(errors(&pids).to_lowercase().contains("fork"), "{pids:?}");
        // Two that spin, on half a processor.
        let spin =
            "(while :; do :; done) & a=$!; (while :; do :; done) & b=$!; sleep 2; kill $a $b; wait; times";
        let begun = Instant::now();
        let used = seconds(&text(&run(spin)));
        let bound = begun.elapsed().as_secs_f64() * 0.5 + 0.3;
        assert!(used > 0.1 && used <= bound, "{used} of {bound} seconds");
    }
}

#[test]
fn they_are_shown_beside_the_callers() {
    for user in limited() {
        let output = user.run(&THREE);
        let table = text(&output);
        let line = |name: &str| {
            let line = table.lines().find(|line| line.trim_start().starts_with(name)).expect("a line");
            line.split_whitespace().last().unwrap_or_default().to_owned()
        };
        assert!(table.contains("64 MiB"), "{table}");
        assert_eq!([line("processes at most"), line("processors at most")], ["32", "0.50"]);
        let mut explain = THREE.to_vec();
        explain.extend(["--explain", "true"]);
        let plan = text(&user.run(&explain));
        let first: Vec<_> = plan.lines().take(4).collect();
        let expected = ["limit memory.max 67108864", "limit memory.swap.max 0", "limit pids.max 32"];
        assert_eq!(first[..3], expected);
        assert_eq!(first[3], "limit cpu.max 50000 100000");
    }
}

#[test]
fn what_cannot_be_is_said() {
    for user in users() {
        let refused = |args: &[&str]| errors(&user.run(args));
        assert!(refused(&["--memory", "lots", "true"]).contains("not a number of bytes such as"));
        assert!(refused(&["--cpus", "0", "true"]).contains("the quota of cpu.max cannot be"));
        assert!(refused(&["--pids", "0", "true"]).contains("0 is not in 1.."));
        assert!(refused(&["--limit", "cgroup.procs=1", "true"]).contains("a file with a limit or a weight"));
    }
}

/// An ordinary user to whom nothing was delegated.
#[test]
fn who_has_no_cgroup_is_told_or_runs_without() {
    for user in users() {
        if user.run(&["--pids", "20", "true"]).status.success() {
            continue;
        }
        let refused = user.run(&["--pids", "20", "true"]);
        assert_eq!(refused.status.code(), Some(125));
        let complaint = errors(&refused);
        assert!(
            complaint.starts_with("isolate: limits need root, or a cgroup that is delegated"),
            "{complaint}"
        );
        let without = user.run(&["--pids", "20", "--limits", "if-available", "echo", "ran"]);
        assert_eq!(text(&without), "ran\n");
        assert!(errors(&without).starts_with("isolate: without the limit pids.max 20: "), "{without:?}");
        let none = user.run(&["--pids", "20", "--limits", "none", "echo", "ran"]);
        assert_eq!((text(&none).as_str(), errors(&none).as_str()), ("ran\n", ""));
    }
}

fn start(user: &User) -> Child {
    let script = "echo started; sleep 300";
    let args = ["--memory", "64M", "--pids", "32", "--cpus", "0.5", "--", "sh", "-c", script];
    let mut child = user.command(&args).stdout(Stdio::piped()).spawn().expect("isolate");
    let stdout = child.stdout.take().expect("a pipe");
    let first = BufReader::new(stdout).lines().next().expect("a line").expect("text");
    assert_eq!(first, "started");
    child
}

#[test]
fn no_cgroup_is_left_by_a_killed_isolate_once_it_runs_again() {
    for user in limited() {
        let mut isolate = start(&user);
        let own = format!("-{}-", isolate.id());
        let here = |names: &[String]| names.iter().any(|name| name.contains(&own));
        assert!(here(&cgroups()), "it has a cgroup while it runs");
        isolate.kill().expect("kill isolate");
        isolate.wait().expect("wait for isolate");
        let begun = Instant::now();
        // The program ends with isolate, which the kernel sees to.
        while here(&cgroups()) {
            let again = user.run(&["--pids", "20", "true"]);
            assert!(again.status.success(), "{again:?}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", cgroups());
        }
    }
}
