//! What belongs to the namespaces and is no file: names, kernel parameters, the loopback interface.

use std::collections::BTreeMap;

use super::{Request, Spaces};
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Namespaces, Step, sysctl};

/// Names, kernel parameters, and in a new network namespace the loopback interface.
pub(super) fn settings(draft: &mut Draft<'_>, request: &Request<'_>, spaces: &Spaces) -> Result<()> {
    let spec = request.spec;
    if let Some(name) = name("hostname", spec.hostname().as_deref(), spaces)? {
        draft.step(Step::Hostname(name.into()));
    }
    if let Some(name) = name("domainname", spec.domainname().as_deref(), spaces)? {
        draft.step(Step::Domainname(name.into()));
    }
    if spaces.new.contains(Namespaces::NET) {
        draft.step(Step::LoopbackUp);
    }
    let sysctls = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref());
    // In an order of their own, so that the same configuration makes the same plan.
    let sysctls: BTreeMap<&String, &String> = sysctls.into_iter().flatten().collect();
    for (name, value) in sysctls {
        check_sysctl(name, value, request, spaces)?;
        draft.step(Step::Sysctl { name: name.clone(), value: value.clone() });
    }
    Ok(())
}

fn name<'n>(path: &str, name: Option<&'n str>, spaces: &Spaces) -> Result<Option<&'n str>> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    if !spaces.has_own(Namespaces::UTS) {
        return Err(Error::config(
            path,
            format!("{name:?} cannot be set without an uts namespace of its own"),
        ));
    }
    Ok(Some(name))
}

fn check_sysctl(name: &str, value: &str, request: &Request<'_>, spaces: &Spaces) -> Result<()> {
    let wrong = |reason: String| Err(Error::config(format!("linux.sysctl[{name:?}]"), reason));
    if let Err(reason) = sysctl::check(name, value, spaces.new | spaces.joined) {
        return wrong(reason.to_owned());
    }
    let field = match name.replace('/', ".").as_str() {
        "kernel.hostname" if request.spec.hostname().is_some() => "hostname",
        "kernel.domainname" if request.spec.domainname().is_some() => "domainname",
        _ => return Ok(()),
    };
    wrong(format!("says the same as {field}"))
}
