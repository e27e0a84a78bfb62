//! A table of fields, their units and their keys, as a type.

/// Declares a structure of optional numbers with their units and the keys under which flat keyed files have them.
macro_rules! keyed {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $unit:ident $(= $($key:literal)|+)?,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$crate::stats::keyed::unit_type!($unit)>,)*
        }

        impl $crate::stats::parse::Keyed for $name {
            fn field(&mut self, key: &[u8]) -> Option<$crate::stats::parse::Field<'_>> {
                match key {
                    $($($($key)|+ => Some($crate::stats::keyed::unit_field!($unit, &mut self.$field)),)?)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! unit_type {
    (count) => {
        u64
    };
    (bytes) => {
        $crate::Bytes
    };
    (micros) => {
        std::time::Duration
    };
    (flag) => {
        bool
    };
}

macro_rules! unit_field {
    (count, $to:expr) => {
        $crate::stats::parse::Field::Count($to)
    };
    (bytes, $to:expr) => {
        $crate::stats::parse::Field::Bytes($to)
    };
    (micros, $to:expr) => {
        $crate::stats::parse::Field::Micros($to)
    };
    (flag, $to:expr) => {
        $crate::stats::parse::Field::Flag($to)
    };
}

pub(super) use {keyed, unit_field, unit_type};
