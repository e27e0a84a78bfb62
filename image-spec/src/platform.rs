//! Platforms: what an image runs on, and which of several is the best (image-spec, image-index.md).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::json::nullable;
use crate::{Error, Result};

/// An operating system and a kind of processor, by the names of the Go language.
///
/// ```
/// use cofferdam_image_spec::Platform;
///
/// let platform: Platform = "linux/aarch64".parse()?;
/// assert_eq!(platform.to_string(), "linux/arm64");
/// assert!(platform.matches(&"linux/arm64/v8".parse()?));
/// assert!(!platform.matches(&"linux/amd64".parse()?));
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Platform {
    /// `linux`, ...
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
    /// Which of an architecture's kinds: `v7`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A version of the operating system, of Windows mostly.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the operating system must have.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
}

/// How well something fits; the greatest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    level: Option<Level>,
    /// The variant is said, and not just what is meant when nothing is said.
    said: bool,
    os_version: bool,
}

/// The version of an instruction set: `v8.2` is 8 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Level(u32, u32);

impl Platform {
    /// A platform without a variant. Other common names of an architecture become Go's: `aarch64` becomes `arm64`.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        let platform = Self {
            os: os.into(),
            architecture: architecture.into(),
            variant: None,
            os_version: None,
            os_features: Vec::new(),
        };
        platform.normalized()
    }

    /// What this program was built for, without a variant but on 32-bit ARM. Images that are made here are for it.
    pub fn host() -> Self {
        let mut platform = Self::new(std::env::consts::OS, std::env::consts::ARCH);
        if cfg!(target_arch = "arm") {
            let variant = if cfg!(target_feature = "v7") { "v7" } else { "v6" };
            platform.variant = Some(variant.into());
        }
        platform
    }

    /// As [`Platform::host`], with what this very processor can do on amd64: `v1` to `v4`. With it an image for a newer
    /// processor is preferred where there is one.
    pub fn processor() -> Self {
        let mut platform = Self::host();
        #[cfg(target_arch = "x86_64")]
        {
            platform.variant = Some(format!("v{}", x86_64_level()));
        }
        platform
    }

    /// Whether what is made for `offered` runs here.
    ///
    /// System and architecture are the same. A variant is the same or an older one: `v7` runs `v6` on ARM, `v3` runs `v2`
    /// on amd64. Where none is said, `v7` is meant for arm, `v8` for arm64 and `v1` for amd64. A version of the system is
    /// the same if both say one, and all features that are asked for are here. Other architectures that a processor could
    /// run too, such as 386 on amd64, do not match.
    pub fn matches(&self, offered: &Self) -> bool {
        self.rank(offered).is_some()
    }

    /// The best of several for this platform, by its place: the newest variant that runs, one that says its variant
    /// before one that does not, and the first of those that are equally good.
    ///
    /// ```
    /// use cofferdam_image_spec::Platform;
    ///
    /// let offers: Vec<Platform> =
    ///     ["linux/arm/v6", "linux/arm/v7", "linux/arm/v8"].iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    /// assert_eq!("linux/arm/v7".parse::<Platform>()?.best_of(&offers), Some(1));
    /// # Ok::<(), cofferdam_image_spec::Error>(())
    /// ```
    pub fn best_of<'a>(&self, offers: impl IntoIterator<Item = &'a Self>) -> Option<usize> {
        let ranked = offers.into_iter().enumerate().filter_map(|(at, offer)| Some((self.rank(offer)?, at)));
        ranked.max_by_key(|(rank, at)| (*rank, std::cmp::Reverse(*at))).map(|(_, at)| at)
    }

    pub(crate) fn rank(&self, offered: &Self) -> Option<Rank> {
        let (wanted, offered) = (self.clone().normalized(), offered.clone().normalized());
        if wanted.os != offered.os || wanted.architecture != offered.architecture {
            return None;
        }
        let versions = wanted.os_version.as_ref().zip(offered.os_version.as_ref());
        if versions.is_some_and(|(wanted, offered)| wanted != offered) {
            return None;
        }
        if !offered.os_features.iter().all(|feature| wanted.os_features.contains(feature)) {
            return None;
        }
        let level = wanted.runs(&offered)?;
        Some(Rank { level, said: offered.variant.is_some(), os_version: versions.is_some() })
    }

    /// The level of what is offered, if it runs here.
    fn runs(&self, offered: &Self) -> Option<Option<Level>> {
        match (self.level(), offered.level()) {
            (Some(here), Some(there)) => here.runs(there).then_some(Some(there)),
            _ if offered.variant.is_none() || self.variant == offered.variant => Some(None),
            _ => None,
        }
    }

    fn level(&self) -> Option<Level> {
        let variant = match (self.architecture.as_str(), &self.variant) {
            ("amd64" | "arm" | "arm64", Some(variant)) => variant,
            ("amd64", None) => "v1",
            ("arm", None) => "v7",
            ("arm64", None) => "v8",
            _ => return None,
        };
        let (major, minor) = match variant.strip_prefix('v')?.split_once('.') {
            Some((major, minor)) => (major, minor),
            None => (variant.strip_prefix('v')?, "0"),
        };
        Some(Level(major.parse().ok()?, minor.parse().ok()?))
    }

    fn normalized(mut self) -> Self {
        for text in [&mut self.os, &mut self.architecture] {
            text.make_ascii_lowercase();
        }
        if self.os == "macos" {
            self.os = "darwin".into();
        }
        let (architecture, variant) = match self.architecture.as_str() {
            "x86_64" | "x86-64" => ("amd64", None),
            "x86" | "i386" | "i486" | "i586" | "i686" => ("386", None),
            "aarch64" => ("arm64", None),
            "armhf" => ("arm", Some("v7")),
            "armel" => ("arm", Some("v6")),
            "loongarch64" => ("loong64", None),
            "powerpc64" => ("ppc64", None),
            "powerpc64le" => ("ppc64le", None),
            other => (other, None),
        };
        let said =
            self.variant.map(|variant| variant.to_ascii_lowercase()).filter(|variant| !variant.is_empty());
        self.variant =
            said.or(variant.map(str::to_owned)).map(|variant| match (architecture, variant.as_bytes()) {
                ("amd64" | "arm" | "arm64", [b'0'..=b'9', ..]) => format!("v{variant}"),
                _ => variant,
            });
        self.architecture = architecture.into();
        self
    }
}

impl Level {
    /// Version 9 of ARM contains version 8.5.
    fn runs(self, other: Self) -> bool {
        match (self, other) {
            (Self(9, minor), Self(8, other)) => other <= minor.saturating_add(5),
            (Self(8, _), Self(9, _)) => false,
            (here, there) => there <= here,
        }
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// `os/architecture` or `os/architecture/variant`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason| Error::invalid("platform", text, reason);
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(wrong("is not os/architecture or os/architecture/variant")),
        };
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if parts.iter().any(|part| part.is_empty() || !part.bytes().all(known)) {
            return Err(wrong(
                "has a part that is empty or has other characters than letters, digits and ._-",
            ));
        }
        let mut platform = Self::new(os, "");
        platform.architecture = architecture.into();
        platform.variant = variant.map(str::to_owned);
        Ok(platform.normalized())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// The level of the x86-64 psABI.
#[cfg(target_arch = "x86_64")]
fn x86_64_level() -> u32 {
    macro_rules! all {
        ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    if !all!("cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3") {
        1
    } else if !all!("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe") {
        2
    } else if !all!("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl") {
        3
    } else {
        4
    }
}
