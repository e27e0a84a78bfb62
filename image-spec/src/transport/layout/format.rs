//! The two documents of a layout (image-spec, image-layout.md).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::annotations::REF_NAME as NAME;
use crate::{Descriptor, Document, Error, Index, MediaType, Offer, Result};

/// The file that says that a directory is a layout.
pub(crate) const MARKER: &str = "oci-layout";
/// What it says.
pub(crate) const MARKER_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The list of images.
pub(crate) const INDEX: &str = "index.json";

/// At most so long is the marker.
pub(crate) const MOST_MARKER: u64 = 64 << 10;
/// At most so long is the list.
pub(crate) const MOST_INDEX: u64 = 4 << 20;
/// At most so many images are in it.
const MOST_IMAGES: u64 = 10_000;

/// Checks the marker.
pub(crate) fn check_marker(content: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        image_layout_version: String,
    }
    let marker: Marker = json(MARKER, content)?;
    match marker.image_layout_version.as_str() {
        "1.0.0" => Ok(()),
        other => Err(Error::Unsupported { what: "image layout version", value: other.into() }),
    }
}

/// The images in a list.
pub(crate) fn images(content: &[u8]) -> Result<Vec<Offer>> {
    let index = Document::<Index>::from_bytes(MediaType::OCI_INDEX, content.to_vec())?.into_value();
    if index.manifests.len() as u64 > MOST_IMAGES {
        return Err(Error::Limit { what: "images in index.json", limit: MOST_IMAGES });
    }
    let offer =
        |descriptor: Descriptor| Offer { name: descriptor.annotations.get(NAME).cloned(), descriptor };
    Ok(index.manifests.into_iter().map(offer).collect())
}

/// The list with one image more, in place of those of the same name. What else is in it stays as it is.
pub(crate) fn with_image(
    content: Option<&[u8]>,
    name: Option<&str>,
    descriptor: &Descriptor,
) -> Result<Vec<u8>> {
    let mut index = match content {
        Some(content) => {
            images(content)?;
            json::<Map<String, Value>>(INDEX, content)?
        }
        None => Map::new(),
    };
    let mut entry = descriptor.clone();
    entry.annotations.remove(NAME);
    entry.annotations.extend(name.map(|name| (NAME.to_owned(), name.to_owned())));
    let list = index.remove("manifests").unwrap_or_else(|| json!([]));
    let Value::Array(mut list) = list else {
        return Err(Error::invalid(INDEX, "manifests", "is not a list"));
    };
    list.retain(|other| !is_replaced(other, name, &entry));
    list.push(serde_json::to_value(&entry).map_err(|source| Error::Json { what: INDEX, source })?);
    index.entry("schemaVersion").or_insert_with(|| json!(2));
    index.entry("mediaType").or_insert_with(|| json!(MediaType::OCI_INDEX));
    index.insert("manifests".to_owned(), Value::Array(list));
    let content = serde_json::to_vec(&index).map_err(|source| Error::Json { what: INDEX, source })?;
    if content.len() as u64 > MOST_INDEX {
        return Err(Error::Limit { what: "bytes of index.json", limit: MOST_INDEX });
    }
    Ok(content)
}

/// An image without a name is replaced by itself only.
fn is_replaced(other: &Value, name: Option<&str>, entry: &Descriptor) -> bool {
    let other_name = other.pointer("/annotations/org.opencontainers.image.ref.name").and_then(Value::as_str);
    let same = other.get("digest").and_then(Value::as_str) == Some(entry.digest.to_string().as_str());
    other_name == name && (name.is_some() || same)
}

/// Reads JSON.
pub(crate) fn json<'c, T: Deserialize<'c>>(what: &'static str, content: &'c [u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|source| Error::Json { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(content: &str) -> Descriptor {
        Descriptor::of(MediaType::OCI_MANIFEST, content.as_bytes())
    }

    #[test]
    fn only_version_one_is_taken() {
        check_marker(MARKER_CONTENT).unwrap();
        for bad in ["", "{}", "[]", "null", r#"{"imageLayoutVersion":"9"}"#, r#"{"imageLayoutVersion":1}"#] {
            assert!(check_marker(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_image_replaces_that_of_its_name_and_no_other() {
        let one = with_image(None, Some("a"), &descriptor("1")).unwrap();
        let two = with_image(Some(&one), Some("b"), &descriptor("2")).unwrap();
        let three = with_image(Some(&two), Some("a"), &descriptor("3")).unwrap();
        let names = |content: &[u8]| {
            let of = |offer: Offer| (offer.name, offer.descriptor.digest);
            images(content).unwrap().into_iter().map(of).collect::<Vec<_>>()
        };
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(names(&three), [(name("b"), descriptor("2").digest), (name("a"), descriptor("3").digest)]);
        let nameless = with_image(Some(&three), None, &descriptor("4")).unwrap();
        let again = with_image(Some(&nameless), None, &descriptor("4")).unwrap();
        assert_eq!(names(&again).len(), 3);
        assert_eq!(names(&with_image(Some(&again), None, &descriptor("5")).unwrap()).len(), 4);
    }

    #[test]
    fn what_it_does_not_know_stays_in_the_list() {
        let entry = r#"{"mediaType":"m","digest":"DIGEST","size":1,"platform":{"architecture":"x","os":"linux"},"x":7}"#
            .replace("DIGEST", &descriptor("1").digest.to_string());
        let list = format!(r#"{{"schemaVersion":2,"annotations":{{"k":"v"}},"manifests":[{entry}]}}"#);
        let new = with_image(Some(list.as_bytes()), Some("a"), &descriptor("2")).unwrap();
        let value: Value = serde_json::from_slice(&new).unwrap();
        assert_eq!(value["manifests"][0], serde_json::from_str::<Value>(&entry).unwrap());
        assert_eq!(value["annotations"]["k"], "v");
    }

    #[test]
    fn a_list_that_breaks_the_rules_is_refused() {
        let other_type = format!(r#"{{"schemaVersion":2,"mediaType":"{}"}}"#, MediaType::OCI_MANIFEST);
        let path =
            r#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:../../x","size":1}]}"#;
        let negative = r#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"DIGEST","size":-1}]}"#
            .replace("DIGEST", &descriptor("1").digest.to_string());
        for bad in ["", "[]", "{}", r#"{"schemaVersion":1}"#, other_type.as_str(), path, &negative] {
            assert!(images(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
