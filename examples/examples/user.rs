//! The program as an ordinary user inside, with an environment, a directory and a umask. Needs no privilege: an
//! ordinary caller is that user; root becomes it.

use cofferdam::{Command, IdMap};
use rustix::process::{getegid, geteuid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = "echo user $(id -u), group $(id -g), in $(pwd), umask $(umask); env | sort; grep CapEff /proc/self/status";
    let mut command = Command::new("sh");
    command.args(["-c", script]).user(1000).group(1000).current_dir("/tmp").umask(0o077);
    command.env("LANG", "C").env("HOME", "/tmp").env_remove("TERM").env("PATH", "/usr/bin:/bin");
    if !geteuid().is_root() {
        let map = |id: u32| IdMap::parse(format!("1000 {id} 1").as_bytes());
        command.uid_map(map(geteuid().as_raw())?).gid_map(map(getegid().as_raw())?);
    }
    command.status()?;

    // Everything of the caller's environment, but for one variable.
    let output = Command::new("sh").args(["-c", "env | wc -l"]).inherit_env().env_remove("HOME").output()?;
    print!("inherited variables: {}", String::from_utf8(output.stdout)?);
    Ok(())
}
