//! Where libraries are looked for, as ld.so(8) and musl's loader do, without the environment.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use object::elf;

use super::elf::Elf;

/// The directories that are searched without being named anywhere, by class and machine.
pub(super) fn default_dirs(found: &Elf) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for lib in lib_names(found) {
        dirs.extend([format!("/{lib}"), format!("/usr/{lib}")].map(PathBuf::from));
    }
    dirs
}

/// What `$LIB` can stand for: distributions differ.
fn lib_names(found: &Elf) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(tuple) = multiarch(found) {
        names.push(format!("lib/{tuple}"));
    }
    if found.wide {
        names.push("lib64".into());
    }
    names.push("lib".into());
    names
}

/// Debian's name of an architecture.
fn multiarch(found: &Elf) -> Option<&'static str> {
    Some(match (elf::Machine(found.machine), found.wide) {
        (elf::EM_X86_64, true) => "x86_64-linux-gnu",
        (elf::EM_386, false) => "i386-linux-gnu",
        (elf::EM_AARCH64, true) => "aarch64-linux-gnu",
        (elf::EM_ARM, false) => "arm-linux-gnueabihf",
        (elf::EM_RISCV, true) => "riscv64-linux-gnu",
        (elf::EM_PPC64, true) => "powerpc64le-linux-gnu",
        (elf::EM_S390, true) => "s390x-linux-gnu",
        _ => return None,
    })
}

fn platform(found: &Elf) -> &'static str {
    multiarch(found).and_then(|tuple| tuple.split('-').next()).unwrap_or_default()
}

/// The directories of a search path, with `$ORIGIN`, `$LIB` and `$PLATFORM` replaced. Relative ones are left out: they
/// depend on where a program is started.
pub(super) fn search_path(text: &[u8], origin: &Path, found: &Elf) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for dir in text.split(|&byte| byte == b':') {
        for lib in lib_names(found) {
            let dir = replace(dir, "ORIGIN", origin.as_os_str().as_bytes());
            let dir = replace(&dir, "PLATFORM", platform(found).as_bytes());
            let dir = PathBuf::from(OsString::from_vec(replace(&dir, "LIB", lib.as_bytes())));
            if dir.is_absolute() && !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
    }
    dirs
}

/// Replaces `$NAME` and `${NAME}`.
fn replace(text: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let forms = [format!("${{{name}}}"), format!("${name}")];
    let (mut rest, mut out) = (text, Vec::new());
    while let Some((&first, after)) = rest.split_first() {
        let form = forms.iter().find(|form| rest.starts_with(form.as_bytes()));
        // `$LIBRARY` is no `$LIB`.
        let ends = |form: &String| {
            form.ends_with('}')
                || !rest.get(form.len()).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        match form.filter(|form| ends(form)) {
            Some(form) => {
                out.extend_from_slice(value);
                rest = &rest[form.len()..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// A line of `ld.so.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Dir(PathBuf),
    /// A pattern of files, relative to the file it is in.
    Include(PathBuf),
}

/// What `ld.so.conf` says (ldconfig(8)).
pub(super) fn parse_conf(text: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let mut words = line.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b':' | b','));
        let mut words =
            words.by_ref().filter(|word| !word.is_empty()).map(|word| Path::new(OsStr::from_bytes(word)));
        match words.next() {
            None => {}
            Some(first) if first == Path::new("include") => {
                lines.extend(words.map(|word| Line::Include(word.into())))
            }
            // Settings of kernels from before 2.6 that old files have.
            Some(first) if first == Path::new("hwcap") => {}
            Some(first) => {
                let dirs = std::iter::once(first).chain(words).filter(|dir| dir.is_absolute());
                // `/usr/lib=libc5` told the kind of libraries once.
                let plain = |dir: &Path| {
                    let bytes = dir.as_os_str().as_bytes();
                    PathBuf::from(OsStr::from_bytes(
                        bytes.split(|&byte| byte == b'=').next().unwrap_or(bytes),
                    ))
                };
                lines.extend(dirs.map(|dir| Line::Dir(plain(dir))));
            }
        }
    }
    lines
}

/// Whether a name matches a pattern with `*` and `?`.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // All ends of the pattern's beginnings that match the name's beginning so far.
    let mut ends = BTreeSet::from([0]);
    let closure = |ends: &mut BTreeSet<usize>| {
        for (at, _) in pattern.iter().enumerate().filter(|&(_, &byte)| byte == b'*') {
            if ends.contains(&at) {
                ends.insert(at + 1);
            }
        }
    };
    closure(&mut ends);
    for &byte in name {
        let mut next = BTreeSet::new();
        for &at in &ends {
            match pattern.get(at) {
                Some(b'*') => drop(next.insert(at)),
                Some(b'?') => drop(next.insert(at + 1)),
                Some(&other) if other == byte => drop(next.insert(at + 1)),
                _ => {}
            }
        }
        closure(&mut next);
        ends = next;
    }
    ends.contains(&pattern.len())
}

/// Whether a program's interpreter is musl's, which has the C library in it.
pub(super) fn is_musl(interpreter: &Path) -> bool {
    interpreter.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-musl-"))
}

/// Whether musl's loader takes a name for itself (ldso/dynlink.c, `reserved`).
pub(super) fn is_musl_itself(name: &[u8]) -> bool {
    let Some(stem) = name.strip_prefix(b"lib").and_then(|name| name.split(|&byte| byte == b'.').next())
    else {
        return false;
    };
    matches!(stem, b"c" | b"pthread" | b"rt" | b"m" | b"dl" | b"util" | b"xnet")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amd64() -> Elf {
        Elf { wide: true, machine: 62, ..Elf::default() }
    }

    #[test]
    fn tokens_are_replaced_and_relative_directories_left_out() {
        let dirs = |text: &str| search_path(text.as_bytes(), Path::new("/opt/x/bin"), &amd64());
        assert_eq!(dirs("$ORIGIN/../lib:/a::b"), [Path::new("/opt/x/bin/../lib"), Path::new("/a")]);
        assert_eq!(dirs("${ORIGIN}y"), [Path::new("/opt/x/biny")]);
        let libs = ["/opt/lib/x86_64-linux-gnu", "/opt/lib64", "/opt/lib"].map(Path::new);
        assert_eq!(dirs("/opt/$LIB"), libs);
        assert_eq!(dirs("/$LIBRARY/$PLATFORM"), [Path::new("/$LIBRARY/x86_64")]);
    }

    #[test]
    fn default_directories_are_those_of_the_machine() {
        assert_eq!(default_dirs(&amd64())[0], Path::new("/lib/x86_64-linux-gnu"));
        let other = Elf { wide: false, machine: 8, ..Elf::default() };
        assert_eq!(default_dirs(&other), [Path::new("/lib"), Path::new("/usr/lib")]);
    }

    #[test]
    fn the_configuration_is_read_as_ldconfig_reads_it() {
        let text = b"# comment\ninclude /etc/ld.so.conf.d/*.conf more\n/a /b:/c # not /d\n\nhwcap 1 nosegneg\nrelative\n/e=libc6";
        let dir = |dir: &str| Line::Dir(dir.into());
        let include = |file: &str| Line::Include(file.into());
        let expected = [
            include("/etc/ld.so.conf.d/*.conf"),
            include("more"),
            dir("/a"),
            dir("/b"),
            dir("/c"),
            dir("/e"),
        ];
        assert_eq!(parse_conf(text), expected);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, right) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("*.conf", ".conf", true),
            ("a?c*", "abcd", true),
            ("a?c", "ac", false),
            ("**", "", true),
            ("", "a", false),
            ("*a*b", "xaxbxb", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), right, "{pattern} {name}");
        }
    }

    #[test]
    fn musl_is_its_own_library() {
        assert!(is_musl(Path::new("/lib/ld-musl-x86_64.so.1")));
        assert!(!is_musl(Path::new("/lib64/ld-linux-x86-64.so.2")));
        assert!(is_musl_itself(b"libc.musl-x86_64.so.1") && is_musl_itself(b"libpthread.so.0"));
        assert!(!is_musl_itself(b"libcap.so.2") && !is_musl_itself(b"c.so"));
    }
}
