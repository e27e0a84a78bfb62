//! Hosts that are made up: how libraries and interpreters are found.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cofferdam_image_spec::{Error, HostPlan, HostSource};

use crate::support::{Elf, Made, short};

const LD: &str = "/lib64/ld-linux-x86-64.so.2";

fn program<'a>(needed: &'a [&'a str]) -> Elf<'a> {
    Elf { interpreter: Some(LD), needed, ..Elf::default() }
}

fn library<'a>(needed: &'a [&'a str]) -> Elf<'a> {
    Elf { needed, ..Elf::default() }
}

/// A host with the interpreter and a C library.
fn host() -> Made {
    let made = Made::new().elf("/usr/lib64/ld-2.so", library(&[])).link("/lib64", "usr/lib64");
    let made = made.link("/usr/lib64/ld-linux-x86-64.so.2", "ld-2.so");
    made.elf("/usr/lib/x86_64-linux-gnu/libc.so.6", library(&["ld-linux-x86-64.so.2"]))
        .link("/lib", "usr/lib")
}

fn plan(made: &Made, name: &str) -> HostPlan {
    made.image().program(name).plan().expect("a plan")
}

#[test]
fn links_on_the_way_come_with_what_they_lead_to() {
    let made =
        host().elf("/usr/bin/dash", program(&["libc.so.6"])).link("/usr/bin/sh", "/etc/alternatives/sh");
    let made = made.link("/etc/alternatives/sh", "../../bin/dash").link("/bin", "usr/bin");
    let plan = plan(&made, "/bin/sh");
    let expected = [
        "/bin -> usr/bin",
        "/etc/alternatives/sh -> ../../bin/dash",
        "/lib -> usr/lib",
        "/lib64 -> usr/lib64",
        "/usr/bin/dash",
        "/usr/bin/sh -> /etc/alternatives/sh",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/lib64/ld-2.so",
        "/usr/lib64/ld-linux-x86-64.so.2 -> ld-2.so",
    ];
    assert_eq!(short(&plan), expected);
    assert_eq!(plan.get("/usr/bin/dash").unwrap().mode, 0o755, "no setuid bit");
    assert_eq!(plan.command(), ["/bin/sh"]);
    for entry in plan.entries() {
        let parent = entry.path.parent().unwrap();
        let there =
            parent == Path::new("/") || plan.get(parent).is_some_and(|e| e.source == HostSource::Directory);
        assert!(there, "{entry} has no directory");
    }
}

#[test]
fn search_paths_of_files_come_first_and_are_inherited_as_a_loader_does() {
    let deep = Elf { runpath: Some("$ORIGIN/own"), needed: &["libown.so", "libfar.so"], ..Elf::default() };
    let app = Elf { rpath: Some("${ORIGIN}/../lib:relative"), ..program(&["libnear.so", "libdeep.so"]) };
    let made =
        host().elf("/opt/bin/app", app).elf("/opt/lib/libnear.so", library(&["libfar.so", "libc.so.6"]));
    let made = made.elf("/opt/lib/libfar.so", library(&[])).elf("/opt/lib/libdeep.so", deep);
    let made = made.elf("/opt/lib/own/libown.so", library(&[])).elf("/usr/lib/libfar.so", library(&[]));
    // A file of another machine is passed over.
    let made = made.elf("/opt/lib/libc.so.6", Elf { machine: Some(183), ..library(&["libnone.so"]) });
    let found = short(&plan(&made, "/opt/bin/app"));
    for path in ["/opt/lib/libnear.so", "/opt/lib/libfar.so", "/opt/lib/own/libown.so"] {
        assert!(found.contains(&path.to_owned()), "{path} in {found:?}");
    }
    assert!(found.contains(&"/usr/lib/x86_64-linux-gnu/libc.so.6".to_owned()), "{found:?}");
    // It was loaded before `libdeep.so`, whose RUNPATH takes the place of what is inherited, asked for it.
    assert!(!found.contains(&"/usr/lib/libfar.so".to_owned()), "{found:?}");
    let alone = Elf { rpath: Some("/opt/lib"), ..program(&["libdeep.so"]) };
    let made = made.elf("/opt/bin/alone", alone);
    assert!(short(&plan(&made, "/opt/bin/alone")).contains(&"/usr/lib/libfar.so".to_owned()));
}

#[test]
fn configured_directories_need_the_hosts_cache() {
    let made = host().elf("/usr/bin/app", program(&["libx.so", "libc.so.6"]));
    let made = made.elf("/opt/x/libx.so", library(&[])).file("/etc/ld.so.cache", "cache");
    let missing = made.image().program("app").plan().unwrap_err();
    assert!(missing.to_string().contains("libx.so, needed by /usr/bin/app"), "{missing}");
    let made = made
        .file("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n")
        .file("/etc/ld.so.conf.d/x.conf", "/opt/x\n");
    let found = short(&plan(&made, "app"));
    assert!(
        found.contains(&"/opt/x/libx.so".to_owned()) && found.contains(&"/etc/ld.so.cache".to_owned()),
        "{found:?}"
    );
    let made = made.elf("/usr/bin/other", program(&["libc.so.6"]));
    assert!(!short(&plan(&made, "other")).contains(&"/etc/ld.so.cache".to_owned()));
}

#[test]
fn what_is_missing_is_named_with_what_needs_it() {
    let made =
        host().elf("/usr/bin/app", program(&["liba.so"])).elf("/usr/lib/liba.so", library(&["libgone.so.1"]));
    let error = made.image().program("app").plan().unwrap_err();
    assert!(matches!(&error, Error::Missing { what: "library", .. }), "{error}");
    assert_eq!(error.to_string(), "library libgone.so.1, needed by /lib/liba.so, is not there");

    let lone = Elf { interpreter: Some("/lib/ld-none.so"), ..Elf::default() };
    let made = made.elf("/usr/bin/lone", lone).file("/usr/bin/script", "#!/usr/bin/nothing\n");
    let error = made.image().program("lone").plan().unwrap_err();
    assert_eq!(error.to_string(), "interpreter /lib/ld-none.so, needed by /usr/bin/lone, is not there");
    let error = made.image().program("script").plan().unwrap_err();
    assert_eq!(error.to_string(), "program /usr/bin/nothing, needed by /usr/bin/script, is not there");
    let error = made.image().program("nothing").plan().unwrap_err();
    assert_eq!(error.to_string(), "program nothing is not there");
}

#[test]
fn scripts_bring_what_runs_them() {
    let made =
        host().elf("/usr/bin/env", program(&["libc.so.6"])).elf("/usr/bin/lua", program(&["liblua.so"]));
    let made =
        made.elf("/usr/lib/liblua.so", library(&[])).file("/usr/bin/tool", "#!/usr/bin/env -S lua -x\ncode");
    let made = made.file("/usr/bin/over", "#! /usr/bin/tool\n").file("/usr/bin/data", "just text");
    let found = short(&plan(&made, "over"));
    for path in [
        "/usr/bin/over",
        "/usr/bin/tool",
        "/usr/bin/env",
        "/usr/bin/lua",
        "/usr/lib/liblua.so",
        "/lib -> usr/lib",
    ] {
        assert!(found.contains(&path.to_owned()), "{path} in {found:?}");
    }
    let error = made.image().program("data").plan().unwrap_err();
    assert!(matches!(&error, Error::Invalid { what: "program", .. }), "{error}");

    let made = made.file("/usr/bin/a", "#!/usr/bin/b\n").file("/usr/bin/b", "#!/usr/bin/a\n");
    let error = made.image().program("a").plan().unwrap_err();
    assert!(error.to_string().contains("too many scripts"), "{error}");
}

#[test]
fn static_programs_and_musls_need_nothing_else() {
    let made = Made::new().elf("/bin/static", Elf::default());
    let musl = Elf {
        interpreter: Some("/lib/ld-musl-x86_64.so.1"),
        needed: &["libc.musl-x86_64.so.1"],
        ..Elf::default()
    };
    let made = made.elf("/bin/musl", musl).elf("/lib/ld-musl-x86_64.so.1", library(&[]));
    assert_eq!(short(&plan(&made, "static")), ["/bin/static"]);
    assert_eq!(short(&plan(&made, "musl")), ["/bin/musl", "/lib/ld-musl-x86_64.so.1"]);
    let zlib = Elf { needed: &["libz.so"], ..musl };
    let made = made
        .elf("/bin/zlib", zlib)
        .elf("/opt/z/libz.so", library(&[]))
        .file("/etc/ld-musl-x86_64.path", "/opt/z\n");
    let found = short(&plan(&made, "zlib"));
    assert_eq!(
        found,
        ["/bin/zlib", "/etc/ld-musl-x86_64.path", "/lib/ld-musl-x86_64.so.1", "/opt/z/libz.so"]
    );
}

#[test]
fn files_contents_and_the_base_are_added() {
    let made = host().file("/etc/config", "host").elf("/usr/lib/libplug.so", library(&["libdep.so"]));
    let made = made.elf("/usr/lib/libdep.so", library(&[])).link("/var/data", "../srv").file("/srv/x", "");
    std::fs::set_permissions(made.at("/etc/config"), PermissionsExt::from_mode(0o640)).unwrap();
    let image = made.image().file("/etc/config").file("/usr/lib/libplug.so");
    let image = image.content("/var/data/new/file", 0o600, "text").content("/etc/group", 0o644, "mine");
    let plan = image.base(true).plan().unwrap();
    assert_eq!(plan.get("/etc/config").unwrap().mode, 0o640);
    assert!(plan.get("/usr/lib/libdep.so").is_some());
    assert_eq!(plan.get("/srv/new/file").unwrap().source, HostSource::Bytes(b"text".to_vec()));
    assert_eq!(plan.get("/srv/new").unwrap().source, HostSource::Directory);
    assert_eq!(plan.get("/var/data").unwrap().source, HostSource::Link("../srv".into()));
    assert_eq!(plan.get("/etc/group").unwrap().source, HostSource::Bytes(b"mine".to_vec()));
    assert_eq!(plan.get("/tmp").unwrap().mode, 0o1777);
    assert_eq!(
        plan.get("/lib64").unwrap().source,
        HostSource::Link("usr/lib64".into()),
        "merged as on the host"
    );
    let HostSource::Bytes(passwd) = &plan.get("/etc/passwd").unwrap().source else { panic!("{plan}") };
    assert!(passwd.starts_with(b"root:x:0:0:") && passwd.windows(6).any(|part| part == b"nobody"));
    assert!(plan.command().is_empty());
    let text = plan.to_string();
    assert!(text.contains("1777 dir  /tmp\n") && text.contains("0777 link /var/data -> ../srv\n"), "{text}");

    for wrong in ["relative", "/", "/etc/..", "/new/../x", "/nul\0"] {
        assert!(made.image().content(wrong, 0, "").plan().is_err(), "{wrong}");
    }
    let error =
        made.image().content("/.wh.x", 0, "").plan().unwrap().write(std::io::sink(), Default::default());
    assert!(matches!(error, Err(Error::Entry { .. })), "{error:?}");
    assert!(made.image().file("/etc").plan().is_err());
    assert!(made.image().file("/none").plan().is_err());
}

#[test]
fn loops_of_links_end() {
    let made = Made::new().link("/bin/a", "b").link("/bin/b", "a").link("/x", "x/x");
    assert!(made.image().program("a").plan().is_err());
    let error = made.image().file("/x/y").plan().unwrap_err();
    let Error::File { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.raw_os_error(), Some(40));
}

#[test]
fn the_fingerprint_tells_whether_an_input_changed() {
    let made = host().elf("/usr/bin/app", program(&["libc.so.6"]));
    let first = plan(&made, "app");
    assert_eq!(first.fingerprint(), plan(&made, "app").fingerprint());
    let image = || made.image().program("app");
    assert_ne!(first.fingerprint(), image().content("/x", 0o644, "").plan().unwrap().fingerprint());
    let file =
        std::fs::File::options().append(true).open(made.at("/usr/lib/x86_64-linux-gnu/libc.so.6")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_ne!(first.fingerprint(), plan(&made, "app").fingerprint());
    // What was planned is not there any more.
    let error = first.write(std::io::sink(), Default::default()).unwrap_err();
    assert!(matches!(&error, Error::Entry { entry, .. } if entry.ends_with("libc.so.6")), "{error}");
}
