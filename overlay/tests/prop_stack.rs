//! Stacks of any shape: validation never panics, and what is valid has parameters that fit the kernel's rules.

use cofferdam_overlay::{Method, RedirectDir, Stack, Uuid, Value, Xino};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn path() -> impl Strategy<Value = String> {
    vec(select(vec!["a", "b", ".", "..", "c:d", "e,f", r"g\h", "i j", ""]), 0..4)
        .prop_flat_map(|parts| prop_oneof![Just(format!("/{}", parts.join("/"))), Just(parts.join("/"))])
}

prop_compose! {
    fn stack()(
        lowers in vec(path(), 0..5),
        upper in option::of((path(), path())),
        index in option::of(any::<bool>()),
        metacopy in option::of(any::<bool>()),
        redirect_dir in option::of(select(RedirectDir::ALL)),
        xino in option::of(select(Xino::ALL)),
        uuid in option::of(select(Uuid::ALL)),
        (volatile, userxattr) in any::<(bool, bool)>(),
    ) -> Stack {
        let mut stack = Stack::new().lowers(lowers);
        if let Some((upper, work)) = upper {
            stack = stack.upper(upper, work);
        }
        if let Some(on) = index {
            stack = stack.index(on);
        }
        if let Some(on) = metacopy {
            stack = stack.metacopy(on);
        }
        stack = redirect_dir.into_iter().fold(stack, Stack::redirect_dir);
        stack = xino.into_iter().fold(stack, Stack::xino);
        stack = uuid.into_iter().fold(stack, Stack::uuid);
        stack = if volatile { stack.volatile() } else { stack };
        if userxattr { stack.userxattr() } else { stack }
    }
}

/// What the kernel makes of an escaped value.
fn unescape(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// The kernel's way of taking `lowerdir=` apart.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => parts.push(String::new()),
            '\\' => parts.last_mut().expect("one").extend(characters.next()),
            other => parts.last_mut().expect("one").push(other),
        }
    }
    parts
}

proptest! {
    #[test]
    fn parameters_are_had_if_valid(stack in stack()) {
        let union = stack.sole().is_none();
        for method in [Method::OptionString, Method::Append, Method::Descriptors] {
            prop_assert_eq!(stack.parameters(method).is_ok(), stack.validate().is_ok() && union);
        }
        prop_assert_eq!(stack.clone(), stack);
    }

    #[test]
    fn paths_come_through_their_escapes(stack in stack()) {
        let lowers: Vec<String> = stack.lower_layers().iter().map(ToString::to_string).collect();
        for method in [Method::OptionString, Method::Append] {
            let Ok(parameters) = stack.parameters_by_path(method) else { continue };
            let text = |key: &str| -> Vec<String> {
                let matching = parameters.iter().filter(|parameter| parameter.key == key);
                matching.map(|parameter| match &parameter.value {
                    Value::Text(text) => text.to_str().expect("as given").to_owned(),
                    other => panic!("{other:?}"),
                }).collect()
            };
            let told = if method == Method::Append { text("lowerdir+") } else { split(&text("lowerdir")[0]) };
            prop_assert_eq!(&told, &lowers);
            let upper: Vec<String> = stack.upper_layer().iter().map(ToString::to_string).collect();
            let told: Vec<String> = text("upperdir").iter().map(|text| unescape(text)).collect();
            prop_assert_eq!(told, upper);
            prop_assert!(parameters.iter().all(|p| matches!(&p.value, Value::Text(t) if t.len() < 256) || p.value == Value::Flag));
        }
    }

    #[test]
    fn words_are_read_without_panics(word in ".{0,12}") {
        for accepted in [
            word.parse::<Xino>().ok().map(|parsed| parsed.to_string()),
            word.parse::<Uuid>().ok().map(|parsed| parsed.to_string()),
            word.parse::<RedirectDir>().ok().map(|parsed| parsed.to_string()),
        ] {
            prop_assert!(accepted.is_none_or(|printed| printed == word));
        }
    }
}
