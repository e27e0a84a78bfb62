//! What the names of layers make together.

use super::*;

/// Layers of names: `d/` is a directory, `f` a file, `s>t` a symbolic link, `l=t` a hard link, `-f` a whiteout,
/// `d/*` opaque.
fn merged(layers: &[&[&str]]) -> Result<Vec<(String, Place)>> {
    let mut tree = Tree::new();
    for (number, layer) in layers.iter().enumerate() {
        if number > 0 {
            tree.next_layer();
        }
        for (index, text) in (0..).zip(*layer) {
            if let Some(path) = text.strip_prefix('-') {
                let (directory, name) = split(path.as_bytes());
                tree.whiteout(directory, name)?;
            } else if let Some(path) = text.strip_suffix("/*") {
                tree.opaque(path.as_bytes())?;
            } else if let Some((path, target)) = text.split_once('>') {
                tree.add(path.as_bytes(), Thing::Symlink(target.into()), index)?;
            } else if let Some((path, target)) = text.split_once('=') {
                tree.add(path.as_bytes(), Thing::Link(target.into()), index)?;
            } else if let Some(path) = text.strip_suffix('/') {
                tree.add(path.as_bytes(), Thing::Directory, index)?;
            } else {
                tree.add(text.as_bytes(), Thing::Other, index)?;
            }
        }
    }
    let mut names: Vec<_> = (tree.names()?.0.into_iter())
        .flat_map(|(place, names)| names.into_iter().map(move |name| (name, place)))
        .map(|(name, place)| (String::from_utf8(name).expect("text"), place))
        .collect();
    names.sort();
    Ok(names)
}

fn names(layers: &[&[&str]]) -> Vec<String> {
    merged(layers).unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn upper_layers_win() {
    let merged = merged(&[&["d/", "d/a", "d/b"], &["d/a"], &["d/", "c"]]).unwrap();
    let expected = [("c", (2, 1)), ("d", (2, 0)), ("d/a", (1, 0)), ("d/b", (0, 2))];
    assert_eq!(merged, expected.map(|(name, place)| (name.to_owned(), place)));
}

#[test]
fn whiteouts_hide_what_lower_layers_have_in_any_order() {
    assert_eq!(names(&[&["d/", "d/a", "d/b", "e"], &["-d/a", "-e", "-none", "-no/ne"]]), ["d", "d/b"]);
    assert_eq!(names(&[&["d/", "d/a"], &["-d", "d/", "d/b"]]), ["d", "d/b"]);
    assert_eq!(names(&[&["d/", "d/a"], &["d/", "d/b", "-d"]]), ["d", "d/b"]);
    assert_eq!(names(&[&["a"], &["a", "-a"]]), ["a"]);
    assert_eq!(names(&[&["a"], &["-a"], &["a"]]), ["a"]);
    // A directory of which nothing is said in the layer that hides the lower one has no place.
    assert_eq!(names(&[&["d/", "d/a"], &["d/b", "-d"]]), ["d/b"]);
}

#[test]
fn opaque_directories_show_only_their_own() {
    assert_eq!(
        names(&[&["d/", "d/a", "d/e/", "d/e/x"], &["d/", "d/b", "d/e/y", "d/*"]]),
        ["d", "d/b", "d/e/y"]
    );
    assert_eq!(names(&[&["d/", "d/a"], &["d/*", "d/b"]]), ["d", "d/b"]);
    assert_eq!(names(&[&["a", "b/", "b/c"], &["/*", "x"]]), ["x"]);
}

#[test]
fn other_kinds_replace_each_other_with_all_below() {
    assert_eq!(names(&[&["d/", "d/a"], &["d"]]), ["d"]);
    assert_eq!(names(&[&["d/", "d/a"], &["d"], &["d/"]]), ["d"]);
    assert_eq!(names(&[&["d"], &["d/a"]]), ["d/a"]);
    assert_eq!(names(&[&["d/", "d/a"], &["d>e"], &["e/", "d/b"]]), ["d", "e", "e/b"]);
}

#[test]
fn links_to_directories_are_followed_but_for_the_last_name() {
    let lower: &[&str] = &["usr/", "usr/lib/", "lib>usr/lib", "abs>/usr/./lib", "up>../../usr"];
    let add = |more: &[&str]| {
        let all = names(&[lower, more]);
        let known = names(&[lower]);
        all.into_iter().filter(|name| !known.contains(name)).collect::<Vec<_>>()
    };
    assert_eq!(add(&["lib/x"]), ["usr/lib/x"]);
    assert_eq!(add(&["abs/x", "up/y"]), ["usr/lib/x", "usr/y"]);
    assert_eq!(names(&[lower, &["lib/x"], &["-lib/x"]]), names(&[lower]));
    let replaced = names(&[lower, &["lib/", "lib/x"]]);
    assert!(replaced.contains(&"lib/x".to_owned()) && !replaced.contains(&"usr/lib/x".to_owned()));
    assert_eq!(names(&[&["s>missing/dir", "s/x"]]), ["missing/dir/x", "s"]);
    assert!(merged(&[&["a>b", "b>a", "a/x"]]).is_err());
}

#[test]
fn hard_links_keep_what_they_share() {
    let share = merged(&[&["a", "b=a", "d/", "d/c=b"], &["-a"]]).unwrap();
    let place = |name: &str| share.iter().find(|(other, _)| other == name).map(|(_, place)| *place);
    assert_eq!((place("a"), place("b"), place("d/c")), (None, Some((0, 0)), Some((0, 0))));
    let across = merged(&[&["a"], &["b=a"], &["a"]]).unwrap();
    assert_eq!(across, [("a".to_owned(), (2, 0)), ("b".to_owned(), (0, 0))]);
    for bad in [&["b=a"][..], &["d/", "b=d"], &["b=../../etc/passwd"], &["b=b"], &["a", "b="]] {
        assert!(merged(&[bad]).is_err(), "{bad:?}");
    }
}

#[test]
fn links_do_not_lead_deeper_than_a_path_can() {
    let deep = |count| "d/".repeat(count);
    let mut tree = Tree::new();
    let mut error = None;
    for step in 0..8 {
        let target = if step == 0 { deep(500) } else { format!("l{}/{}", step - 1, deep(500)) };
        let link = format!("l{step}");
        tree.add(link.as_bytes(), Thing::Symlink(target.into()), step).unwrap();
        if let Err(found) = tree.add(format!("{link}/x").as_bytes(), Thing::Other, step) {
            error = Some(found.to_string());
            break;
        }
    }
    assert!(error.unwrap().contains("too deep"));
}

#[test]
fn names_that_links_make_long_are_limited_together() {
    let long = vec!["n".repeat(250); 1000].join("/");
    let mut tree = Tree::new();
    tree.add(b"l", Thing::Symlink(long.into()), 0).unwrap();
    for index in 1..2000 {
        tree.add(format!("l/{index}").as_bytes(), Thing::Other, index).unwrap();
    }
    assert!(matches!(tree.names(), Err(Error::Limit { .. })));
}
