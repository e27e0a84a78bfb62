//! The table of differences.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, LineStyle, Table};

use crate::facts::Fact;

/// Sets the facts of two processes side by side.
pub fn table(outside: &[Fact], inside: &[Fact], width: u16) -> String {
    let mut table = Table::new();
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(["", "outside", "inside"]);
    for (name, value) in outside {
        let other = inside.iter().find(|(other, _)| other == name).map_or("unknown", |(_, value)| value);
        table.add_row([name.as_str(), value, if other == value { "the same" } else { other }]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_the_same() {
        let facts = |pairs: &[(&str, &str)]| -> Vec<Fact> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let outside = facts(&[("pid", "77"), ("user", "0"), ("host", "a")]);
        let text = table(&outside, &facts(&[("pid", "1"), ("user", "0")]), 80);
        let line = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name)).expect("a line");
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            [line("pid"), line("user"), line("host")],
            ["pid 77 1", "user 0 the same", "host a unknown"]
        );
    }
}
