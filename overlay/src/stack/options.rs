//! The words of overlay's options.

use std::fmt;
use std::str::FromStr;

use crate::Error;

macro_rules! words {
    ($(#[$about:meta])* $name:ident ($key:literal) { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kernel's word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Reads the kernel's word.
            fn from_str(word: &str) -> Result<Self, Error> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Error::Invalid {
                        what: $key,
                        value: word.to_owned(),
                        reason: concat!("is not one of", $(" ", $word),*).to_owned(),
                    }),
                }
            }
        }
    };
}

words! {
    /// What happens when a directory of a lower layer is renamed (`redirect_dir=`).
    RedirectDir ("redirect_dir") {
        /// It is renamed, and a record of where it was is kept in the upper directory and followed.
        On = "on",
        /// Renaming fails with `EXDEV`. Whether records are followed is a setting of the kernel.
        Off = "off",
        /// Renaming fails with `EXDEV`; records are followed. Not safe with layers that others have made.
        Follow = "follow",
        /// Renaming fails with `EXDEV`; records are not followed.
        NoFollow = "nofollow",
    }
}

words! {
    /// Whether inode numbers tell the file system too, so that they are the same all the time (`xino=`).
    Xino ("xino") {
        /// Yes, and a warning by the kernel where they cannot.
        On = "on",
        /// No.
        Off = "off",
        /// Where the file systems below leave bits for it.
        Auto = "auto",
    }
}

words! {
    /// What the union says its UUID is, and what is made of those of its layers (`uuid=`).
    Uuid ("uuid") {
        /// One of its own, kept in the upper directory (Linux 6.6).
        On = "on",
        /// None, and those of the layers count for nothing: lower directories may be copied to another file
        /// system (Linux 5.11).
        Off = "off",
        /// None (Linux 6.6).
        Null = "null",
        /// One of its own, if the upper directory is new (Linux 6.6).
        Auto = "auto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_printed() {
        for word in RedirectDir::ALL {
            assert_eq!(word.to_string().parse(), Ok(*word));
        }
        for word in Xino::ALL {
            assert_eq!(word.to_string().parse(), Ok(*word));
        }
        for word in Uuid::ALL {
            assert_eq!(word.to_string().parse(), Ok(*word));
        }
        let error = "ON".parse::<Xino>().unwrap_err();
        assert_eq!(error.to_string(), "xino \"ON\" is not one of on off auto");
    }
}
