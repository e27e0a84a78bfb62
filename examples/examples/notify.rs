//! Calls of a program that this process decides: the directories that a shell makes. Needs no privilege.
//!
//! A thread with a filter starts the shell, which inherits it. The filter leaves `mkdir` to be decided; the handler runs in
//! the first thread, and never lets the kernel make a directory by a name that the shell could change meanwhile.

use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;

use cofferdam::seccomp::{
    Action, Listener, Notification, Profile, Response, Result, install, set_no_new_privs,
};

const SCRIPT: &str = "mkdir /tmp/made-in-words-only && echo made; mkdir /etc/forbidden; true";
const EACCES: u16 = 13;

/// The names of directories that were asked for.
#[derive(Default)]
struct Directories(Vec<String>);

impl Directories {
    fn decide(&mut self, notification: &Notification<'_>) -> Result<Response> {
        let argument = if notification.name() == Some("mkdirat") { 1 } else { 0 };
        let path = notification.read_string(notification.arguments()[argument])?;
        let path = String::from_utf8_lossy(&path).into_owned();
        println!("process {} asks for {path}", notification.pid());
        let answer = if path.starts_with("/tmp/") { Response::Value(0) } else { Response::Errno(EACCES) };
        self.0.push(path);
        Ok(answer)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let filter = Profile::new(Action::Allow).rule(Action::Notify, ["mkdir", "mkdirat"]).compile()?;
    let (sender, receiver) = mpsc::channel::<Result<Option<Listener>>>();
    let child = thread::spawn(move || -> std::io::Result<Output> {
        let installed = set_no_new_privs().and_then(|()| install(&filter));
        if sender.send(installed).is_err() {
            return Err(std::io::Error::other("nobody decides"));
        }
        Command::new("sh").args(["-c", SCRIPT]).output()
    });
    let listener = receiver.recv()??.ok_or("a filter that notifies has a listener")?;

    let mut directories = Directories::default();
    // Until neither the thread nor the shell is there any more.
    listener.serve(&mut |notification: &Notification<'_>| {
        directories.decide(notification).unwrap_or(Response::Errno(EACCES))
    })?;

    let output = child.join().map_err(|_| "the thread panicked")??;
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(directories.0, ["/tmp/made-in-words-only", "/etc/forbidden"]);
    assert!(!std::path::Path::new("/tmp/made-in-words-only").exists());
    Ok(())
}
