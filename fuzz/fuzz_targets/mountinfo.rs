//! The mount table: no bytes make the parser panic, and what it takes it prints again as it was.
#![no_main]

use cofferdam_overlay::{MountEntry, MountTable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(table) = MountTable::parse(bytes) else { return };
    assert_eq!(table.to_bytes(), bytes);
    for entry in &table {
        assert_eq!(MountEntry::parse(entry.as_bytes()).as_ref(), Ok(entry));
        assert!(entry.root().as_os_str().len() <= bytes.len());
        assert!(entry.source().len() + entry.fs_type().len() <= bytes.len());
        let point = entry.mount_point();
        assert!(table.containing(&point).is_none_or(|found| table.get(found.id()).is_some()));
        assert!(table.children(entry.id()).count() <= table.len());
        let options = entry.options().chain(entry.super_options());
        assert!(options.map(|option| option.name.len()).sum::<usize>() <= entry.as_bytes().len());
        let fields = entry.optional_fields().map(|field| field.to_string()).count();
        assert!(fields <= entry.as_bytes().len());
        assert!(!entry.has_option("ro") || entry.is_read_only());
    }
});
