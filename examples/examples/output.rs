//! What a program writes is collected, and what it reads is fed to it. Needs no privilege.

use std::io::{BufRead, BufReader, Write};

use cofferdam::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let output = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output()?;
    println!("{} wrote {:?} and {:?}", output.status, text(&output.stdout), text(&output.stderr));

    // A conversation: both streams are pipes.
    let mut child = Command::new("sh")
        .args(["-c", "while read word; do echo \"<$word>\"; done"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    for word in ["one", "two"] {
        writeln!(stdin, "{word}")?;
        println!("{word} became {}", lines.next().ok_or("no answer")??);
    }
    drop(stdin);
    println!("it ended: {}", child.wait()?);

    // Any open file can be a stream.
    let file = tempfile::tempfile()?;
    Command::new("echo").arg("into a file").stdout(file.try_clone()?).status()?;
    println!("the file has {} bytes", file.metadata()?.len());
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
