//! Hosts made up for a test, with ELF files that have only what a loader looks at.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{HostImage, HostPlan, HostSource};

/// What an ELF file says.
#[derive(Clone, Copy, Default)]
pub struct Elf<'a> {
    /// amd64 unless this is another machine.
    pub machine: Option<u16>,
    pub interpreter: Option<&'a str>,
    pub needed: &'a [&'a str],
    pub rpath: Option<&'a str>,
    pub runpath: Option<&'a str>,
}

impl Elf<'_> {
    /// As a file: header, program headers, the dynamic section, names.
    pub fn bytes(self) -> Vec<u8> {
        const NEEDED: u64 = 1;
        const STRTAB: u64 = 5;
        const STRSZ: u64 = 10;
        const RPATH: u64 = 15;
        const RUNPATH: u64 = 29;
        let (base, mut names, mut dynamic) = (0x1_0000_u64, vec![0_u8], Vec::new());
        let mut name = |text: &str| {
            let at = names.len() as u64;
            names.extend_from_slice(text.as_bytes());
            names.push(0);
            at
        };
        dynamic.extend(self.needed.iter().map(|text| (NEEDED, name(text))));
        dynamic.extend(self.rpath.map(|text| (RPATH, name(text))));
        dynamic.extend(self.runpath.map(|text| (RUNPATH, name(text))));
        let interpreter = self.interpreter.map(|text| (name(text), text.len() as u64 + 1));
        let has_dynamic = !dynamic.is_empty();
        let count = 1 + u64::from(has_dynamic) + u64::from(interpreter.is_some());
        let (table, entries) = (64 + count * 56, (dynamic.len() as u64 + 3) * u64::from(has_dynamic));
        let text = table + entries * 16;
        let size = text + names.len() as u64;
        dynamic.extend([(STRTAB, base + text), (STRSZ, names.len() as u64), (0, 0)]);

        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        for half in [3, self.machine.unwrap_or(62), 1, 0] {
            bytes.extend_from_slice(&half.to_le_bytes());
        }
        for word in [0, 64_u64, 0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let count = u16::try_from(count).expect("few");
        for half in [0, 0, 64, 56, count, 64, 0, 0] {
            bytes.extend_from_slice(&half.to_le_bytes());
        }
        let mut header = |kind: u32, offset: u64, size: u64| {
            bytes.extend_from_slice(&[kind.to_le_bytes(), 4_u32.to_le_bytes()].concat());
            for word in [offset, base + offset, base + offset, size, size, 1] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        };
        header(1, 0, size);
        if has_dynamic {
            header(2, table, entries * 16);
        }
        if let Some((at, length)) = interpreter {
            header(3, text + at, length);
        }
        if has_dynamic {
            bytes.extend(
                dynamic.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()),
            );
        }
        bytes.extend_from_slice(&names);
        bytes
    }
}

/// A directory with files of a host.
pub struct Made(tempfile::TempDir);

impl Made {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    /// A file that can be run, with the directories it is in.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let at = self.at(path);
        std::fs::create_dir_all(at.parent().expect("a directory")).expect("directories");
        std::fs::write(&at, content).expect("write");
        std::fs::set_permissions(&at, PermissionsExt::from_mode(0o4755)).expect("chmod");
        self
    }

    pub fn elf(self, path: &str, elf: Elf<'_>) -> Self {
        self.file(path, elf.bytes())
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        let at = self.at(path);
        std::fs::create_dir_all(at.parent().expect("a directory")).expect("directories");
        symlink(target, at).expect("symlink");
        self
    }

    pub fn image(&self) -> HostImage {
        HostImage::of(self.0.path()).base(false)
    }
}

/// The plan in one line for each entry that is no directory.
pub fn short(plan: &HostPlan) -> Vec<String> {
    let entry = |entry: &cofferdam_image_spec::HostEntry| {
        let path = entry.path.display();
        match &entry.source {
            HostSource::Link(target) => Some(format!("{path} -> {}", target.display())),
            HostSource::Directory => None,
            _ => Some(path.to_string()),
        }
    };
    plan.entries().iter().filter_map(entry).collect()
}

/// Extracts a layer that is not compressed.
pub fn extract(archive: &Path, to: &Path) -> bool {
    let mut command = std::process::Command::new("tar");
    let status = command.arg("-xpf").arg(archive).arg("-C").arg(to).arg("--no-same-owner").status();
    status.is_ok_and(|status| status.success())
}
