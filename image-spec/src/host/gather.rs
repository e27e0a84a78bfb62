//! The files that programs need: links on the way, interpreters, libraries and what those need in turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::{self, Elf, Fault};
use super::files::{Found, Host};
use super::plan::HostEntry;
use super::script::{self, Script};
use super::search::{Line, default_dirs, is_musl, is_musl_itself, matches, parse_conf, search_path};
use crate::{Error, Result};

/// As many scripts may run each other as the kernel allows.
const MOST_SCRIPTS: u32 = 5;

/// Collects files.
pub(super) struct Gather<'a> {
    host: &'a Host,
    search: Vec<PathBuf>,
    pub(super) entries: BTreeMap<PathBuf, HostEntry>,
    /// The directories of `ld.so.conf`, once they are read.
    configured: Option<Vec<PathBuf>>,
    /// Whether a library lies where only the host's cache says to look.
    needs_cache: bool,
}

/// A program or library while the libraries of a program are gathered.
struct Object {
    path: PathBuf,
    elf: Elf,
    /// Where its libraries are looked for first.
    first: Vec<PathBuf>,
    /// What it adds to the search of its libraries' libraries.
    inherited: Vec<PathBuf>,
}

impl Object {
    fn new(path: PathBuf, elf: Elf, parent: Option<&Self>) -> Self {
        let origin = path.parent().unwrap_or(Path::new("/"));
        let mut inherited = Vec::new();
        if let (Some(text), None) = (&elf.rpath, &elf.runpath) {
            inherited = search_path(text, origin, &elf);
        }
        if let Some(parent) = parent {
            inherited.extend_from_slice(&parent.inherited);
        }
        let first = match &elf.runpath {
            Some(text) => search_path(text, origin, &elf),
            None => inherited.clone(),
        };
        Self { path, elf, first, inherited }
    }
}

impl<'a> Gather<'a> {
    pub(super) fn new(host: &'a Host, search: Vec<PathBuf>) -> Self {
        Self { host, search, entries: BTreeMap::new(), configured: None, needs_cache: false }
    }

    /// A program by its name or absolute path. Tells under which path it was found.
    pub(super) fn program(&mut self, name: &OsStr) -> Result<PathBuf> {
        self.program_of(name, 0)
    }

    /// A file with what it needs, if it is a program or library.
    pub(super) fn file(&mut self, path: &Path) -> Result<()> {
        let found = self.host.follow(path).map_err(failed("find", path))?;
        if !found.meta.is_file() {
            return Err(failed("take", path)(io::Error::other("not a regular file")));
        }
        self.take(found, 0).map(drop)
    }

    /// Ends the search.
    pub(super) fn finish(&mut self) -> Result<()> {
        let cache = Path::new("/etc/ld.so.cache");
        match self.host.follow(cache) {
            Ok(found) if self.needs_cache => self.keep(found.into_entries()),
            Err(error) if self.needs_cache => return Err(failed("find", cache)(error)),
            _ => {}
        }
        Ok(())
    }

    fn program_of(&mut self, name: &OsStr, depth: u32) -> Result<PathBuf> {
        let paths = match name.as_bytes().contains(&b'/') {
            true => vec![PathBuf::from(name)],
            false => self.search.iter().map(|dir| dir.join(name)).collect(),
        };
        for path in paths.into_iter().filter(|path| path.is_absolute()) {
            let Some(found) = self.host.follow(&path).ok().filter(Found::is_program) else { continue };
            if !self.take(found, depth)? {
                return Err(Error::invalid(
                    "program",
                    path.to_string_lossy(),
                    "is no ELF file and no script",
                ));
            }
            return Ok(path);
        }
        Err(Error::Missing { what: "program", name: name.to_string_lossy().into() })
    }

    fn keep(&mut self, entries: impl IntoIterator<Item = HostEntry>) {
        self.entries.extend(entries.into_iter().map(|entry| (entry.path.clone(), entry)));
    }

    /// Takes a file and what it needs. Tells whether it is something that runs.
    fn take(&mut self, found: Found, depth: u32) -> Result<bool> {
        let path = found.path.clone();
        let runs = found.is_program();
        self.keep(found.into_entries());
        if let Some(elf) = self.elf(&path)? {
            self.dynamic(path, elf)?;
            return Ok(true);
        }
        match self.script(&path)? {
            Some(script) if runs => self.interpreters(&path, &script, depth).map(|()| true),
            _ => Ok(false),
        }
    }

    fn elf(&self, path: &Path) -> Result<Option<Elf>> {
        let file = self.host.open(path).map_err(failed("open", path))?;
        elf::read(&file).map_err(|fault| match fault {
            Fault::Read(error) => failed("read", path)(error),
            Fault::Form(reason) => Error::invalid("ELF file", path.to_string_lossy(), reason),
        })
    }

    fn script(&self, path: &Path) -> Result<Option<Script>> {
        let file = self.host.open(path).map_err(failed("open", path))?;
        let mut head = Vec::new();
        file.take(script::HEAD).read_to_end(&mut head).map_err(failed("read", path))?;
        Ok(script::parse(&head))
    }

    fn interpreters(&mut self, path: &Path, script: &Script, depth: u32) -> Result<()> {
        let wrong = |reason: &str| Error::invalid("script", path.to_string_lossy(), reason);
        if depth >= MOST_SCRIPTS {
            return Err(wrong("is run by too many scripts"));
        }
        let names = [Some(&script.interpreter), script.program.as_ref()];
        for name in names.into_iter().flatten() {
            self.program_of(name, depth + 1).map_err(|error| needed_by(error, path))?;
        }
        Ok(())
    }

    /// The interpreter and all libraries of a program, in the order in which a loader loads them.
    fn dynamic(&mut self, path: PathBuf, elf: Elf) -> Result<()> {
        let interpreter = elf.interpreter.as_deref().map(|name| PathBuf::from(OsStr::from_bytes(name)));
        if let Some(interpreter) = &interpreter {
            let missing = |_| Error::Missing { what: "interpreter", name: interpreter.display().to_string() };
            let found = self.host.follow(interpreter).map_err(missing);
            self.keep(found.map_err(|error| needed_by(error, &path))?.into_entries());
        }
        let musl = interpreter.filter(|interpreter| is_musl(interpreter));
        let mut loaded = BTreeSet::new();
        let mut queue = VecDeque::from([Object::new(path, elf, None)]);
        while let Some(object) = queue.pop_front() {
            for name in &object.elf.needed {
                if !loaded.insert(name.clone()) || (musl.is_some() && is_musl_itself(name)) {
                    continue;
                }
                let found = self.library(name, &object, musl.as_deref());
                let (path, elf) = found.map_err(|error| needed_by(error, &object.path))?;
                queue.push_back(Object::new(path, elf, Some(&object)));
            }
        }
        Ok(())
    }

    /// Finds a library and keeps it. Tells under which path, which counts for what it needs itself.
    fn library(&mut self, name: &[u8], object: &Object, musl: Option<&Path>) -> Result<(PathBuf, Elf)> {
        let text = Path::new(OsStr::from_bytes(name));
        if name.contains(&b'/') {
            let found = self.candidate(text, &object.elf)?.filter(|_| text.is_absolute());
            return self.keep_library(found, text);
        }
        let system = match musl {
            Some(interpreter) => self.musl_dirs(interpreter)?,
            None => default_dirs(&object.elf),
        };
        let configured = if musl.is_none() { self.configured()? } else { Vec::new() };
        for dir in object.first.iter().chain(&configured).chain(&system) {
            let found = self.candidate(&dir.join(text), &object.elf)?;
            if found.is_some() {
                self.needs_cache |= !object.first.contains(dir) && !system.contains(dir);
                return self.keep_library(found, text);
            }
        }
        self.keep_library(None, text)
    }

    fn keep_library(&mut self, found: Option<(PathBuf, Found, Elf)>, name: &Path) -> Result<(PathBuf, Elf)> {
        let missing = || Error::Missing { what: "library", name: name.display().to_string() };
        let (path, found, elf) = found.ok_or_else(missing)?;
        self.keep(found.into_entries());
        Ok((path, elf))
    }

    /// A file that could be a library of this object: of the same class and machine. A loader passes over others.
    fn candidate(&self, path: &Path, object: &Elf) -> Result<Option<(PathBuf, Found, Elf)>> {
        let Some(found) = self.host.follow(path).ok().filter(|found| found.meta.is_file()) else {
            return Ok(None);
        };
        let elf = self.elf(&found.path)?;
        let same = elf.filter(|elf| (elf.wide, elf.machine) == (object.wide, object.machine));
        Ok(same.map(|elf| (path.to_owned(), found, elf)))
    }

    fn musl_dirs(&mut self, interpreter: &Path) -> Result<Vec<PathBuf>> {
        let name = interpreter.file_stem().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".so").unwrap_or(&name);
        let path = Path::new("/etc").join(format!("{name}.path"));
        let text = self.host.read_small(&path).map_err(failed("read", &path))?;
        if text.is_some() {
            self.keep(self.host.follow(&path).map_err(failed("find", &path))?.into_entries());
        }
        let text = text.unwrap_or_else(|| b"/lib:/usr/local/lib:/usr/lib".to_vec());
        let dirs =
            text.split(|byte| matches!(byte, b':' | b'\n')).map(|dir| PathBuf::from(OsStr::from_bytes(dir)));
        Ok(dirs.filter(|dir| dir.is_absolute()).collect())
    }

    /// The directories of `ld.so.conf` and what it includes.
    fn configured(&mut self) -> Result<Vec<PathBuf>> {
        if self.configured.is_none() {
            self.configured = Some(self.read_conf()?);
        }
        Ok(self.configured.clone().unwrap_or_default())
    }

    fn read_conf(&self) -> Result<Vec<PathBuf>> {
        let (mut dirs, mut seen) = (Vec::new(), BTreeSet::new());
        let mut todo = vec![Line::Include("/etc/ld.so.conf".into())];
        while let Some(line) = todo.pop() {
            let path = match line {
                Line::Include(path) => path,
                Line::Dir(dir) if dirs.contains(&dir) => continue,
                Line::Dir(dir) => {
                    dirs.push(dir);
                    continue;
                }
            };
            let dir = path.parent().unwrap_or(Path::new("/"));
            let pattern = path.file_name().unwrap_or_default().as_bytes();
            let names = self.host.names(dir).map_err(failed("list", dir))?;
            for name in names.iter().filter(|name| matches(pattern, name.as_bytes())).rev() {
                let file = dir.join(name);
                if seen.insert(file.clone()) {
                    let text =
                        self.host.read_small(&file).map_err(failed("read", &file))?.unwrap_or_default();
                    let lines = parse_conf(&text).into_iter().map(|line| match line {
                        Line::Include(path) => Line::Include(dir.join(path)),
                        other => other,
                    });
                    todo.extend(lines.rev());
                }
            }
        }
        Ok(dirs)
    }
}

/// Says who needs what is missing.
fn needed_by(error: Error, path: &Path) -> Error {
    match error {
        Error::Missing { what, name } if !name.contains(", needed by ") => {
            Error::Missing { what, name: format!("{name}, needed by {},", path.display()) }
        }
        other => other,
    }
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path: path.clone(), source }
}
