//! From bytes to a JSON document in which every key stands once.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::place::{Place, quoted};
use crate::oci::{Error, Result};

/// The largest file that is read.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The most values: they take more memory than the bytes they are written with.
const MAX_VALUES: usize = 1 << 20;

/// Reads a document that is `root` in a configuration, or the configuration itself.
///
/// All strings in it are free of NUL bytes.
pub(super) fn parse(bytes: &[u8], root: &str) -> Result<Value> {
    let wrong = |reason: String| Err(Error::config(root, reason));
    if bytes.len() > MAX_BYTES {
        return wrong(format!("{} bytes are more than {MAX_BYTES}", bytes.len()));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return wrong("begins with a byte order mark".into());
    }
    if let Some(position) = bytes.iter().position(|byte| *byte == 0) {
        return wrong(format!("contains a NUL byte at offset {position}"));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return wrong(format!("is not UTF-8 at offset {}", error.valid_up_to())),
    };
    let mut reader = Reader { place: Place::root(root), values: 0, wrong: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let document = Node(&mut reader).deserialize(&mut json);
    match (document.and_then(|document| json.end().map(|()| document)), reader.wrong) {
        (Ok(document), _) => Ok(document),
        (Err(_), Some((path, reason))) => Err(Error::config(path, reason)),
        // The parser's own limit, which has no kind of its own.
        (Err(error), None) if error.to_string().starts_with("recursion limit") => {
            wrong("is nested deeper than 127 levels".into())
        }
        (Err(error), None) => wrong(format!("is no JSON: {error}")),
    }
}

/// What is known while reading.
struct Reader {
    /// Where.
    place: Place,
    /// So many values were read.
    values: usize,
    /// What ended the reading, with its path, unless it was the syntax.
    wrong: Option<(String, String)>,
}

impl Reader {
    /// Ends the reading. The error of the parser only carries it out.
    fn fail<E: serde::de::Error>(&mut self, path: String, reason: impl Into<String>) -> E {
        self.wrong = Some((path, reason.into()));
        E::custom("wrong")
    }

    fn text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(self.fail(self.place.to_string(), format!("{} contains a NUL byte", quoted(text))));
        }
        Ok(())
    }
}

/// One value of the document. The parser itself bounds how deep these nest.
struct Node<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.values += 1;
        if self.0.values > MAX_VALUES {
            let path = self.0.place.to_string();
            return Err(self.0.fail(path, format!("the document has more than {MAX_VALUES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            self.0.place.index(array.len());
            let item = items.next_element_seed(Node(self.0))?;
            self.0.place.up();
            match item {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.0.text(&key)?;
            if object.contains_key(&key) {
                let path = self.0.place.below(&key);
                return Err(self.0.fail(path, "stands there twice"));
            }
            self.0.place.key(&key);
            let value = entries.next_value_seed(Node(self.0))?;
            self.0.place.up();
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: impl AsRef<[u8]>) -> String {
        match parse(bytes.as_ref(), "") {
            Err(error) => error.to_string(),
            Ok(value) => panic!("{value}"),
        }
    }

    #[test]
    fn a_document_that_is_no_json_is_refused_with_the_place() {
        for (bytes, text) in [
            (&b""[..], "config.json: is no JSON: EOF while parsing a value at line 1 column 0"),
            (b" \n ", "config.json: is no JSON: EOF while parsing a value at line 2 column 1"),
            (b"{\"a\": [1,", "config.json: is no JSON: EOF while parsing a value at line 1 column 9"),
            (b"{} {}", "config.json: is no JSON: trailing characters at line 1 column 4"),
            (b"{\"a\": 1,}", "config.json: is no JSON: trailing comma at line 1 column 9"),
            (b"{\"a\": 1e400}", "config.json: is no JSON: number out of range at line 1 column 11"),
            (b"{\"a\": NaN}", "config.json: is no JSON: expected value at line 1 column 7"),
            (b"{\"a\": 01}", "config.json: is no JSON: invalid number at line 1 column 8"),
            (b"\xef\xbb\xbf{}", "config.json: begins with a byte order mark"),
            (b"{\"a\": \"\0\"}", "config.json: contains a NUL byte at offset 7"),
            (b"{\"a\": \"\xff\"}", "config.json: is not UTF-8 at offset 7"),
            (
                b"{\"a\": \"\\ud800\"}",
                "config.json: is no JSON: unexpected end of hex escape at line 1 column 14",
            ),
        ] {
            assert_eq!(refused(bytes), text, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_named_with_its_path() {
        for (text, expected) in [
            (r#"{"a": 1, "a": 1}"#, "config.json: a: stands there twice"),
            (r#"{"l": {"n": [{}, {"t": 1, "b": 0, "t": 2}]}}"#, "config.json: l.n[1].t: stands there twice"),
            (r#"{"s": {"net.x": "", "net\u002ex": ""}}"#, "config.json: s[\"net.x\"]: stands there twice"),
        ] {
            assert_eq!(refused(text), expected);
        }
        assert_eq!(parse(br#"{"a": {"b": 1}, "b": {"a": 1}}"#, "").unwrap()["a"]["b"], 1);
    }

    #[test]
    fn an_escaped_nul_is_refused_in_values_and_keys() {
        assert_eq!(
            refused(r#"{"process": {"args": ["a", "b\u0000c"]}}"#),
            "config.json: process.args[1]: \"b\\0c\" contains a NUL byte"
        );
        assert_eq!(refused(r#"{"b\u0000c": 1}"#), "config.json: \"b\\0c\" contains a NUL byte");
        assert_eq!(parse(br#"["\\u0000"]"#, "").unwrap()[0], "\\u0000");
    }

    #[test]
    fn nesting_and_the_number_of_values_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(127).as_bytes(), "").is_ok());
        assert_eq!(refused(nested(128)), "config.json: is nested deeper than 127 levels");
        assert_eq!(refused("[".repeat(1 << 20)), "config.json: is nested deeper than 127 levels");
        let wide = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(refused(wide), "config.json: [1048575]: the document has more than 1048576 values");
        assert_eq!(refused(vec![b' '; MAX_BYTES + 1]), "config.json: 67108865 bytes are more than 67108864");
    }

    #[test]
    fn a_part_of_a_configuration_is_named_so() {
        let error = parse(br#"{"a": 1, "a": 1}"#, "process").unwrap_err();
        assert_eq!(error.to_string(), "config.json: process.a: stands there twice");
    }
}
