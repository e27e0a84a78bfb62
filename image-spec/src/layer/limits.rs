//! What a layer may cost.

/// Limits on a layer, which is hostile input. The defaults fit the images in use.
///
/// ```
/// let limits = cofferdam_image_spec::Limits { bytes: 1 << 30, ..Default::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive after decompression, and bytes of its files with their holes. 64 GiB.
    pub bytes: u64,
    /// Bytes of one file with its holes. 64 GiB.
    pub file_bytes: u64,
    /// How many times larger than its blob the archive may be, once it is larger than
    /// [`ratio_from`](Self::ratio_from). 250.
    pub ratio: u64,
    /// From how many bytes on the ratio counts. Small archives of zeros are harmless. 512 MiB.
    pub ratio_from: u64,
    /// Entries. 2 million.
    pub entries: u64,
    /// Components of a path. 1024.
    pub depth: usize,
    /// Bytes of a path; the kernel takes 4095.
    pub path_bytes: usize,
    /// Bytes of the records that belong to one entry: PAX headers, long names. 1 MiB.
    pub metadata_bytes: u32,
    /// Extended attributes of one entry. 256.
    pub xattrs: usize,
    /// Bytes of the value of an extended attribute; the kernel takes 64 KiB.
    pub xattr_bytes: usize,
    /// Bytes of memory for what can only be done at the end of a layer, times of directories above all. 32 MiB, which
    /// is some 250,000 directories.
    pub notes_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 30,
            file_bytes: 64 << 30,
            ratio: 250,
            ratio_from: 512 << 20,
            entries: 2_000_000,
            depth: 1024,
            path_bytes: 4095,
            metadata_bytes: 1 << 20,
            xattrs: 256,
            xattr_bytes: 64 << 10,
            notes_bytes: 32 << 20,
        }
    }
}
