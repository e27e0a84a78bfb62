//! Limits of resources that the machine names: rdma and misc.

use super::out_of_range;
use crate::resources::{Operations, Resources, Write};
use crate::{Limit, Result, Version};

/// Limits at one device for remote direct memory access: a line of `rdma.max`. What is left out stays as it is.
///
/// See cgroup-v2 "RDMA" of the kernel's documentation. Linux 4.11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rdma {
    /// The name of the device, such as `mlx4_0`.
    pub device: String,
    /// Open handles.
    pub hca_handle: Option<Limit<u32>>,
    /// Objects: queues, regions and so on.
    pub hca_object: Option<Limit<u32>>,
}

impl Rdma {
    pub(super) fn subject(&self) -> String {
        format!("rdma.max of {}", self.device)
    }

    pub(super) fn value_text(&self) -> String {
        let handle = self.hca_handle.map(|limit| format!("hca_handle={limit}"));
        let object = self.hca_object.map(|limit| format!("hca_object={limit}"));
        handle.into_iter().chain(object).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.hca_handle.is_none() && self.hca_object.is_none() {
            return out_of_range("rdma.max", "nothing", "a limit of handles or objects");
        }
        check_key("the device of rdma.max", &self.device)
    }

    pub(super) fn lower(&self, _version: Version, _all: &Resources) -> Result<Operations> {
        let reset = "hca_handle=max hca_object=max";
        Ok(vec![Write::line("rdma.max", &self.device, self.value_text(), reset).into()])
    }
}

/// A limit of a scalar resource of the machine: a line of `misc.max`.
///
/// `misc.capacity` of the root says what there is, such as `sev` for identifiers of encrypted guests. See cgroup-v2 "Misc"
/// of the kernel's documentation. Linux 5.13.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misc {
    /// The name of the resource.
    pub resource: String,
    /// How much of it.
    pub max: Limit<u64>,
}

impl Misc {
    pub(super) fn subject(&self) -> String {
        format!("misc.max of {}", self.resource)
    }

    pub(super) fn value_text(&self) -> String {
        self.max.to_string()
    }

    pub(super) fn validate(&self) -> Result<()> {
        check_key("the resource of misc.max", &self.resource)
    }

    pub(super) fn lower(&self, _version: Version, _all: &Resources) -> Result<Operations> {
        Ok(vec![Write::line("misc.max", &self.resource, self.max, "max").into()])
    }
}

/// A name that stands alone at the beginning of a line.
fn check_key(what: &'static str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return out_of_range(what, format_args!("{name:?}"), "a name without white space");
    }
    Ok(())
}
