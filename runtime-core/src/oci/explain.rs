//! A plan in words.

use std::fmt::Write as _;

use oci_spec::runtime::Spec;

use super::plan::{self, CgroupView, Request};
use super::{CreateOptions, Result, Runtime, validate};
use crate::LimitPolicy;
use crate::start::INHERIT;

impl Runtime {
    /// What [`create`](Self::create) and the start after it would do, one step a line; `meet the caller` are the moments at
    /// which this process does its part, such as hooks. The host is looked at, and nothing is done.
    ///
    /// # Errors
    /// As [`create`](Self::create), where the configuration or what the host has is the reason.
    pub fn explain(&self, options: &CreateOptions<'_>) -> Result<String> {
        let report = validate(options.spec)?;
        let request = Request {
            id: &options.id,
            spec: options.spec,
            bundle: &options.bundle,
            streams: INHERIT,
            passed: Vec::new(),
            cgroup: CgroupView::default(),
            no_pivot: options.no_pivot,
            no_new_keyring: options.no_new_keyring,
            listener: None,
            notify: None,
        };
        let prepared = plan::build(&request)?;
        let mut text = String::new();
        // Writing to a string does not fail.
        for what in &report.not_applied {
            writeln!(text, "leave out {what}").unwrap_or_default();
        }
        text.push_str(&cgroup(options));
        text.push_str(&prepared.plan.explain());
        text.push_str(&hooks(options.spec));
        Ok(text)
    }
}

fn cgroup(options: &CreateOptions<'_>) -> String {
    if options.cgroup == LimitPolicy::None {
        return String::new();
    }
    let linux = options.spec.linux().as_ref();
    let path = linux.and_then(|linux| linux.cgroups_path().clone());
    let path = path.map_or_else(|| options.id.clone(), |path| path.display().to_string());
    let limits = linux.and_then(|linux| linux.resources().as_ref()).map_or("", |_| ", with limits");
    format!("make cgroup {path}{limits}\n")
}

/// Those after the plan; the others are said at their meetings.
fn hooks(spec: &Spec) -> String {
    let Some(hooks) = spec.hooks() else { return String::new() };
    #[allow(deprecated, reason = "engines still use this kind")]
    let kinds = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    let mut text = String::new();
    for (kind, list) in kinds {
        for hook in list.iter().flatten() {
            writeln!(text, "hook {kind}: {}", hook.path().display()).unwrap_or_default();
        }
    }
    text
}
