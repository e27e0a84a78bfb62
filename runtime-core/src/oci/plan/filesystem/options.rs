//! The options of mounts: the table, and what a list of them means.

use crate::{MountFlags, MountOption, Propagation};

/// What the names mean.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    /// Attributes of the mount: those that are set and those that are cleared, here alone or on all mounts of a tree.
    Attributes { set: u64, clear: u64, recursive: bool },
    /// A copy of what is mounted elsewhere.
    Bind { recursive: bool },
    /// How mount events spread.
    Propagation { propagation: Propagation, recursive: bool },
    /// Changes what is mounted there already.
    Remount,
    /// Ids appear as others.
    Mapped { recursive: bool },
    /// A tmpfs begins with what it covers.
    CopyUp,
    /// A flag of the file system, not of the mount.
    FileSystem(&'static str),
    /// How it is without the option.
    Usual,
}

const RDONLY: u64 = MountFlags::RDONLY.bits();
const NOSUID: u64 = MountFlags::NOSUID.bits();
const NODEV: u64 = MountFlags::NODEV.bits();
const NOEXEC: u64 = MountFlags::NOEXEC.bits();
const NOATIME: u64 = MountFlags::NOATIME.bits();
const STRICTATIME: u64 = MountFlags::STRICTATIME.bits();
const NODIRATIME: u64 = MountFlags::NODIRATIME.bits();
const NOSYMFOLLOW: u64 = MountFlags::NOSYMFOLLOW.bits();
/// The access time is one value of several bits, and `relatime` is none of them.
const ATIME: u64 = 0x70;

const fn set(set: u64) -> Meaning {
    let clear = if set & ATIME == 0 { 0 } else { ATIME };
    Meaning::Attributes { set, clear, recursive: false }
}

const fn clear(clear: u64) -> Meaning {
    let clear = if clear & ATIME == 0 { clear } else { ATIME };
    Meaning::Attributes { set: 0, clear, recursive: false }
}

const fn set_all(set: u64) -> Meaning {
    let clear = if set & ATIME == 0 { 0 } else { ATIME };
    Meaning::Attributes { set, clear, recursive: true }
}

const fn clear_all(clear: u64) -> Meaning {
    let clear = if clear & ATIME == 0 { clear } else { ATIME };
    Meaning::Attributes { set: 0, clear, recursive: true }
}

const fn spread(propagation: Propagation, recursive: bool) -> Meaning {
    Meaning::Propagation { propagation, recursive }
}

/// All options that are known by name. Every other one is a parameter of the file system.
const TABLE: [(&str, Meaning); 64] = [
    ("acl", Meaning::FileSystem("acl")),
    ("async", Meaning::Usual),
    ("atime", clear(ATIME)),
    ("bind", Meaning::Bind { recursive: false }),
    ("defaults", Meaning::Usual),
    ("dev", clear(NODEV)),
    ("diratime", clear(NODIRATIME)),
    ("dirsync", Meaning::FileSystem("dirsync")),
    ("exec", clear(NOEXEC)),
    ("idmap", Meaning::Mapped { recursive: false }),
    ("iversion", Meaning::FileSystem("iversion")),
    ("lazytime", Meaning::FileSystem("lazytime")),
    ("loud", Meaning::Usual),
    ("mand", Meaning::FileSystem("mand")),
    ("noacl", Meaning::FileSystem("noacl")),
    ("noatime", set(NOATIME)),
    ("nodev", set(NODEV)),
    ("nodiratime", set(NODIRATIME)),
    ("noexec", set(NOEXEC)),
    ("noiversion", Meaning::Usual),
    ("nolazytime", Meaning::Usual),
    ("nomand", Meaning::Usual),
    ("norelatime", Meaning::Usual),
    ("nostrictatime", clear(ATIME)),
    ("nosuid", set(NOSUID)),
    ("nosymfollow", set(NOSYMFOLLOW)),
    ("private", spread(Propagation::Private, false)),
    ("ratime", clear_all(ATIME)),
    ("rbind", Meaning::Bind { recursive: true }),
    ("rdev", clear_all(NODEV)),
    ("rdiratime", clear_all(NODIRATIME)),
    ("relatime", clear(ATIME)),
    ("remount", Meaning::Remount),
    ("rexec", clear_all(NOEXEC)),
    ("ridmap", Meaning::Mapped { recursive: true }),
    ("rnoatime", set_all(NOATIME)),
    ("rnodev", set_all(NODEV)),
    ("rnodiratime", set_all(NODIRATIME)),
    ("rnoexec", set_all(NOEXEC)),
    ("rnorelatime", clear_all(ATIME)),
    ("rnostrictatime", clear_all(ATIME)),
    ("rnosuid", set_all(NOSUID)),
    ("rnosymfollow", set_all(NOSYMFOLLOW)),
    ("ro", set(RDONLY)),
    ("rprivate", spread(Propagation::Private, true)),
    ("rrelatime", clear_all(ATIME)),
    ("rro", set_all(RDONLY)),
    ("rrw", clear_all(RDONLY)),
    ("rshared", spread(Propagation::Shared, true)),
    ("rslave", spread(Propagation::Slave, true)),
    ("rstrictatime", set_all(STRICTATIME)),
    ("rsuid", clear_all(NOSUID)),
    ("rsymfollow", clear_all(NOSYMFOLLOW)),
    ("runbindable", spread(Propagation::Unbindable, true)),
    ("rw", clear(RDONLY)),
    ("shared", spread(Propagation::Shared, false)),
    ("silent", Meaning::Usual),
    ("slave", spread(Propagation::Slave, false)),
    ("strictatime", set(STRICTATIME)),
    ("suid", clear(NOSUID)),
    ("symfollow", clear(NOSYMFOLLOW)),
    ("sync", Meaning::FileSystem("sync")),
    ("tmpcopyup", Meaning::CopyUp),
    ("unbindable", spread(Propagation::Unbindable, false)),
];

/// The names of the options that are known, sorted, for `features`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// Attributes that are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) set: MountFlags,
    pub(super) clear: MountFlags,
}

impl Change {
    /// What comes later in the list counts.
    fn then(&mut self, set: u64, clear: u64) {
        let was = (self.set.bits(), self.clear.bits());
        self.set = MountFlags::from_bits(was.0 & !clear | set);
        self.clear = MountFlags::from_bits(was.1 & !set | clear);
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A list of options, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Of the mount itself.
    pub(super) top: Change,
    /// Of all mounts of the tree.
    pub(super) all: Change,
    /// It was asked for to be writable.
    pub(super) writable: bool,
    /// A copy of a mount, perhaps with what is mounted below it.
    pub(super) bind: Option<bool>,
    /// In order, and whether for all mounts of the tree.
    pub(super) propagation: Vec<(Propagation, bool)>,
    pub(super) remount: bool,
    /// Ids appear as others, perhaps on all mounts of the tree.
    pub(super) mapped: Option<bool>,
    pub(super) copy_up: bool,
    /// Flags of the file system.
    pub(super) flags: Vec<&'static str>,
    /// Parameters of the file system, and where they stand in the list.
    pub(super) data: Vec<(usize, MountOption)>,
}

impl Options {
    /// Understands a list.
    ///
    /// # Errors
    /// The place in the list, and what is wrong.
    pub(super) fn parse(list: &[String]) -> Result<Self, (usize, &'static str)> {
        let mut options = Self::default();
        for (index, option) in list.iter().enumerate() {
            if option.is_empty() {
                return Err((index, "is empty"));
            }
            if option.contains('\0') {
                return Err((index, "contains a NUL byte"));
            }
            match TABLE.binary_search_by_key(&option.as_str(), |(name, _)| name) {
                Ok(at) => options.add(TABLE[at].1, option),
                Err(_) => options.data.push((index, parameter(option))),
            }
        }
        Ok(options)
    }

    fn add(&mut self, meaning: Meaning, name: &str) {
        match meaning {
            Meaning::Attributes { set, clear, recursive } => {
                let change = if recursive { &mut self.all } else { &mut self.top };
                change.then(set, clear);
                if (set | clear) & RDONLY != 0 {
                    self.writable = name.ends_with("rw");
                }
            }
            Meaning::Bind { recursive } => self.bind = Some(recursive || self.bind == Some(true)),
            Meaning::Propagation { propagation, recursive } => {
                self.propagation.push((propagation, recursive))
            }
            Meaning::Remount => self.remount = true,
            Meaning::Mapped { recursive } => self.mapped = Some(recursive || self.mapped == Some(true)),
            Meaning::CopyUp => self.copy_up = true,
            Meaning::FileSystem(flag) => self.flags.push(flag),
            Meaning::Usual => {}
        }
    }

    /// What is set on a file system that is mounted new, where there is nothing to clear, and no tree.
    pub(super) fn fresh(&self) -> MountFlags {
        let all = Change { set: self.all.set, clear: self.all.clear };
        let mut sum = all;
        sum.then(self.top.set.bits(), self.top.clear.bits());
        sum.set
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.top.set.contains(MountFlags::RDONLY) || self.all.set.contains(MountFlags::RDONLY)
    }

    /// Whether mount events go to the host as well.
    pub(super) fn is_shared(&self) -> bool {
        self.propagation.iter().any(|(propagation, _)| *propagation == Propagation::Shared)
    }

    /// The value of a parameter of the file system.
    pub(super) fn value(&self, wanted: &str) -> Option<(usize, &str)> {
        self.data.iter().find_map(|(index, option)| match option {
            MountOption::Value(key, value) if key == wanted => value.to_str().map(|value| (*index, value)),
            _ => None,
        })
    }
}

/// A parameter of the file system.
fn parameter(option: &str) -> MountOption {
    match option.split_once('=') {
        Some((key, value)) => MountOption::Value(key.into(), value.into()),
        None => MountOption::Flag(option.into()),
    }
}

/// The word for a propagation, as in `rootfsPropagation`.
pub(super) fn propagation(word: &str) -> Option<(Propagation, bool)> {
    match TABLE.binary_search_by_key(&word, |(name, _)| name).map(|at| TABLE[at].1) {
        Ok(Meaning::Propagation { propagation, recursive }) => Some((propagation, recursive)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &[&str]) -> Result<Options, (usize, &'static str)> {
        let list: Vec<String> = list.iter().map(|option| (*option).to_owned()).collect();
        Options::parse(&list)
    }

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        let names: Vec<&str> = names().collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_option_of_the_specification_is_known() {
        let specified = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev \
            nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime \
            rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid \
            rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared \
            silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap rnodev";
        let unknown: Vec<&str> =
            specified.split_whitespace().filter(|name| !names().any(|known| known == *name)).collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }

    #[test]
    fn the_last_of_several_options_counts() {
        let options = parse(&["ro", "rw", "noatime", "relatime", "suid", "nosuid"]).unwrap();
        assert_eq!(options.top.set, MountFlags::NOSUID);
        assert_eq!(options.top.clear.bits(), RDONLY | ATIME);
        assert!(options.writable);
        let options = parse(&["rrw", "rro"]).unwrap();
        assert_eq!(options.all, Change { set: MountFlags::RDONLY, clear: MountFlags::empty() });
        assert!(options.is_read_only() && !options.writable);
    }

    #[test]
    fn the_access_time_is_one_value() {
        let options = parse(&["relatime", "strictatime"]).unwrap();
        assert_eq!((options.top.set.bits(), options.top.clear.bits()), (STRICTATIME, ATIME));
        assert_eq!(parse(&["rnoatime"]).unwrap().all.clear.bits(), ATIME);
    }

    #[test]
    fn what_has_no_meaning_of_its_own_is_for_the_file_system() {
        let options = parse(&["size=65536k", "newinstance", "mode=a=b", "nosuid"]).unwrap();
        let expected = [
            (0, MountOption::Value("size".into(), "65536k".into())),
            (1, MountOption::Flag("newinstance".into())),
            (2, MountOption::Value("mode".into(), "a=b".into())),
        ];
        assert_eq!(options.data, expected);
        assert_eq!(options.value("size"), Some((0, "65536k")));
    }

    #[test]
    fn a_bind_is_recursive_if_one_of_them_is() {
        assert_eq!(parse(&["rbind", "bind"]).unwrap().bind, Some(true));
        assert_eq!(parse(&["bind"]).unwrap().bind, Some(false));
        assert_eq!(parse(&["ro"]).unwrap().bind, None);
    }

    #[test]
    fn empty_options_are_refused() {
        assert_eq!(parse(&["ro", ""]), Err((1, "is empty")));
        assert_eq!(parse(&["a\0b"]), Err((0, "contains a NUL byte")));
    }

    #[test]
    fn words_of_propagation_are_those_of_mounts() {
        assert_eq!(propagation("rslave"), Some((Propagation::Slave, true)));
        assert_eq!(propagation("shared"), Some((Propagation::Shared, false)));
        assert_eq!(propagation("ro"), None);
        assert_eq!(propagation(""), None);
    }
}
