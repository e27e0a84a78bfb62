//! Platforms: names, what runs where, and which is the best.

use cofferdam_image_spec::Platform;

fn parse(text: &str) -> Platform {
    text.parse().expect("a platform")
}

#[test]
fn other_names_become_gos() {
    for (text, printed) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i686", "linux/386"),
        ("linux/loongarch64", "linux/loong64"),
        ("linux/powerpc64le", "linux/ppc64le"),
        ("macos/aarch64", "darwin/arm64"),
        ("plan9/mips64le/softfloat", "plan9/mips64le/softfloat"),
        ("linux/other/4M.O2", "linux/other/4m.o2"),
        ("linux/arm/7L", "linux/arm/v7l"),
    ] {
        assert_eq!(parse(text).to_string(), printed);
        assert_eq!(parse(printed), parse(text));
    }
}

#[test]
fn what_is_no_platform() {
    for bad in [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux//v8",
        "linux/arm/v7/x",
        "linux/a b",
        "linux/ämd64",
        "linux/amd64\n",
    ] {
        assert!(bad.parse::<Platform>().is_err(), "{bad:?}");
    }
}

#[test]
fn what_runs_where() {
    for (here, runs) in [
        ("linux/amd64", "linux/amd64 linux/amd64/v1 linux/x86_64"),
        ("linux/amd64/v3", "linux/amd64 linux/amd64/v1 linux/amd64/v2 linux/amd64/v3 linux/x86_64"),
        ("linux/arm", "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v5 linux/arm/v6"),
        ("linux/arm/v8", "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8"),
        ("linux/arm64", "linux/arm64 linux/arm64/v8 linux/aarch64"),
        ("linux/arm64/v8", "linux/arm64 linux/arm64/v8 linux/aarch64"),
        ("linux/arm64/v8.6", "linux/arm64 linux/arm64/v8 linux/arm64/v8.5 linux/arm64/v8.6 linux/aarch64"),
        ("linux/arm64/v9", "linux/arm64 linux/arm64/v8 linux/arm64/v8.5 linux/arm64/v9 linux/aarch64"),
        ("linux/riscv64", "linux/riscv64"),
        ("linux/riscv64/rva23u64", "linux/riscv64 linux/riscv64/rva23u64"),
        ("windows/amd64", "windows/amd64"),
    ] {
        let all = "linux/amd64 linux/amd64/v1 linux/amd64/v2 linux/amd64/v3 linux/amd64/v4 linux/amd64/other linux/x86_64 linux/386 \
                   linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64 linux/arm64/v8 linux/arm64/v8.5 \
                   linux/arm64/v8.6 linux/arm64/v9 linux/arm64/v9.2 linux/aarch64 linux/riscv64 linux/riscv64/rva23u64 \
                   windows/amd64 unknown/unknown linux/s390x";
        let found: Vec<_> = all.split_whitespace().filter(|text| parse(here).matches(&parse(text))).collect();
        assert_eq!(found.join(" "), runs, "{here}");
    }
}

#[test]
fn the_best_is_the_newest_that_runs_then_the_first() {
    for (here, offers, best) in [
        ("linux/amd64", "linux/amd64/v2 linux/amd64 linux/amd64/v1", Some(2)),
        ("linux/amd64", "linux/amd64/v2 linux/amd64 linux/amd64", Some(1)),
        ("linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", Some(1)),
        ("linux/arm/v8", "linux/arm/v6 linux/arm/v7 linux/arm/v5", Some(1)),
        ("linux/arm/v8", "linux/arm/v6 linux/arm linux/arm/v5", Some(1)),
        ("linux/arm64", "linux/arm/v8 linux/arm64 linux/arm64/v8", Some(2)),
        ("linux/arm64/v9.1", "linux/arm64/v8.6 linux/arm64/v9 linux/arm64/v8", Some(1)),
        ("linux/mips64le/softfloat", "linux/mips64le linux/mips64le/softfloat", Some(1)),
        ("linux/amd64", "linux/386 windows/amd64", None),
        ("linux/amd64", "", None),
    ] {
        let offers: Vec<Platform> = offers.split_whitespace().map(parse).collect();
        assert_eq!(parse(here).best_of(&offers), best, "{here}");
    }
}

#[test]
fn versions_and_features_of_the_system() {
    let windows = |version: Option<&str>, features: &[&str]| {
        let mut platform = Platform::new("windows", "amd64");
        platform.os_version = version.map(str::to_owned);
        platform.os_features = features.iter().map(|&feature| feature.to_owned()).collect();
        platform
    };
    let here = windows(Some("10.0.14393.1066"), &["win32k"]);
    assert!(here.matches(&windows(None, &[])));
    assert!(here.matches(&windows(Some("10.0.14393.1066"), &["win32k"])));
    assert!(!here.matches(&windows(Some("10.0.17763.1"), &[])));
    assert!(!here.matches(&windows(None, &["other"])));
    assert!(windows(None, &[]).matches(&windows(Some("10.0.17763.1"), &[])));
    assert!(!windows(None, &[]).matches(&windows(None, &["win32k"])));
    let offers = [windows(None, &[]), windows(Some("10.0.14393.1066"), &[])];
    assert_eq!(here.best_of(&offers), Some(1));
}

#[test]
fn this_host_runs_what_is_made_for_it() {
    let (host, processor) = (Platform::host(), Platform::processor());
    assert_eq!(host.os, "linux");
    assert!(processor.matches(&host));
    assert_eq!(processor.architecture, host.architecture);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(host.to_string(), "linux/amd64");
        let variant = processor.variant.expect("a level");
        assert!(["v1", "v2", "v3", "v4"].contains(&variant.as_str()), "{variant}");
    }
}

#[test]
fn names_in_json_are_those_of_the_specification() {
    let text = r#"{"architecture":"amd64","os":"windows","os.features":["win32k"],"os.version":"10","variant":"v1"}"#;
    let platform: Platform = serde_json::from_str(text).unwrap();
    assert_eq!(platform.os_version.as_deref(), Some("10"));
    assert_eq!(
        serde_json::to_value(&platform).unwrap(),
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
    let aliases: Platform = serde_json::from_str(r#"{"architecture":"x86_64","os":"linux"}"#).unwrap();
    assert_eq!(aliases.architecture, "x86_64", "what was written stays");
    assert!(Platform::new("linux", "amd64").matches(&aliases));
}
