//! Plans and steps in words: for explanations and for errors.

use std::fmt::Write as _;

use super::{
    Attributes, Credentials, FileKind, Hold, Location, Mount, MountFlags, MountOption, Plan, Propagation,
    Slot, Source, Stdio, Step, Target, Test,
};

/// The plan as text, a line for each action.
pub(super) fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        text.push_str(&content);
        text.push('\n');
    };
    if let Some(from) = plan.mounts_from {
        line(format!("copy the mount namespace from {}", plan.slots.name(from)));
    }
    if plan.namespaces.is_empty() {
        line("start a process".into());
    } else {
        line(format!("start a process in new namespaces: {}", plan.namespaces));
    }
    if let Some(cgroup) = plan.cgroup {
        line(format!("in the cgroup {}", plan.slots.name(cgroup)));
    }
    if plan.rendezvous {
        line("wait for the caller".into());
    }
    for step in &plan.steps {
        line(plan.describe(step));
    }
    for (name, stdio) in [("stdin", plan.stdin), ("stdout", plan.stdout), ("stderr", plan.stderr)] {
        line(format!("{name}: {}", stdio_text(plan, stdio)));
    }
    for (slot, number) in &plan.pass {
        line(format!("descriptor {number}: {}", plan.slots.name(*slot)));
    }
    if plan.find_program {
        line(format!("look for {}", plan.program.to_string_lossy()));
    }
    match plan.hold {
        Some(Hold::Caller) => line("wait to be started by the caller".into()),
        Some(Hold::Listener(slot)) => line(format!("wait to be started at {}", plan.slots.name(slot))),
        None => {}
    }
    if plan.stay_as_init {
        line("stay as process 1, reap orphans, forward signals".into());
    }
    for step in &plan.last {
        line(plan.describe(step));
    }
    line(format!("execute {}", plan.args_text()));
    text
}

fn stdio_text(plan: &Plan, stdio: Stdio) -> String {
    match stdio {
        Stdio::Inherit => "the caller's".into(),
        Stdio::Null => "/dev/null".into(),
        Stdio::Pipe => "a pipe".into(),
        Stdio::Descriptor(slot) => plan.slots.name(slot).into(),
    }
}

impl Plan {
    fn args_text(&self) -> String {
        let mut text = self.program.to_string_lossy().into_owned();
        for argument in self.args.iter().skip(1) {
            let argument = argument.to_string_lossy();
            let plain = !argument.is_empty()
                && !argument.contains(|c: char| c.is_whitespace() || "'\"\\$".contains(c));
            if plain { write!(text, " {argument}") } else { write!(text, " {argument:?}") }
                .unwrap_or_default();
        }
        text
    }

    /// The step with an index in words; those of `last` are counted after the others.
    pub(crate) fn text(&self, index: usize) -> String {
        self.step(index).map_or_else(String::new, |step| self.describe(step))
    }

    /// A step in words, with the names of its descriptors: `mount proc on /proc`.
    pub fn describe(&self, step: &Step) -> String {
        match step {
            Step::Mount(mount) => self.mount_text(mount),
            Step::MountAttributes { mount, attributes } => {
                format!("set{} on {}", attributes_text(attributes), self.place(mount))
            }
            Step::Unmount(path) => format!("unmount {}", path.display()),
            Step::Unshare(kinds) => format!("enter new namespaces: {kinds}"),
            Step::Join { from, kinds } => format!("join namespaces of {}: {kinds}", self.name(*from)),
            Step::Fork => "fork into the joined pid namespace".into(),
            Step::TimeOffsets { monotonic, boottime, .. } => {
                format!("enter a new time namespace: monotonic {monotonic}, boottime {boottime}")
            }
            Step::EnterCgroup { tasks } => format!("enter the cgroup {}", self.name(*tasks)),
            Step::Sync { point, .. } => format!("meet the caller at point {point}"),
            Step::Close(slot) => format!("close {}", self.name(*slot)),
            Step::Call(call) => format!("call {}", call.name),
            Step::Open { .. }
            | Step::MakeTarget { .. }
            | Step::Directory { .. }
            | Step::Symlink { .. }
            | Step::Node { .. }
            | Step::If { .. }
            | Step::Verify { .. }
            | Step::Write { .. }
            | Step::ProcWrite { .. }
            | Step::PivotRoot { .. }
            | Step::ChangeRoot { .. } => self.file_text(step),
            _ => process_text(step),
        }
    }

    fn file_text(&self, step: &Step) -> String {
        match step {
            Step::Open { location, .. } => format!("open {}", self.place(location)),
            Step::MakeTarget { root, path, .. } => {
                format!("make mount target {} in {}", path.display(), self.name(*root))
            }
            Step::Directory { location, mode } => {
                format!("make directory {} mode {mode:o}", self.place(location))
            }
            Step::Symlink { location, target } => {
                format!("make symbolic link {} to {}", self.place(location), target.display())
            }
            Step::Node { location, kind, device, .. } => {
                let number = match kind {
                    FileKind::CharacterDevice | FileKind::BlockDevice => {
                        format!(" {}:{}", device.major, device.minor)
                    }
                    _ => String::new(),
                };
                format!("make {} {}{number}", kind_text(*kind), self.place(location))
            }
            Step::If { test, then, otherwise } => self.if_text(test, then, otherwise),
            Step::Verify { file, .. } => format!("verify {}", self.name(*file)),
            Step::Write { location, content } => {
                format!("write {:?} to {}", String::from_utf8_lossy(content), self.place(location))
            }
            Step::ProcWrite { path, content, .. } => {
                format!("write {:?} to {} in procfs", String::from_utf8_lossy(content), path.display())
            }
            Step::PivotRoot { root } => format!("pivot into root {}", self.name(*root)),
            Step::ChangeRoot { root } => format!("change root to {}", self.name(*root)),
            _ => String::new(),
        }
    }

    fn if_text(&self, test: &Test, then: &[Step], otherwise: &[Step]) -> String {
        let all = |steps: &[Step]| {
            let steps = steps.iter().map(|step| self.describe(step));
            steps.collect::<Vec<_>>().join(", ")
        };
        let mut text = match test {
            Test::Exists { location, .. } => format!("if {} exists: {}", self.place(location), all(then)),
            Test::IsDirectory(slot) => format!("if {} is a directory: {}", self.name(*slot), all(then)),
        };
        if !otherwise.is_empty() {
            text.push_str(&format!(", otherwise: {}", all(otherwise)));
        }
        text
    }

    fn mount_text(&self, mount: &Mount) -> String {
        let mut text = match &mount.source {
            Source::New { filesystem, options } => {
                let mut text = format!("mount {}", filesystem.to_string_lossy());
                options.iter().for_each(|option| text.push_str(&self.option_text(option)));
                text
            }
            Source::Tree { from, recursive } => {
                format!("{} {}", if *recursive { "rbind" } else { "bind" }, self.place(from))
            }
            Source::Detached(slot) => format!("attach {}", self.name(*slot)),
        };
        text.push_str(&attributes_text(&mount.attributes));
        match &mount.target {
            Some(Target { root: Some(root), path, .. }) if path.as_os_str().is_empty() => {
                text.push_str(&format!(" on {}", self.name(*root)));
            }
            Some(Target { path, .. }) => text.push_str(&format!(" on {}", path.display())),
            None => {}
        }
        text
    }

    fn option_text(&self, option: &MountOption) -> String {
        match option {
            MountOption::Flag(key) => format!(" {}", key.to_string_lossy()),
            MountOption::Value(key, value) => {
                format!(" {}={}", key.to_string_lossy(), value.to_string_lossy())
            }
            MountOption::Descriptor(key, slot) => format!(" {}={}", key.to_string_lossy(), self.name(*slot)),
        }
    }

    fn place(&self, location: &Location) -> String {
        match location.dir {
            None => location.path.display().to_string(),
            Some(dir) if location.path.as_os_str().is_empty() => self.name(dir).to_owned(),
            Some(dir) => format!("{} in {}", location.path.display(), self.name(dir)),
        }
    }

    fn name(&self, slot: Slot) -> &str {
        self.slots.name(slot)
    }
}

/// Steps that concern the process itself.
fn process_text(step: &Step) -> String {
    match step {
        Step::Hostname(name) => format!("set hostname {}", name.to_string_lossy()),
        Step::Domainname(name) => format!("set domainname {}", name.to_string_lossy()),
        Step::Sysctl { name, value } => format!("set sysctl {name}={value}"),
        Step::LoopbackUp => "bring the loopback interface up".into(),
        Step::ResourceLimit { resource, soft, hard } => {
            format!("limit {resource} to {} (hard {})", limit_text(*soft), limit_text(*hard))
        }
        Step::OomScoreAdjust { value, .. } => format!("set oom_score_adj {value}"),
        Step::Credentials(credentials) => credentials_text(credentials),
        Step::Securebits(bits) => format!("set securebits {bits:#x}"),
        Step::NoNewPrivileges => "set no_new_privs".into(),
        Step::Umask(mask) => format!("set umask {mask:03o}"),
        Step::WorkingDirectory(path) => format!("change directory to {}", path.display()),
        Step::TryWorkingDirectory(path) => format!("try to change directory to {}", path.display()),
        Step::NewSession => "start a new session".into(),
        Step::ParentDeathSignal(signal) => format!("set parent death signal {signal}"),
        _ => String::new(),
    }
}

fn credentials_text(credentials: &Credentials) -> String {
    let mut parts = Vec::new();
    parts.extend(credentials.uid.map(|uid| format!("uid {uid}")));
    parts.extend(credentials.gid.map(|gid| format!("gid {gid}")));
    parts.extend(credentials.groups.as_ref().map(|groups| format!("groups {groups:?}")));
    if let Some(caps) = &credentials.capabilities {
        parts.push(format!("capabilities {} of {}", caps.effective, caps.bounding));
        if caps.ambient.bits() != 0 {
            parts.push(format!("ambient {}", caps.ambient));
        }
    }
    format!("set {}", parts.join(", "))
}

fn limit_text(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".into() } else { limit.to_string() }
}

fn kind_text(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::CharacterDevice => "character device",
        FileKind::BlockDevice => "block device",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

fn attributes_text(attributes: &Attributes) -> String {
    const NAMES: [(MountFlags, &str); 8] = [
        (MountFlags::RDONLY, "ro"),
        (MountFlags::NOSUID, "nosuid"),
        (MountFlags::NODEV, "nodev"),
        (MountFlags::NOEXEC, "noexec"),
        (MountFlags::NOATIME, "noatime"),
        (MountFlags::STRICTATIME, "strictatime"),
        (MountFlags::NODIRATIME, "nodiratime"),
        (MountFlags::NOSYMFOLLOW, "nosymfollow"),
    ];
    let mut text = String::new();
    for (flag, name) in NAMES {
        if attributes.set.contains(flag) {
            text.push_str(&format!(" {name}"));
        }
        if attributes.clear.contains(flag) {
            text.push_str(&format!(" not-{name}"));
        }
    }
    text.push_str(match attributes.propagation {
        None => "",
        Some(Propagation::Private) => " private",
        Some(Propagation::Slave) => " slave",
        Some(Propagation::Shared) => " shared",
        Some(Propagation::Unbindable) => " unbindable",
    });
    if attributes.idmap.is_some() {
        text.push_str(" id-mapped");
    }
    if attributes.recursive && !text.is_empty() {
        text.push_str(" recursive");
    }
    text
}
