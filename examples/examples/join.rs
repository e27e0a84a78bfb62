//! Two programs share a network namespace and nothing else, like the containers of a pod. Needs no privilege.

use std::net::TcpListener;

use cofferdam::{Command, Kind, Namespace, Stdio};

/// The second program: connects to the first.
const CLIENT: &str =
    "cat < /dev/tcp/127.0.0.1/8080; echo; echo I am on $(cat /proc/sys/kernel/hostname), process $$";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).is_some() {
        return serve();
    }
    let mut server = Command::new("/tmp/join")
        .arg("serve")
        .bind_read_only(std::env::current_exe()?, "/tmp/join")
        .hostname("server")
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .spawn()?;
    // It says when it listens.
    std::io::Read::read_exact(server.stdout.as_mut().ok_or("no pipe")?, &mut [0; 6])?;

    // A network namespace belongs to a user namespace, which is joined with it. The others are new.
    let network = Namespace::of_pidfd(&server, Kind::Net)?;
    let owner = network.owner()?;
    println!("join {network} of {owner}");
    let mut client = Command::new("bash");
    client.args(["-c", CLIENT]).hostname("client").join(owner).join(network);
    match client.output() {
        Ok(output) => print!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => println!("the client needs bash"),
        Err(error) => return Err(error.into()),
    }
    server.kill()?;
    println!("the server ended: {}", server.wait()?);
    Ok(())
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080")?;
    println!("ready");
    for stream in listener.incoming() {
        std::io::Write::write_all(&mut stream?, b"hello from the other side")?;
    }
    Ok(())
}
