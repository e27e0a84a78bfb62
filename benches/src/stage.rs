//! The stage: a temporary folder with the root file system, the programs, and what peers need besides.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::Error;
use crate::case::Shape;
use crate::{probe, workload};

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Exits at once.
    Workload,
    /// Writes down what it sees, then exits.
    Probe,
}

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub struct Stage {
    dir: TempDir,
    root: PathBuf,
    serial: AtomicU32,
}

impl Stage {
    /// Makes `root/{program,probe,dev,proc,tmp}`.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn new() -> Result<Stage, Error> {
        let dir = tempfile::Builder::new().prefix("cofferdam-bench-").tempdir();
        let dir = dir.map_err(Error::io("make a temporary folder"))?;
        let root = dir.path().join("root");
        for folder in ["dev", "proc", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(Error::io(format!("make {}", path.display())))?;
        }
        for (name, image) in [("program", workload::workload()), ("probe", probe::image())] {
            let path = root.join(name);
            workload::install(&path, &image).map_err(Error::io(format!("write {}", path.display())))?;
        }
        Ok(Stage { dir, root, serial: AtomicU32::new(0) })
    }

    /// The root file system of a sandbox.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new folder, by a name that no other call gets.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.dir.path().join(format!("{name}-{}", self.serial.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path).map_err(Error::io(format!("make {}", path.display())))?;
        Ok(path)
    }

    /// A file without a name.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn file(&self) -> Result<File, Error> {
        tempfile::tempfile_in(self.dir.path()).map_err(Error::io("make a temporary file"))
    }
}

/// What a subject is to do.
#[derive(Debug)]
pub struct Task<'a> {
    /// The folder with everything.
    pub stage: &'a Stage,
    /// The isolation.
    pub shape: Shape,
    /// The program.
    pub program: Program,
    /// Where stdout and stderr go; inherited if absent (the workload writes nothing).
    pub output: Option<&'a File>,
}

impl Task<'_> {
    /// The program's path as the new process sees it.
    pub fn program(&self) -> PathBuf {
        if self.shape.sandbox {
            Path::new("/").join(self.name())
        } else {
            self.stage.root().join(self.name())
        }
    }

    /// The program's path inside of the root file system.
    pub fn program_in_root(&self) -> PathBuf {
        Path::new("/").join(self.name())
    }

    fn name(&self) -> &'static str {
        match self.program {
            Program::Workload => "program",
            Program::Probe => "probe",
        }
    }

    /// A descriptor of the output for the subject to keep.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn output(&self) -> Result<Option<File>, Error> {
        self.output.map(File::try_clone).transpose().map_err(Error::io("duplicate a descriptor"))
    }
}
