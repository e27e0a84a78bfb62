//! The grammar of references, from the end to the beginning: what follows `@`, the tag, the domain, the path.

use std::net::Ipv6Addr;

use super::{DEFAULT_DOMAIN, DEFAULT_TAG, OFFICIAL, OLD_DEFAULT_DOMAIN, Reference};
use crate::Digest;

/// The most characters of a name, with its domain.
const MAX_NAME: usize = 255;

/// The most characters of a tag.
const MAX_TAG: usize = 128;

/// Why something is refused.
type Reason = &'static str;

pub fn reference(text: &str) -> Result<Reference, Reason> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("is 64 hexadecimal digits, which are the id of an image and no name");
    }
    let (text, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            (rest, Some(digest.parse::<Digest>().map_err(|_| "has a digest that is none")?))
        }
        None => (text, None),
    };
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (domain, path) = complete(name);
    if domain.len() + 1 + path.len() > MAX_NAME {
        return Err("has a name of more than 255 characters");
    }
    check_domain(domain)?;
    path.split('/').try_for_each(check_component)?;
    let tag = match (tag, &digest) {
        (None, None) => Some(DEFAULT_TAG),
        (tag, _) => tag,
    };
    Ok(Reference { domain: domain.into(), path, tag: tag.map(str::to_owned), digest })
}

/// Domain and path of a name that may be short.
fn complete(name: &str) -> (&str, String) {
    let (domain, path) = match name.split_once('/') {
        Some((OLD_DEFAULT_DOMAIN, path)) => (DEFAULT_DOMAIN, path),
        Some((first, path)) if is_domain(first) => (first, path),
        _ => (DEFAULT_DOMAIN, name),
    };
    let official = if domain == DEFAULT_DOMAIN && !path.contains('/') { OFFICIAL } else { "" };
    (domain, format!("{official}{path}"))
}

/// Whether what stands before the first slash is a domain, and not a part of the path on the default one.
pub fn is_domain(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

pub fn check_tag(tag: &str) -> Result<(), Reason> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if tag.len() > MAX_TAG {
        return Err("has a tag of more than 128 characters");
    }
    match tag.as_bytes() {
        [first, rest @ ..] if word(*first) && rest.iter().all(|byte| word(*byte) || b".-".contains(byte)) => {
            Ok(())
        }
        [] => Err("has an empty tag"),
        _ => Err("has a tag with other characters than letters, digits and _.-, or that begins with . or -"),
    }
}

fn check_domain(domain: &str) -> Result<(), Reason> {
    if let Some(rest) = domain.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("has a domain whose bracket is not closed")?;
        let digits = address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
        if !digits || address.parse::<Ipv6Addr>().is_err() {
            return Err("has brackets around something that is no IPv6 address");
        }
        return match port.strip_prefix(':') {
            Some(port) => check_port(port),
            None if port.is_empty() => Ok(()),
            None => Err("has something else than a port after an address in brackets"),
        };
    }
    let host = match domain.split_once(':') {
        Some((host, port)) => {
            check_port(port)?;
            host
        }
        None => domain,
    };
    if host.split('.').all(is_label) {
        return Ok(());
    }
    Err(
        "has a domain with an empty part, with other characters than letters, digits and -, or with - at an end",
    )
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn check_port(port: &str) -> Result<(), Reason> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if digits && port.parse::<u16>().is_ok() {
        return Ok(());
    }
    Err("has a port that is no number up to 65535")
}

fn check_component(component: &str) -> Result<(), Reason> {
    if component.is_empty() {
        return Err("has an empty part");
    }
    if component.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("has upper case letters in its path");
    }
    if !component.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte)) {
        return Err("has other characters in its path than lower case letters, digits and ._-");
    }
    let mut parts = component.split(is_plain_char);
    // Between two plain characters is an empty part, at both ends there must be one.
    if component.starts_with(['.', '_', '-']) || component.ends_with(['.', '_', '-']) {
        return Err("has a part that begins or ends with one of ._-");
    }
    if parts.all(|part| matches!(part, "" | "." | "_" | "__") || part.bytes().all(|byte| byte == b'-')) {
        return Ok(());
    }
    Err("has other separators in its path than one dot, one or two underscores, or dashes")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_plain_char(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit()
}
