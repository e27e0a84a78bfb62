//! Images kept in the user's store: imported, listed, verified, collected.
//!
//! Needs no privileges.
//!
//! ```sh
//! cargo run -p cofferdam-image-spec --example store -- import oci:DIR:NAME NAME
//! cargo run -p cofferdam-image-spec --example store -- list
//! ```

use std::error::Error;
use std::time::Instant;

use cofferdam_image_spec::{ImportOptions, Location, Store, VerifyOptions, select};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let store = Store::open_or_create(Store::default_path()?)?;
    let begin = Instant::now();
    match arguments[..] {
        ["import", from, name] => {
            let location = Location::parse(from)?;
            let source = location.source()?;
            let offer = select(&*source, location.name())?;
            let image = store.import(&*source, &offer.descriptor, Some(name), &ImportOptions::new())?;
            println!("{} {name}, {} layers", image.descriptor().digest, image.layers().len());
        }
        ["list"] => {
            for image in store.usage()?.images {
                let name = image.name.as_deref().unwrap_or("-");
                println!(
                    "{} {name}: {} bytes, and {} shared",
                    image.digest.short(),
                    image.unique,
                    image.shared
                );
            }
        }
        ["path", name] => {
            store.image(name)?.lower_paths()?.iter().for_each(|path| println!("{}", path.display()));
        }
        ["remove", name] => store.remove(name)?,
        ["gc"] => println!("{:?}", store.gc()?),
        ["sync"] => store.sync()?,
        ["verify"] => {
            let report = store.verify(VerifyOptions { deep: true, repair: false })?;
            report
                .damages
                .iter()
                .for_each(|damage| println!("{} {}: {}", damage.what, damage.name, damage.error));
            println!("{} blobs, {} images, {} layers", report.blobs, report.images, report.layers);
        }
        _ => {
            return Err(
                "usage: store import FROM NAME | list | path NAME | remove NAME | gc | sync | verify".into(),
            );
        }
    }
    eprintln!("{:.3} s", begin.elapsed().as_secs_f64());
    Ok(())
}
