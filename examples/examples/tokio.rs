//! Programs as futures (feature `tokio`). Needs no privilege.

use std::time::{Duration, Instant};

use cofferdam::tokio::Child;
use cofferdam::{Command, Error, Stdio};

async fn run(index: u32) -> Result<String, Error> {
    let script = format!("sleep 0.2; echo {index} is process $$");
    let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn()?;
    let output = Child::new(child)?.wait_with_output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..5).map(|index| tokio::spawn(run(index))).collect();
    for task in tasks {
        println!("{}", task.await??);
    }
    println!("five that sleep 0.2 s took less than 1 s: {}", begin.elapsed() < Duration::from_secs(1));

    // The command's time limit works in a runtime too, and so does any other future.
    let mut child = Child::new(Command::new("sleep").arg("60").timeout(Duration::from_millis(50)).spawn()?)?;
    tokio::select! {
        result = child.wait() => println!("{result:?}"),
        () = tokio::time::sleep(Duration::from_secs(5)) => println!("the time limit was not kept"),
    }
    Ok(())
}
