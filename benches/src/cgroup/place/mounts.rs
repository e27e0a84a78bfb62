//! Where hierarchies are mounted, and where this process is in them.

use std::path::{Path, PathBuf};

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// `cgroup2` and not `cgroup`.
    pub(super) unified: bool,
    /// The options of the file system: on v1 they name the controllers.
    options: Vec<String>,
    /// Which cgroup is at the mount point.
    shown: PathBuf,
    pub(super) point: PathBuf,
}

impl Mount {
    /// Whether a v1 hierarchy was mounted with this controller.
    pub(super) fn serves(&self, controller: &str) -> bool {
        !self.unified && self.options.iter().any(|option| option == controller)
    }

    /// The directory of the cgroup that the text of `/proc/PID/cgroup` names; the mount point if it is not shown.
    pub(super) fn directory(&self, membership: &str) -> PathBuf {
        let own = membership.lines().find_map(|line| {
            let (names, path) = line.split_once(':')?.1.split_once(':')?;
            let ours = if self.unified {
                names.is_empty()
            } else {
                names
                    .split(',')
                    .any(|name| !name.is_empty() && self.options.iter().any(|option| option == name))
            };
            ours.then_some(path)
        });
        let below = own.and_then(|own| Path::new(own).strip_prefix(&self.shown).ok());
        below
            .filter(|below| !below.as_os_str().is_empty())
            .map_or(self.point.clone(), |below| self.point.join(below))
    }
}

/// The hierarchies in the text of `/proc/self/mountinfo`; of those mounted twice the first.
pub(super) fn parse(mountinfo: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in mountinfo.lines().filter_map(line) {
        let seen = |other: &Mount| other.unified == mount.unified && other.options == mount.options;
        if !mounts.iter().any(seen) {
            mounts.push(mount);
        }
    }
    mounts
}

/// Paths with blanks are no places of cgroups; they are left as they are spelt.
fn line(line: &str) -> Option<Mount> {
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let unified = match system.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let mut fields = mount.split(' ').skip(3);
    let (shown, point) = (fields.next()?.into(), fields.next()?.into());
    let options = system.nth(1)?.split(',').map(str::to_owned).collect();
    Some(Mount { unified, options, shown, point })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /job /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:38 / /mnt rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn hierarchies_and_their_controllers_are_found_once() {
        let mounts = parse(HYBRID);
        assert_eq!(mounts.len(), 3);
        assert!(mounts[0].serves("cpuacct") && !mounts[1].serves("cpuacct") && !mounts[2].serves("rw"));
    }

    #[test]
    fn the_own_directory_is_below_what_is_shown() {
        let membership = "4:memory:/job/a\n1:cpu,cpuacct:/\n0::/user.slice\n";
        let own: Vec<PathBuf> = parse(HYBRID).iter().map(|mount| mount.directory(membership)).collect();
        assert_eq!(own[0], Path::new("/sys/fs/cgroup/cpu"));
        assert_eq!(own[1], Path::new("/sys/fs/cgroup/memory/a"));
        assert_eq!(own[2], Path::new("/sys/fs/cgroup/unified/user.slice"));
    }
}
