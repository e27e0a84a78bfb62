//! What a group may use and what it used, in the words of `runc events`.

use serde::Serialize;

use super::ResourceGroup;
use crate::oci::Result;
use crate::oci::events::is_zero;

/// `intel_rdt` of an event of the type `stats`; empty without a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RdtStats {
    /// The cache of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3_cache_info: Option<CacheInfo>,
    /// The line of the root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub l3_cache_schema_root: String,
    /// The line of the container's group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub l3_cache_schema: String,
    /// The bandwidth of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_bw_info: Option<MemoryBandwidthInfo>,
    /// The line of the root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mem_bw_schema_root: String,
    /// The line of the container's group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mem_bw_schema: String,
    /// Used bandwidth by domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbm_stats: Option<Vec<Monitored>>,
    /// Used cache by domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmt_stats: Option<Vec<Occupancy>>,
}

/// `info/L3`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the file of its name")]
pub struct CacheInfo {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cbm_mask: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub min_cbm_bits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_closids: u64,
}

/// `info/MB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the file of its name")]
pub struct MemoryBandwidthInfo {
    #[serde(skip_serializing_if = "is_zero")]
    pub bandwidth_gran: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_linear: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub min_bandwidth: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_closids: u64,
}

/// Bytes that went to and from the memory of one domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the file of its name")]
pub struct Monitored {
    #[serde(skip_serializing_if = "is_zero")]
    pub mbm_total_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub mbm_local_bytes: u64,
}

/// Bytes of the cache of one domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "it is the file of its name")]
pub struct Occupancy {
    #[serde(skip_serializing_if = "is_zero")]
    pub llc_occupancy: u64,
}

impl ResourceGroup {
    /// What the container may use and what it used.
    ///
    /// # Errors
    /// [`Error::Path`](crate::oci::Error::Path).
    pub fn statistics(&self) -> Result<RdtStats> {
        let mut stats = RdtStats::default();
        let (root, own) =
            (self.root_file("schemata")?.unwrap_or_default(), self.file("schemata")?.unwrap_or_default());
        let text = |file: &str| {
            Ok::<_, crate::oci::Error>(self.root_file(file)?.unwrap_or_default().trim().to_owned())
        };
        let number = |file: &str| Ok::<u64, crate::oci::Error>(text(file)?.parse().unwrap_or(0));
        if self.root_file("info/L3/cbm_mask")?.is_some() {
            stats.l3_cache_info = Some(CacheInfo {
                cbm_mask: text("info/L3/cbm_mask")?,
                min_cbm_bits: number("info/L3/min_cbm_bits")?,
                num_closids: number("info/L3/num_closids")?,
            });
            (stats.l3_cache_schema_root, stats.l3_cache_schema) = (line(&root, "L3"), line(&own, "L3"));
        }
        if self.root_file("info/MB/min_bandwidth")?.is_some() {
            stats.mem_bw_info = Some(MemoryBandwidthInfo {
                bandwidth_gran: number("info/MB/bandwidth_gran")?,
                delay_linear: number("info/MB/delay_linear")?,
                min_bandwidth: number("info/MB/min_bandwidth")?,
                num_closids: number("info/MB/num_closids")?,
            });
            (stats.mem_bw_schema_root, stats.mem_bw_schema) = (line(&root, "MB"), line(&own, "MB"));
        }
        self.monitor(&text("info/L3_MON/mon_features")?, &mut stats)?;
        Ok(stats)
    }

    fn monitor(&self, features: &str, stats: &mut RdtStats) -> Result<()> {
        let bandwidth = features.contains("mbm_total_bytes") || features.contains("mbm_local_bytes");
        let occupancy = features.contains("llc_occupancy");
        stats.mbm_stats = bandwidth.then(Vec::new);
        stats.cmt_stats = occupancy.then(Vec::new);
        for domain in self.monitored()?.into_iter().filter(|name| name.starts_with("mon_L3_")) {
            let number = |file: &str| {
                let text = self.file(&format!("mon_data/{domain}/{file}"))?.unwrap_or_default();
                Ok::<u64, crate::oci::Error>(text.trim().parse().unwrap_or(0))
            };
            if let Some(all) = &mut stats.mbm_stats {
                all.push(Monitored {
                    mbm_total_bytes: number("mbm_total_bytes")?,
                    mbm_local_bytes: number("mbm_local_bytes")?,
                });
            }
            if let Some(all) = &mut stats.cmt_stats {
                all.push(Occupancy { llc_occupancy: number("llc_occupancy")? });
            }
        }
        Ok(())
    }
}

/// The line about a resource.
fn line(schemata: &str, resource: &str) -> String {
    let mut lines = schemata.lines().map(str::trim);
    lines.find(|line| line.split(':').next() == Some(resource)).unwrap_or_default().to_owned()
}
