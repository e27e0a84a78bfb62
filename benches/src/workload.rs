//! The programs that are started: static ELF files of a few hundred bytes, written by this module.
//!
//! No compiler is needed, and there is nothing in them but the system calls named here: no loader, no libc, one page.
//! The workload ends at once with [`EXIT`], a status that no runtime uses for its own failures, so each measured run
//! proves that the program ran. The probe writes down what it sees of its surroundings first.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What both programs exit with.
pub const EXIT: i32 = 42;

const BASE: u32 = 0x40_0000;
const HEADER: u32 = 64 + 56;
const BUFFER: u32 = 0x4000;

/// One thing that the program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes a text to stdout.
    Print(String),
    /// Writes the beginning of a file to stdout (up to 16 KiB, as one read gives it).
    Show(String),
    /// Writes the target of a symbolic link to stdout.
    Link(String),
}

/// The program that does `ops` and exits with [`EXIT`].
pub fn program(ops: &[Op]) -> Vec<u8> {
    let mut data = Vec::new();
    let places: Vec<(u32, u32)> = ops.iter().map(|op| place(&mut data, op)).collect();
    let mut code = Vec::new();
    code.extend([0x48, 0x81, 0xec]); // sub rsp, BUFFER
    code.extend(BUFFER.to_le_bytes());
    for (op, (address, len)) in ops.iter().zip(places) {
        emit(&mut code, op, address, len);
    }
    mov(&mut code, EDI, EXIT.cast_unsigned());
    call(&mut code, libc::SYS_exit_group);
    image(&data, &code)
}

/// The workload: exits at once.
pub fn workload() -> Vec<u8> {
    program(&[])
}

/// A program that sleeps until it is killed.
pub(crate) fn idle() -> Vec<u8> {
    let mut code = Vec::new();
    call(&mut code, libc::SYS_pause);
    let back = u8::try_from(code.len() + 2).unwrap_or_default().wrapping_neg();
    code.extend([0xeb, back]); // jmp to the call
    image(&[], &code)
}

/// Writes a program to `path`, executable.
///
/// # Errors
///
/// Those of the file system.
pub fn install(path: &Path, image: &[u8]) -> io::Result<()> {
    fs::write(path, image)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

const EAX: &[u8] = &[0xb8];
pub(crate) const EDI: &[u8] = &[0xbf];
pub(crate) const ESI: &[u8] = &[0xbe];
pub(crate) const EDX: &[u8] = &[0xba];

fn place(data: &mut Vec<u8>, op: &Op) -> (u32, u32) {
    let (Op::Print(text) | Op::Show(text) | Op::Link(text)) = op;
    let address = BASE + HEADER + length(data);
    data.extend(text.as_bytes());
    data.push(0);
    (address, length(text.as_bytes()))
}

fn emit(code: &mut Vec<u8>, op: &Op, address: u32, len: u32) {
    mov(code, EDI, address);
    match op {
        Op::Print(_) => {
            mov(code, EDI, 1);
            mov(code, ESI, address);
            mov(code, EDX, len);
            return call(code, libc::SYS_write);
        }
        Op::Show(_) => {
            mov(code, ESI, 0);
            call(code, libc::SYS_open);
            code.extend([0x89, 0xc7]); // mov edi, eax
            code.extend([0x48, 0x89, 0xe6]); // mov rsi, rsp
            mov(code, EDX, BUFFER);
            call(code, libc::SYS_read);
        }
        Op::Link(_) => {
            code.extend([0x48, 0x89, 0xe6]); // mov rsi, rsp
            mov(code, EDX, BUFFER);
            call(code, libc::SYS_readlink);
        }
    }
    code.extend([0x31, 0xd2]); // xor edx, edx
    code.extend([0x85, 0xc0]); // test eax, eax
    code.extend([0x0f, 0x49, 0xd0]); // cmovns edx, eax: what was read, nothing after an error
    mov(code, EDI, 1);
    code.extend([0x48, 0x89, 0xe6]); // mov rsi, rsp
    call(code, libc::SYS_write);
}

pub(crate) fn mov(code: &mut Vec<u8>, register: &[u8], value: u32) {
    code.extend(register);
    code.extend(value.to_le_bytes());
}

pub(crate) fn call(code: &mut Vec<u8>, number: i64) {
    mov(code, EAX, u32::try_from(number).unwrap_or(u32::MAX));
    code.extend([0x0f, 0x05]); // syscall
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// One loadable segment, readable and executable: header, data, code.
pub(crate) fn image(data: &[u8], code: &[u8]) -> Vec<u8> {
    let size = u64::from(HEADER + length(data) + length(code));
    let entry = u64::from(BASE + HEADER + length(data));
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    half(&mut elf, &[2, 62]); // ET_EXEC, EM_X86_64
    elf.extend(1_u32.to_le_bytes());
    quad(&mut elf, &[entry, 64, 0]); // entry, program headers, no section headers
    elf.extend(0_u32.to_le_bytes());
    half(&mut elf, &[64, 56, 1, 64, 0, 0]);
    elf.extend(1_u32.to_le_bytes()); // PT_LOAD
    elf.extend(5_u32.to_le_bytes()); // PF_R | PF_X
    quad(&mut elf, &[0, u64::from(BASE), u64::from(BASE), size, size, 0x1000]);
    elf.extend(data);
    elf.extend(code);
    elf
}

fn half(elf: &mut Vec<u8>, values: &[u16]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn quad(elf: &mut Vec<u8>, values: &[u64]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::{Mutex, PoisonError};

    /// A child forked by another test while a program is written would keep it from being executed (`ETXTBSY`).
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn the_workload_is_tiny_and_exits_as_promised() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let image = workload();
        assert_eq!(image.len(), 139);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        install(&path, &image).unwrap();
        assert_eq!(Command::new(&path).status().unwrap().code(), Some(EXIT));
    }

    #[test]
    fn operations_write_what_they_read_and_nothing_after_an_error() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let (path, file) = (dir.path().join("probe"), dir.path().join("file"));
        fs::write(&file, "content").unwrap();
        std::os::unix::fs::symlink("target", dir.path().join("link")).unwrap();
        let name = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let ops = [
            Op::Print("a:".into()),
            Op::Show(name("file")),
            Op::Show(name("absent")),
            Op::Print(";".into()),
            Op::Link(name("link")),
            Op::Link(name("absent")),
        ];
        install(&path, &program(&ops)).unwrap();
        let output = Command::new(&path).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a:content;target");
        assert_eq!(output.status.code(), Some(EXIT));
    }
}
