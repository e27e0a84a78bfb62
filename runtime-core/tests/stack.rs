//! A root of several directories.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cofferdam::overlay::Stack;
use cofferdam::{Capability, Changes, Command, DEFAULT_CAPABILITIES, Namespaces, Root};
use common::{Box, can_isolate, is_root, names, open_to_all, text};

/// The host's programs below, and a directory over them.
struct Layers {
    base: Box,
    over: tempfile::TempDir,
}

impl Layers {
    fn new() -> Self {
        let base = Box::new();
        fs::create_dir(base.path().join("etc")).expect("mkdir");
        fs::write(base.path().join("etc/lower"), "lower\n").expect("write");
        fs::write(base.path().join("etc/both"), "lower\n").expect("write");
        let over = tempfile::tempdir().expect("a directory");
        open_to_all(over.path());
        fs::create_dir(over.path().join("etc")).expect("mkdir");
        fs::write(over.path().join("etc/both"), "over\n").expect("write");
        fs::write(over.path().join("etc/over"), "over\n").expect("write");
        Self { base, over }
    }

    fn stack(&self) -> Stack {
        Stack::new().lowers([self.over.path(), self.base.path()])
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = self.base.shell(script);
        command.root(Root::stack(self.stack()));
        command
    }
}

/// The same command in each way that a root can be mounted: from the template or not, with a user namespace or not.
fn ways(command: impl Fn() -> Command) -> Vec<(&'static str, Command)> {
    let mut all = vec![("usual", command())];
    let mut inside = command();
    inside.capabilities(DEFAULT_CAPABILITIES.with(Capability::SYS_ADMIN));
    all.push(("made by the init", inside));
    if is_root() {
        let mut shared = command();
        shared.share(Namespaces::USER);
        all.push(("without a user namespace", shared));
    }
    all
}

#[test]
fn layers_are_one_tree_and_changes_are_gone_afterwards() {
    require!(can_isolate(), "namespaces");
    let layers = Layers::new();
    let (base, over) = (layers.base.names(), names(layers.over.path()));
    let script = "cat /etc/lower /etc/both /etc/over; rm /etc/lower; echo new > /etc/both; rm -r /etc; mkdir /etc; \
                  echo made > /made; ls -A /etc | wc -l; test -c /dev/null && test -e /proc/self && echo ok";
    for (way, mut command) in ways(|| layers.shell(script)) {
        assert_eq!(text(&mut command), "lower\nover\nover\n0\nok", "{way}");
        assert_eq!(
            text(&mut layers.shell("cat /etc/both; ls /made 2>/dev/null | wc -l")),
            "over\n0",
            "{way}"
        );
    }
    assert_eq!((layers.base.names(), names(layers.over.path())), (base, over), "not even mount points");
}

#[test]
fn read_only_refuses_changes_but_has_its_mount_points() {
    require!(can_isolate(), "namespaces");
    let layers = Layers::new();
    let script =
        "cat /etc/over; touch /x 2>/dev/null || echo read-only; touch /tmp/x && test -c /dev/null && echo ok";
    let command = || {
        let mut command = layers.shell(script);
        command.root(Root::stack(layers.stack()).read_only(true));
        command
    };
    for (way, mut command) in ways(command) {
        assert_eq!(text(&mut command), "over\nread-only\nok", "{way}");
    }
}

#[test]
fn one_directory_alone_is_a_stack_too() {
    require!(can_isolate(), "namespaces");
    let base = Box::new();
    for (changes, expected) in [(Changes::Discard { size: None }, "made"), (Changes::Refuse, "refused")] {
        let mut command = base.shell("touch /x 2>/dev/null && echo made || echo refused");
        let Root::Stack(root) = Root::stack(Stack::new().lower(base.path())) else {
            unreachable!("it is a stack")
        };
        assert_eq!(text(command.root(root.with_changes(changes).into())), expected);
    }
    assert!(!base.path().join("x").exists());
}

#[test]
fn changes_are_kept_where_an_upper_directory_says_so() {
    require!(can_isolate(), "namespaces");
    let layers = Layers::new();
    let script = "test -e /etc/kept && echo again; rm -f /etc/lower; echo kept > /etc/kept";
    let kept = tempfile::tempdir().expect("a directory");
    for name in ["upper", "work"] {
        fs::create_dir(kept.path().join(name)).expect("mkdir");
        open_to_all(&kept.path().join(name));
    }
    let stack = layers.stack().upper(kept.path().join("upper"), kept.path().join("work"));
    for (round, expected) in [(0, ""), (1, "again")] {
        let mut command = layers.shell(script);
        assert_eq!(text(command.root(Root::stack(stack.clone()))), expected, "round {round}");
    }
    let upper = kept.path().join("upper/etc");
    assert_eq!(fs::read_to_string(upper.join("kept")).expect("kept"), "kept\n");
    assert!(upper.join("lower").symlink_metadata().is_ok(), "a whiteout");
    let mut command = layers.shell("ls /etc; touch /x 2>/dev/null || echo read-only");
    let output = text(command.root(Root::stack(stack).read_only(true)));
    assert_eq!(output, "both\nkept\nover\nread-only");
}

#[test]
fn the_top_has_the_mode_of_the_uppermost_layer() {
    require!(can_isolate(), "namespaces");
    let layers = Layers::new();
    let stat = |layers: &Layers| text(&mut layers.shell("stat -c %a /"));
    assert_eq!(stat(&layers), "777");
    fs::set_permissions(layers.over.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(stat(&layers), "755");
}

#[test]
fn changes_in_memory_have_a_limit() {
    require!(can_isolate(), "namespaces");
    let layers = Layers::new();
    let Root::Stack(root) = Root::stack(layers.stack()) else { unreachable!("it is a stack") };
    let root: Root = root.with_changes(Changes::Discard { size: Some(1 << 20) }).into();
    let script = "head -c 4194304 /dev/zero > /big 2>/dev/null || echo full";
    for (way, mut command) in ways(|| {
        let mut command = layers.shell(script);
        command.root(root.clone());
        command
    }) {
        assert_eq!(text(&mut command), "full", "{way}");
    }
}

#[test]
fn a_hundred_layers_make_a_root_and_odd_names_do_too() {
    require!(can_isolate(), "namespaces");
    let base = Box::new();
    let many = tempfile::tempdir().expect("a directory");
    open_to_all(many.path());
    let mut paths = Vec::new();
    for index in 0..100 {
        let path = many.path().join(format!("layer:{index},with \\ in it"));
        fs::create_dir(&path).expect("mkdir");
        fs::write(path.join(format!("file{index}")), "").expect("write");
        paths.push(path);
    }
    paths.push(base.path().to_owned());
    let command = || {
        let mut command = base.shell("echo /file* | wc -w");
        command.root(Root::stack(Stack::new().lowers(&paths)));
        command
    };
    for (way, mut command) in ways(command) {
        assert_eq!(text(&mut command), "100", "{way}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_happens() {
    for (way, mut command) in ways(|| Command::new("true")) {
        let missing = command.root(Root::stack(Stack::new().lowers(["/usr", "/nowhere/at/all"]))).spawn();
        let error = missing.expect_err("no such layer");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{way}");
        assert!(error.to_string().contains("/nowhere/at/all"), "{way}: {error}");
    }
    let none = Command::new("true").root(Root::stack(Stack::new())).plan();
    assert_eq!(none.expect_err("no layers").kind(), std::io::ErrorKind::InvalidInput);
    let relative = Command::new("true").root(Root::stack(Stack::new().lower("relative"))).plan();
    assert!(relative.expect_err("relative").to_string().contains("absolute"));
    let root = Root::stack(Stack::new().lowers(["/usr", "/etc"]));
    let shared = Command::new("true").share(Namespaces::MNT).root(root).plan();
    assert!(shared.expect_err("the host's mounts").to_string().contains("mnt namespace"));
}
