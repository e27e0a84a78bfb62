//! The life of a container: created, started, looked at, signalled, deleted.
#![cfg(feature = "oci")]

mod common;

use cofferdam::oci::{Runtime, Status};
use common::bundle::{Bundle, busybox, wait};
use serde_json::json;

#[test]
fn a_container_is_created_started_and_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("exit 7");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(container.status().unwrap(), Status::Created);
    let state = container.state().unwrap();
    assert_eq!((state.id.as_str(), state.status, state.pid), ("box", Status::Created, container.pid()));
    assert_eq!(bundle.entries(), ["box"]);

    let mut found = bundle.runtime.load("box").unwrap();
    assert_eq!(found.status().unwrap(), Status::Created);
    assert_eq!(found.pid(), container.pid());
    found.start().unwrap();
    assert_eq!(wait(&mut container), 7);
    assert_eq!(found.status().unwrap(), Status::Stopped);
    assert_eq!(found.state().unwrap().pid, None);
    let again = found.start().unwrap_err().to_string();
    assert_eq!(again, "cannot start container box, which is stopped");
    let error = found.kill(15, false).unwrap_err().to_string();
    assert_eq!(error, "container not running: box is stopped");
    assert!(found.delete(false).unwrap().is_empty());
    assert_eq!(bundle.entries(), [""; 0]);
    assert_eq!(bundle.cgroups(), [""; 0].map(std::path::PathBuf::from));
    let error = bundle.runtime.load("box").unwrap_err().to_string();
    assert_eq!(error, "container does not exist: box");
}

#[test]
fn a_container_without_a_state_directory_is_its_creators() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("echo $GREETING; exit 3");
    bundle.config["process"]["env"] = json!(["GREETING=hello", "PATH=/bin"]);
    bundle.runtime = Runtime::without_state();
    assert_eq!(bundle.run("box"), ("hello\n".to_owned(), 3));
    assert_eq!(bundle.cgroups().len(), 0);
}

#[test]
fn a_container_that_is_dropped_before_its_start_leaves_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("sleep 60");
    bundle.runtime = Runtime::without_state();
    let container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(container.status().unwrap(), Status::Created);
    let pid = container.pid().unwrap();
    drop(container);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(bundle.cgroups().len(), 0);
}

#[test]
fn its_process_is_known_by_file_and_socket_before_it_counts_as_created() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let spec = bundle.spec();
    // Longer than an address of a socket.
    let directory = bundle.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&directory).unwrap();
    let opened = std::fs::File::open(&directory).unwrap();
    let short = format!("/proc/self/fd/{}/s", std::os::fd::AsRawFd::as_raw_fd(&opened));
    let listener = std::os::unix::net::UnixListener::bind(short).unwrap();
    let mut options = bundle.options("box", &spec);
    options.pid_file = Some(directory.join("pid"));
    options.pidfd_socket = Some(directory.join("s"));
    let container = bundle.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
    let pid = container.pid().unwrap();
    assert_eq!(std::fs::read_to_string(directory.join("pid")).unwrap(), pid.to_string());
    let (connection, _) = listener.accept().unwrap();
    let (name, pidfd) = received(&connection);
    assert_eq!(name, b"pid-fd");
    let info = common::own(&format!("fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&pidfd)));
    assert!(info.lines().any(|line| line == format!("Pid:\t{pid}")), "{info}");
    container.delete(true).unwrap();
}

/// A message with a descriptor.
fn received(connection: &std::os::unix::net::UnixStream) -> (Vec<u8>, std::os::fd::OwnedFd) {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut bytes = vec![0; 4096];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let slices = &mut [std::io::IoSliceMut::new(&mut bytes)];
    let count =
        recvmsg(connection, slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC).expect("a message").bytes;
    let fds: Vec<_> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(fds.len(), 1);
    bytes.truncate(count);
    (bytes, fds.into_iter().next().expect("a descriptor"))
}

#[test]
fn the_terminal_goes_to_the_console_socket_or_the_creation_is_undone() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("test -t 0 && echo terminal");
    bundle.config["process"]["terminal"] = json!(true);
    let spec = bundle.spec();
    let socket = bundle.path().join("console");
    let mut options = bundle.options("box", &spec);
    options.console_socket = Some(socket.clone());
    let error = bundle.runtime.create(options).unwrap_err().to_string();
    assert_eq!(error, format!("console socket {}: ENOENT (No such file or directory)", socket.display()));
    assert_eq!(bundle.entries(), [""; 0]);
    assert_eq!(bundle.cgroups().len(), 0);

    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut options = bundle.options("box", &spec);
    options.console_socket = Some(socket);
    let mut container = bundle.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
    assert!(container.take_console().is_none());
    let (connection, _) = listener.accept().unwrap();
    let (name, master) = received(&connection);
    assert_eq!(name, b"/dev/ptmx");
    container.start().unwrap();
    assert_eq!(wait(&mut container), 0);
    let mut bytes = vec![0; 100];
    let count = rustix::io::read(&master, &mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes[..count]), "terminal\r\n");
    container.delete(false).unwrap();
}

#[test]
fn who_listens_for_a_terminal_and_never_accepts_does_not_hold_the_creation_up() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("true");
    bundle.config["process"]["terminal"] = json!(true);
    let socket = bundle.path().join("console");
    let listener =
        rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None);
    let listener = listener.unwrap();
    let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // The only place in the queue is taken.
    let _first = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    options.console_socket = Some(socket.clone());
    let begin = std::time::Instant::now();
    let error = bundle.runtime.create(options).unwrap_err().to_string();
    assert!(begin.elapsed() < std::time::Duration::from_secs(15));
    assert_eq!(error, format!("console socket {}: ETIMEDOUT (Connection timed out)", socket.display()));
    assert_eq!(bundle.entries(), [""; 0]);
}

#[test]
fn notifications_reach_the_socket_of_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("echo $NOTIFY_SOCKET; sleep 60");
    bundle.config["root"]["readonly"] = json!(false);
    let socket = bundle.path().join("host");
    let host = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    host.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    options.notify_socket = Some(socket);
    options.stdout = cofferdam::Stdio::piped();
    let mut container = bundle.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    let mut line = [0; 24];
    std::io::Read::read_exact(container.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(&line, b"/run/notify/notify.sock\n");
    // As the program would say it: the same socket, seen from the host.
    let pid = container.pid().unwrap();
    let inside = std::os::unix::net::UnixDatagram::unbound().unwrap();
    inside.send_to(b"STATUS=nearly", format!("/proc/{pid}/root/run/notify/notify.sock")).unwrap();
    inside.send_to(b"STATUS=there\nREADY=1", format!("/proc/{pid}/root/run/notify/notify.sock")).unwrap();
    let heard = std::thread::spawn(move || {
        let hear = || {
            let mut bytes = [0; 100];
            let count = host.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        // The descriptor of the barrier is closed as it is not taken.
        [hear(), hear(), hear()]
    });
    container.forward_notifications().unwrap();
    assert_eq!(
        heard.join().unwrap(),
        ["READY=1".to_owned(), "BARRIER=1".to_owned(), format!("MAINPID={pid}")]
    );
    container.delete(true).unwrap();
}

#[test]
fn who_did_not_create_it_learns_how_it_ended() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    if !common::kernel_is_at_least(6, 15) {
        println!("skipped: before Linux 6.15 only a parent learns that");
        return;
    }
    let bundle = Bundle::new("exit 9");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let mut found = bundle.runtime.load("box").unwrap();
    container.start().unwrap();
    let elsewhere = std::thread::spawn(move || wait(&mut found));
    assert_eq!(wait(&mut container), 9);
    assert_eq!(elsewhere.join().unwrap(), 9);
    container.delete(false).unwrap();
}
