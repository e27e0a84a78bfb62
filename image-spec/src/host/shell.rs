//! The image of a host that needs no choice.

use super::HostImage;

/// What a script is likely to call. They are small, and need hardly a library that the shell does not.
const USUAL: [&str; 34] = [
    "ls", "cat", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "chmod", "chown", "touch", "stat", "id", "whoami",
    "uname", "hostname", "env", "echo", "printf", "true", "false", "test", "sleep", "date", "head", "tail",
    "wc", "sort", "cut", "tr", "dd", "grep", "sed", "ps",
];

impl HostImage {
    /// A shell, and those of the usual small programs that this host has.
    ///
    /// ```
    /// use cofferdam_image_spec::HostImage;
    ///
    /// let plan = HostImage::shell().plan()?;
    /// assert_eq!(plan.command().len(), 1);
    /// # Ok::<(), cofferdam_image_spec::Error>(())
    /// ```
    pub fn shell() -> Self {
        let present = USUAL.into_iter().filter(|name| Self::new().base(false).program(name).plan().is_ok());
        present.fold(Self::new().program("sh"), Self::program)
    }
}
