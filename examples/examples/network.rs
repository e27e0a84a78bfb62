//! No network but a loopback device, or the host's network. Needs no privilege.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use cofferdam::Command;

/// This program runs itself inside, to try to connect.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    if let Some(address) = args.next() {
        let result = TcpStream::connect(&address).and_then(|mut stream| stream.write_all(b"hello"));
        println!("  connect to the host's {address}: {result:?}");
        let own = TcpListener::bind("127.0.0.1:0").and_then(|own| TcpStream::connect(own.local_addr()?));
        println!("  connect to an own port: {:?}", own.map(|_| ()));
        return Ok(());
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let executable = std::env::current_exe()?;
    let inside = || {
        let mut command = Command::new("/tmp/network");
        command.arg(&address).bind_read_only(&executable, "/tmp/network");
        command
    };
    println!("a loopback device, up:");
    inside().status()?;
    println!("a loopback device, down:");
    inside().loopback(false).status()?;
    println!("the host's network:");
    inside().network(true).status()?;
    Ok(())
}
