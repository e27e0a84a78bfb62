//! What the programs of this package say about errors: one line that does nothing to a terminal.
#![forbid(unsafe_code)]

use std::error::Error;

/// An error with its causes, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// A message as one line: errors can quote names from files and images.
pub fn line(message: &str) -> String {
    printable(&message.trim_end().replace('\n', " "))
}

/// What is wrong with a command line: the first paragraph of what there is to say.
pub fn usage(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text that may have anything in it, for terminals too.
pub fn printable(text: &str) -> String {
    let escape = |character: char| match character {
        plain @ ('"' | '\'' | '\\') => plain.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{7f}\r\n\u{202e}\"b\"\\";
        assert_eq!(printable(hostile), "a\\u{1b}[2J\\u{9b}2J\\u{7f}\\r\\n\\u{202e}\"b\"\\");
    }

    #[test]
    fn a_message_is_one_line_of_text() {
        assert_eq!(line("a\nb \u{1b}[2J\u{9b} \"c\"\n"), "a b \\u{1b}[2J\\u{9b} \"c\"");
    }

    #[test]
    fn usage_is_the_first_paragraph() {
        let text = "error: unexpected argument '--nope'\n  found\n\nUsage: box [OPTIONS]\n";
        assert_eq!(usage(text), "unexpected argument '--nope' found");
    }

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug)]
        struct Outer(&'static str, io::Error);

        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }

        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.1)
            }
        }

        assert_eq!(chain(&Outer("open /x", io::Error::other("no disk"))), "open /x: no disk");
        assert_eq!(chain(&Outer("open /x: no disk", io::Error::other("no disk"))), "open /x: no disk");
    }
}
