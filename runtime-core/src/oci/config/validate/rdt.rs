//! `linux.intelRdt`.

use oci_spec::runtime::LinuxIntelRdt;

use super::super::place::quoted;
use crate::oci::{Error, Result};

/// What the file system itself has in its root.
const RESERVED: [&str; 3] = ["info", "mon_data", "mon_groups"];

pub(super) fn check(rdt: Option<&LinuxIntelRdt>) -> Result<()> {
    let Some(rdt) = rdt else { return Ok(()) };
    // The class `/` is that of the root, where everything is that has no other.
    if let Some(class) = rdt.clos_id().as_deref().filter(|class| *class != "/") {
        class_name(class)?;
    }
    if let Some(schema) = rdt.mem_bw_schema()
        && !schema.starts_with("MB:")
    {
        let reason = format!("{} does not begin with `MB:`", quoted(schema));
        return Err(Error::config("linux.intelRdt.memBwSchema", reason));
    }
    let schemata = rdt.schemata().iter().flatten().enumerate();
    let lines = [("l3CacheSchema", rdt.l3_cache_schema()), ("memBwSchema", rdt.mem_bw_schema())];
    let lines = lines.into_iter().filter_map(|(name, line)| Some((name.to_owned(), line.as_ref()?)));
    for (name, line) in lines.chain(schemata.map(|(index, line)| (format!("schemata[{index}]"), line))) {
        if line.contains('\n') {
            let reason = format!("{} has more than one line", quoted(line));
            return Err(Error::config(format!("linux.intelRdt.{name}"), reason));
        }
    }
    Ok(())
}

/// A class is one directory in the root of the file system.
fn class_name(class: &str) -> Result<()> {
    let path = "linux.intelRdt.closID";
    if class.is_empty() {
        return Err(Error::config(path, "is empty"));
    }
    if class.contains(['/', '\n']) || matches!(class, "." | "..") || class.len() > 255 {
        return Err(Error::config(path, format!("{} is no name of a directory", quoted(class))));
    }
    if RESERVED.contains(&class) {
        return Err(Error::config(path, format!("{} belongs to the file system", quoted(class))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn rdt(rdt: Value) -> Value {
        json!({"linux": {"intelRdt": rdt}})
    }

    #[test]
    fn a_class_is_one_directory() {
        let refused = |class: &str| format!("linux.intelRdt.closID: {class:?} is no name of a directory");
        table(vec![
            (rdt(json!({})), ""),
            (rdt(json!({"closID": ""})), ""),
            (rdt(json!({"closID": "guaranteed_group"})), ""),
            (rdt(json!({"closID": "/"})), ""),
            (rdt(json!({"closID": "a/b"})), &refused("a/b")),
            (rdt(json!({"closID": ".."})), &refused("..")),
            (rdt(json!({"closID": "."})), &refused(".")),
            (rdt(json!({"closID": "a\nb"})), &refused("a\nb")),
            (rdt(json!({"closID": "info"})), "linux.intelRdt.closID: \"info\" belongs to the file system"),
        ]);
    }

    #[test]
    fn a_schema_is_one_line() {
        table(vec![
            (
                rdt(
                    json!({"l3CacheSchema": "L3:0=7f0;1=1f", "memBwSchema": "MB:0=20;1=70", "schemata": ["L2:0=f"]}),
                ),
                "",
            ),
            (
                rdt(json!({"memBwSchema": "0=20"})),
                "linux.intelRdt.memBwSchema: \"0=20\" does not begin with `MB:`",
            ),
            (
                rdt(json!({"memBwSchema": "MB:0\n"})),
                "linux.intelRdt.memBwSchema: \"MB:0\\n\" has more than one line",
            ),
            (
                rdt(json!({"l3CacheSchema": "L3:0\nMB:0"})),
                "linux.intelRdt.l3CacheSchema: \"L3:0\\nMB:0\" has more than one line",
            ),
            (
                rdt(json!({"schemata": ["L2:0", "\n"]})),
                "linux.intelRdt.schemata[1]: \"\\n\" has more than one line",
            ),
        ]);
    }
}
