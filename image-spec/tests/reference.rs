//! References: the grammar as a table.

use cofferdam_image_spec::{Digest, Reference};

const DIGEST: &str = "sha256:be178c0543eb17f5f3043021c9e5fcf30285e557a4fc309cce97ff9ca6182912";

fn parse(text: &str) -> Result<Reference, cofferdam_image_spec::Error> {
    text.parse()
}

#[test]
fn short_names_are_completed() {
    for (text, full, short) in [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("library/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("example.com", "docker.io/library/example.com:latest", "example.com:latest"),
        ("example.com/app", "example.com/app:latest", "example.com/app:latest"),
        ("host:5000/app", "host:5000/app:latest", "host:5000/app:latest"),
        ("docker.io/example.com/app", "docker.io/example.com/app:latest", "docker.io/example.com/app:latest"),
        ("docker.io/localhost/app", "docker.io/localhost/app:latest", "docker.io/localhost/app:latest"),
        ("Host/app", "Host/app:latest", "Host/app:latest"),
    ] {
        let reference = parse(text).unwrap();
        assert_eq!(reference.to_string(), full);
        assert_eq!(reference.familiar(), short);
        assert_eq!(parse(full).unwrap(), reference);
        assert_eq!(parse(short).unwrap(), reference);
    }
}

#[test]
fn names_are_taken_apart() {
    for (text, domain, path) in [
        ("a/b/c", "docker.io", "a/b/c"),
        ("foo.com:8080/bar", "foo.com:8080", "bar"),
        ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux"),
        ("b.gcr.io/test.example.com/my-app", "b.gcr.io", "test.example.com/my-app"),
        ("xn--n3h.com/myimage", "xn--n3h.com", "myimage"),
        (
            "example.com/some_separator__underscore/myimage",
            "example.com",
            "some_separator__underscore/myimage",
        ),
        (
            "r.io/foo/project--id.module--name.ver---sion--name",
            "r.io",
            "foo/project--id.module--name.ver---sion--name",
        ),
        ("do__cker/docker", "docker.io", "do__cker/docker"),
        ("Asdf.com/foo/bar", "Asdf.com", "foo/bar"),
        ("192.168.1.1:5000/x", "192.168.1.1:5000", "x"),
        ("0101.com/x", "0101.com", "x"),
        ("[fd00:1:2::3]/x", "[fd00:1:2::3]", "x"),
        (
            "[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:443/x",
            "[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:443",
            "x",
        ),
    ] {
        let reference = parse(text).unwrap();
        assert_eq!((reference.domain(), reference.path()), (domain, path));
        assert_eq!(reference.tag(), Some("latest"));
        assert_eq!(reference.name(), format!("{domain}/{path}"));
    }
}

#[test]
fn tags_and_digests() {
    let long = "x".repeat(128);
    for (suffix, tag, digest) in [
        (":tag".to_owned(), Some("tag"), None),
        (":_A.b-C".to_owned(), Some("_A.b-C"), None),
        (format!(":{long}"), Some(long.as_str()), None),
        (format!("@{DIGEST}"), None, Some(DIGEST)),
        (format!(":tag2@{DIGEST}"), Some("tag2"), Some(DIGEST)),
    ] {
        for name in ["registry.com:8080/myapp", "docker.io/library/localhost"] {
            let reference = parse(&format!("{name}{suffix}")).unwrap();
            assert_eq!(reference.tag(), tag);
            assert_eq!(reference.digest(), digest.map(|digest| digest.parse().unwrap()).as_ref());
            assert_eq!(reference.to_string(), format!("{name}{suffix}"));
        }
    }
    let both = parse(&format!("app:v1@{DIGEST}")).unwrap();
    assert_eq!(both.canonical(), parse(&format!("app@{DIGEST}")).unwrap());
    assert_eq!(both.with_tag("v2").unwrap(), parse("app:v2").unwrap());
    assert_eq!(both.with_digest(Digest::sha256(b"")).tag(), None);
    assert!(both.with_tag("v 2").is_err());
    let sha512 = Digest::of(cofferdam_image_spec::Algorithm::Sha512, b"x");
    assert_eq!(parse(&format!("app@{sha512}")).unwrap().digest(), Some(&sha512));
}

fn refused(text: &str, reason: &str) {
    let message = parse(text).expect_err(text).to_string();
    assert!(message.starts_with("reference ") && message.contains(reason), "{text:?}: {message}");
}

#[test]
fn what_is_no_reference() {
    for (text, reason) in [
        ("", "is empty"),
        (":tag", "empty part"),
        ("@", "digest that is none"),
        ("/", "empty part"),
        ("app:", "empty tag"),
        ("app@", "digest that is none"),
        ("app:-x", "tag with"),
        ("app:.x", "tag with"),
        ("app:a b", "tag with"),
        ("registry.com:8080/myapp:invalid~tag", "tag with"),
        ("registry.com:8080/myapp@sha256:badbadbadbad", "digest that is none"),
        ("registry.com:8080/myapp@bad", "digest that is none"),
        ("app@md5:d41d8cd98f00b204e9800998ecf8427e", "digest that is none"),
        ("a@b@c", "digest that is none"),
        ("Debian", "upper case"),
        ("example.com/Team/app", "upper case"),
        ("Foo/FarB", "upper case"),
        ("a^a", "other characters"),
        ("aa/asdf$$^/aa", "other characters"),
        ("example.com/ä", "other characters"),
        ("app\n", "other characters"),
        (" app", "other characters"),
        ("app\0", "other characters"),
        ("a//a/a", "empty part"),
        ("a/a/", "empty part"),
        ("foo.com/", "empty part"),
        ("/app", "empty part"),
        ("example.com/../app", "begins or ends"),
        ("..", "begins or ends"),
        ("../app", "domain with"),
        ("./app", "domain with"),
        ("example.com/./app", "begins or ends"),
        ("foo/bar-", "begins or ends"),
        ("foo-/bar", "begins or ends"),
        ("-foo/bar", "begins or ends"),
        ("_docker/_docker", "begins or ends"),
        ("____/____", "begins or ends"),
        ("example.com/.dots/x", "begins or ends"),
        ("example.com/no..dots/x", "other separators"),
        ("a___b", "other separators"),
        ("a._b", "other separators"),
        ("a-_b", "other separators"),
        ("a.-b", "other separators"),
        ("da304e823d8ca2b9d863a3c897baeb852ba21ea9a9f1414736394ae7fcaf9821", "64 hexadecimal"),
    ] {
        refused(text, reason);
    }
}

#[test]
fn what_is_no_domain() {
    for (text, reason) in [
        ("docker./docker", "domain with"),
        (".docker/docker", "domain with"),
        ("do..cker/docker", "domain with"),
        ("do__cker:8080/docker", "domain with"),
        ("foo_bar.com:8080/app", "domain with"),
        ("-ab.com/x", "domain with"),
        ("ab-.com/x", "domain with"),
        ("foo.com:http/bar", "port"),
        ("foo.com:/bar", "port"),
        ("foo.com:+1/bar", "port"),
        ("foo.com:65536/bar", "port"),
        ("fd00:1:2::3:75050/x", "port"),
        ("[fd00:1:2::3]75050/x", "something else than a port"),
        ("[fd00:1:2::3]::443/x", "port"),
        ("[fd00:1:2::3%eth0]:443/x", "no IPv6 address"),
        ("[::ffff:1.2.3.4]/x", "no IPv6 address"),
        ("[fd00123123123]:443/x", "no IPv6 address"),
        ("[]:443/x", "no IPv6 address"),
        ("[::1/x", "not closed"),
        ("http://example.com/x", "port"),
    ] {
        refused(text, reason);
    }
}

#[test]
fn lengths() {
    let name = |length: usize| format!("example.com/{}", "x".repeat(length - 12));
    assert!(parse(&name(255)).is_ok());
    assert!(parse(&name(256)).unwrap_err().to_string().contains("255"));
    assert!(parse(&format!("app:{}", "x".repeat(129))).unwrap_err().to_string().contains("128"));
    for long in ["x".repeat(5000), "a/".repeat(2500), "a.".repeat(2500), format!("app@{}", "a".repeat(5000))]
    {
        let message = parse(&long).unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }
}

#[test]
fn in_json_a_reference_is_a_string() {
    let reference = parse("app:v1").unwrap();
    let json = serde_json::to_string(&reference).unwrap();
    assert_eq!(json, r#""docker.io/library/app:v1""#);
    assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), reference);
    assert!(serde_json::from_str::<Reference>(r#""App""#).is_err());
}
