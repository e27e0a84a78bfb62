//! `update`.

use cofferdam::oci::{Config, Error};
use serde_json::{Map, Value};

use crate::args::Update;
use crate::exec::{read, read_all};
use crate::failure::Failure;
use crate::places::Context;

/// Changes what a container may use.
pub fn update(context: &Context<'_>, options: &Update) -> Result<u8, Failure> {
    let document = match &options.resources {
        Some(path) if path.as_os_str() == "-" => {
            read_all(std::io::stdin()).map_err(Failure::of("read standard input"))?
        }
        Some(path) => read(path)?,
        None => flags(options)?.to_string().into_bytes(),
    };
    let resources = Config::resources_from_slice(&document)?;
    let mut container = context.container(&options.id)?;
    container.update(&resources)?;
    if options.l3_cache_schema.is_some() || options.mem_bw_schema.is_some() {
        let (cache, bandwidth) = (&options.l3_cache_schema, &options.mem_bw_schema);
        let change = serde_json::json!({ "l3CacheSchema": cache, "memBwSchema": bandwidth });
        container.update_rdt(&serde_json::from_value(change).map_err(Failure::new)?)?;
    }
    Ok(0)
}

/// The flags as the document that they stand for.
fn flags(options: &Update) -> Result<Value, Failure> {
    if options.kernel_memory.is_some() {
        return Err(Error::Unsupported { what: "update --kernel-memory".into() }.into());
    }
    let mut document = Map::new();
    let mut add = |section: &str, key: &str, value: Option<Value>| {
        if let Some(value) = value {
            let section = document.entry(section).or_insert_with(|| Value::Object(Map::new()));
            section.as_object_mut().map(|section| section.insert(key.to_owned(), value));
        }
    };
    add("blockIO", "weight", options.blkio_weight.map(Value::from));
    add("cpu", "period", options.cpu_period.map(Value::from));
    add("cpu", "quota", options.cpu_quota.map(Value::from));
    add("cpu", "burst", options.cpu_burst.map(Value::from));
    add("cpu", "shares", options.cpu_share.map(Value::from));
    add("cpu", "idle", options.cpu_idle.map(Value::from));
    add("cpu", "realtimePeriod", options.cpu_rt_period.map(Value::from));
    add("cpu", "realtimeRuntime", options.cpu_rt_runtime.map(Value::from));
    add("cpu", "cpus", options.cpuset_cpus.clone().map(Value::from));
    add("cpu", "mems", options.cpuset_mems.clone().map(Value::from));
    add("memory", "kernelTCP", options.kernel_memory_tcp.map(Value::from));
    add("memory", "limit", options.memory.map(Value::from));
    add("memory", "reservation", options.memory_reservation.map(Value::from));
    add("memory", "swap", options.memory_swap.map(Value::from));
    add("pids", "limit", options.pids_limit.map(Value::from));
    Ok(Value::Object(document))
}
