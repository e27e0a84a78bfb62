//! The C library libseccomp, where this machine has it. It is opened while the test runs, so that nothing has to be linked.
#![allow(unsafe_code, reason = "functions of a C library")]

use cofferdam_seccomp::{Action, Architecture, Comparison, Instruction, Profile};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{Read, Seek};
use std::mem::transmute_copy;
use std::os::fd::{AsRawFd, FromRawFd};

const BAD_ARCHITECTURE: c_uint = 2;

type Context = *mut c_void;

/// `struct scmp_arg_cmp`.
#[repr(C)]
struct Argument {
    index: c_uint,
    operator: c_uint,
    first: u64,
    second: u64,
}

/// The functions that the tests need.
pub struct Library {
    init: extern "C" fn(u32) -> Context,
    release: extern "C" fn(Context),
    arch_add: extern "C" fn(Context, u32) -> c_int,
    arch_remove: extern "C" fn(Context, u32) -> c_int,
    attr_set: extern "C" fn(Context, c_uint, u32) -> c_int,
    resolve: extern "C" fn(u32, *const c_char) -> c_int,
    rule_add: extern "C" fn(Context, u32, c_int, c_uint, *const Argument) -> c_int,
    export: extern "C" fn(Context, c_int) -> c_int,
}

impl Library {
    pub fn open() -> Option<Self> {
        // SAFETY: the library's constructors do nothing; it stays open.
        let handle = unsafe { libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return None;
        }
        // SAFETY: the types are those of seccomp.h.
        unsafe {
            Some(Self {
                init: function(handle, c"seccomp_init")?,
                release: function(handle, c"seccomp_release")?,
                arch_add: function(handle, c"seccomp_arch_add")?,
                arch_remove: function(handle, c"seccomp_arch_remove")?,
                attr_set: function(handle, c"seccomp_attr_set")?,
                resolve: function(handle, c"seccomp_syscall_resolve_name_arch")?,
                rule_add: function(handle, c"seccomp_rule_add_array")?,
                export: function(handle, c"seccomp_export_bpf")?,
            })
        }
    }

    /// The number of a call: none if the library does not know the name, negative if the architecture has it not.
    pub fn number(&self, architecture: Architecture, name: &str) -> Option<i32> {
        let name = CString::new(name).expect("a name");
        Some((self.resolve)(token(architecture), name.as_ptr())).filter(|number| *number != -1)
    }

    /// What the library makes of a profile.
    pub fn compile(&self, profile: &Profile) -> Vec<Instruction> {
        let context = (self.init)(profile.default_action.code());
        assert!(!context.is_null());
        let done = |what: &str, result: c_int| assert_eq!(result, 0, "{what}");
        done("attribute", (self.attr_set)(context, BAD_ARCHITECTURE, Action::KillProcess.code()));
        for architecture in &profile.architectures {
            if *architecture != Architecture::NATIVE {
                done("architecture", (self.arch_add)(context, token(*architecture)));
            }
        }
        if !profile.architectures.contains(&Architecture::NATIVE) {
            done("native", (self.arch_remove)(context, token(Architecture::NATIVE)));
        }
        for rule in &profile.rules {
            let arguments: Vec<Argument> = rule.conditions.iter().map(argument).collect();
            let count = c_uint::try_from(arguments.len()).expect("few arguments");
            for name in &rule.names {
                let number = self.number(Architecture::NATIVE, name).expect("a known name");
                let result = (self.rule_add)(context, rule.action.code(), number, count, arguments.as_ptr());
                done(&format!("{name}: {rule:?}"), result);
            }
        }
        let instructions = self.exported(context);
        (self.release)(context);
        instructions
    }

    fn exported(&self, context: Context) -> Vec<Instruction> {
        // SAFETY: a new descriptor, which nobody else has.
        let mut file =
            unsafe { File::from_raw_fd(libc::memfd_create(c"filter".as_ptr(), libc::MFD_CLOEXEC)) };
        assert_eq!((self.export)(context, file.as_raw_fd()), 0);
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a filter");
        let instruction = |bytes: &[u8]| Instruction {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        };
        bytes.chunks_exact(8).map(instruction).collect()
    }
}

/// A function of a library.
///
/// # Safety
///
/// `T` is the type of the function with this name.
unsafe fn function<T>(handle: *mut c_void, name: &CStr) -> Option<T> {
    // SAFETY: an open library and a string.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    assert_eq!(size_of::<T>(), size_of::<*mut c_void>());
    // SAFETY: a function pointer is an address; the caller vouches for its type.
    (!address.is_null()).then(|| unsafe { transmute_copy(&address) })
}

/// `SCMP_ARCH_*`: as the kernel's, but for x32.
fn token(architecture: Architecture) -> u32 {
    if architecture == Architecture::X32 { 0x4000_003e } else { architecture.audit_number() }
}

fn argument(condition: &cofferdam_seccomp::Condition) -> Argument {
    let (operator, first, second) = match condition.comparison {
        Comparison::Ne(value) => (1, value, 0),
        Comparison::Lt(value) => (2, value, 0),
        Comparison::Le(value) => (3, value, 0),
        Comparison::Eq(value) => (4, value, 0),
        Comparison::Ge(value) => (5, value, 0),
        Comparison::Gt(value) => (6, value, 0),
        Comparison::MaskedEq { mask, value } => (7, mask, value),
        _ => panic!("{condition:?}"),
    };
    Argument { index: condition.argument.into(), operator, first, second }
}
